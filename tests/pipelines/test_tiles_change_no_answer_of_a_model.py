"""What a model with latents decodes, encodes and is asked by a task is the same in tiles."""

from collections.abc import Callable

import pytest
import torch
from autoencoders import LATENT, autoencoder, seeded
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import functions, subset_of

from inftydiff import DPS, Function, Grid, Scattered, recommended_timesteps, timesteps
from inftydiff.pipelines import tasks
from inftydiff.processes import DDIM, DDIMInversion

GRID, FINE = Grid((16, 16)), Grid((18, 22))
MODEL = autoencoder()
TIMES = timesteps(2)
UPWARD = recommended_timesteps(2, DDIM(), MODEL.process.schedule)
LEFT = GRID.points[:, 1] < 0.5

Answer = Callable[[int, int | tuple[int, int] | None], Function]
"""What is asked, of a seed and with tiles."""


def latents(seed: int) -> torch.Tensor:
    return torch.randn(2, LATENT, generator=seeded(seed), dtype=torch.float64)


def decoded(seed: int, tile) -> Function:
    return MODEL.decode(latents(seed), on=FINE, generator=seeded(seed), times=TIMES, tile=tile)


def reconstructed(seed: int, tile) -> Function:
    x = functions(subset_of(GRID, 100, seed), seed)
    return MODEL.reconstruct(x, on=FINE, generator=seeded(seed), times=TIMES, tile=tile)


def interpolated(seed: int, tile) -> Function:
    ends, how = latents(seed), {"generator": seeded(seed), "times": TIMES, "tile": tile}
    return MODEL.interpolate(*ends, count=3, on=FINE, **how)


def inverted(seed: int, tile) -> Function:
    x0 = functions(FINE, seed, batch=1)
    return MODEL.invert(x0, times=UPWARD, inversion=DDIMInversion(), tile=tile)


def between(seed: int, tile) -> Function:
    x, how = functions(GRID, seed), tasks.Sampling(times=UPWARD, tile=tile)
    return tasks.interpolate(
        MODEL, x, count=2, encodings=True, generator=seeded(seed), how=how
    ).samples


def completed(seed: int, tile) -> Function:
    x, how = functions(GRID, seed, batch=1), tasks.Sampling(times=TIMES, tile=tile)
    return tasks.inpaint(MODEL, x, LEFT, samples=1, generator=seeded(seed), how=how).samples


def sensed(seed: int, tile) -> Function:
    points = Scattered(torch.rand(9, 2, generator=seeded(seed), dtype=torch.float64))
    readings, how = functions(points, seed, batch=1), tasks.Sampling(times=TIMES, tile=tile)
    return tasks.from_sensors(
        MODEL, readings, on=FINE, samples=1, generator=seeded(seed), how=how
    ).samples


@pytest.mark.thorough
@pytest.mark.parametrize(
    "answer", [decoded, reconstructed, interpolated, inverted, between, completed, sensed]
)
@settings(deadline=None, max_examples=2)
@given(
    tile=st.integers(9, 30) | st.tuples(st.integers(9, 30), st.integers(9, 30)),
    seed=st.integers(0, 2**20),
)
def test_tiles(answer: Answer, tile, seed: int):
    parts, whole = answer(seed, tile).values, answer(seed, None).values
    assert not parts.equal(torch.zeros_like(parts))
    torch.testing.assert_close(parts, whole, rtol=1e-8, atol=1e-8)


def test_guides_that_differentiate_the_network_are_refused():
    x, how = functions(GRID, batch=1), tasks.Sampling(times=TIMES, tile=9)
    with pytest.raises(ValueError, match="DPS differentiates"):
        tasks.inpaint(MODEL, x, LEFT, guide=DPS(), generator=seeded(), how=how)


@pytest.mark.parametrize("tile", [0, (4, -1)])
def test_sizes_below_one_are_refused(tile):
    for answer in (decoded, reconstructed, interpolated, inverted, completed):
        with pytest.raises(ValueError, match="A tile's side"):
            answer(0, tile)
