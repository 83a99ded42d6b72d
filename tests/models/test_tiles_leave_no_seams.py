"""Across the borders of tiles a sample is no rougher than beside them, as it is without a halo.

The gradient energy of a picture is the mean square of the differences of neighbouring pixels. It is
compared with that beside the borders, since pictures are rougher near the sides of the domain,
where the noise is larger; and for tiles whose borders fall on various places in the cells of the
U-Net's grid, since the answer of a network with random weights has kinks at some of these.
"""

import dataclasses

import pytest
import torch
from networks import randomised

from inftydiff import Box, Function, Grid, timesteps
from inftydiff.pipelines import InftyDiff, preset

SIDE, BATCH = 65, 4


def model() -> InftyDiff:
    return randomised(InftyDiff(dataclasses.replace(preset("tiny", resolution=16))))


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(3)


def seams(image: torch.Tensor, tile: int) -> float:
    """The gradient energy across the tiles' borders over that of the lines two pixels away."""
    borders = torch.arange(tile, SIDE, tile) - 1
    across, beside = torch.zeros(2).double()
    for picture in (image, image.mT):
        energy = picture.diff(dim=-1).square().flatten(0, -2).mean(0)
        across += energy[borders].mean()
        beside += (energy[borders - 2].mean() + energy[borders + 2].mean()) / 2
    return (across / beside).item()


def drawn(tile: int | None) -> torch.Tensor:
    return (
        model()
        .sample(
            on=Grid((SIDE, SIDE)),
            batch=BATCH,
            generator=generator(),
            times=timesteps(1),
            deconvolve=False,
            tile=tile,
        )
        .to_image()
    )


@pytest.mark.thorough
def test_the_seams_of_samples():
    whole, parts = drawn(None), drawn(13)
    torch.testing.assert_close(parts, whole, rtol=1e-9, atol=1e-9)
    assert abs(seams(parts, 13) - 1.0) < 0.05
    assert abs(seams(parts, 13) / seams(whole, 13) - 1.0) < 1e-9


def test_tiles_on_their_own_are_seen():
    net, t = model().network, torch.full((BATCH,), 0.5, dtype=torch.float64)
    noise = model().start(on=Grid((SIDE, SIDE)), batch=BATCH, generator=generator()).to_image()
    image = torch.empty_like(noise)
    for i in range(0, SIDE, 13):
        for j in range(0, SIDE, 13):
            part = (..., slice(i, i + 13), slice(j, j + 13))
            piece = Function.from_image(noise[part], Box((13 / SIDE, 13 / SIDE)))
            with torch.no_grad():
                image[part] = net(piece, t).to_image()
    assert seams(image, 13) > 1.5
