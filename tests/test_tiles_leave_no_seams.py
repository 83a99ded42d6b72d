"""Across the borders of tiles a sample is no rougher than elsewhere, as it is without a halo.

The gradient energy of a picture is the mean square of the differences of neighbouring pixels.
"""

import dataclasses

import torch
from networks import randomised

from inftydiff import Box, Function, Grid, steps
from inftydiff.pipelines import InftyDiff, preset

SIDE, TILE = 64, 16
BATCH = 6


def model() -> InftyDiff:
    return randomised(InftyDiff(dataclasses.replace(preset("tiny", resolution=16))))


def seams(image: torch.Tensor) -> float:
    """The gradient energy across the tiles' borders over that elsewhere."""
    energies = []
    for picture in (image, image.mT):
        energy = picture.diff(dim=-1).square().flatten(0, -2).mean(0)
        border = torch.arange(1, SIDE) % TILE == 0
        energies.append((energy[border].mean(), energy[~border].mean()))
    across, elsewhere = (torch.stack(e).mean() for e in zip(*energies, strict=True))
    return (across / elsewhere).item()


def drawn(tile: int | None) -> torch.Tensor:
    pipeline = model()
    x = pipeline.sample(
        on=Grid((SIDE, SIDE)),
        batch=BATCH,
        generator=torch.Generator().manual_seed(3),
        times=steps(3),
        deconvolve=False,
        tile=tile,
    )
    return x.to_image()


def test_the_seams_of_samples():
    whole, parts = drawn(None), drawn(TILE)
    torch.testing.assert_close(parts, whole, rtol=1e-8, atol=1e-8)
    assert abs(seams(parts) - 1.0) < 0.05


def test_tiles_on_their_own_are_seen():
    net, grid = model().network, Grid((SIDE, SIDE))
    generator = torch.Generator().manual_seed(3)
    smooth = model().start(on=grid, batch=BATCH, generator=generator).to_image()
    pieces = smooth.unfold(2, TILE, TILE).unfold(3, TILE, TILE)
    image = torch.empty_like(smooth)
    t = torch.full((BATCH,), 0.5, dtype=torch.float64)
    for i in range(SIDE // TILE):
        for j in range(SIDE // TILE):
            piece = Function.from_image(pieces[:, :, i, j], Box((TILE / SIDE, TILE / SIDE)))
            with torch.no_grad():
                answer = net(piece, t).to_image()
            image[:, :, TILE * i : TILE * (i + 1), TILE * j : TILE * (j + 1)] = answer
    assert seams(image) > 1.5
