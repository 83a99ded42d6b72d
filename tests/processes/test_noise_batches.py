"""A draw takes one seed, and a sample and a channel do not depend on how many others there are."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inftydiff import Box, GaussianMeasure, Grid, Identity, WhiteNoise, gaussian_mollifier
from inftydiff.testing.strategies import seeds

GRID = Grid((6, 5), Box((1.0, 2.0)))


def read(operator, seed: int, batch: int, channels: int, grid: Grid = GRID) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    draw = WhiteNoise().draw(grid.domain, batch=batch, channels=channels, generator=generator)
    return operator(draw)(grid, dtype=torch.float64).values


@pytest.mark.parametrize("operator", [Identity(), gaussian_mollifier(0.1)], ids=["I", "T"])
@given(seed=seeds(), few=st.integers(1, 4), more=st.integers(0, 5))
def test_a_batch_is_the_beginning_of_a_larger_one(operator, seed: int, few: int, more: int):
    small, large = read(operator, seed, few, 2), read(operator, seed, few + more, 2)
    assert torch.equal(large[:few], small)


@pytest.mark.parametrize("operator", [Identity(), gaussian_mollifier(0.1)], ids=["I", "T"])
@given(seed=seeds(), few=st.integers(1, 3), more=st.integers(0, 4))
def test_the_first_channels_do_not_depend_on_the_others(operator, seed: int, few: int, more: int):
    small, large = read(operator, seed, 2, few), read(operator, seed, 2, few + more)
    assert torch.equal(large[..., :few], small)


@given(seed=seeds())
def test_batch_four_is_the_first_half_of_batch_eight(seed: int):
    measure = GaussianMeasure(None, gaussian_mollifier(0.2), WhiteNoise())
    four, eight = (
        measure.sample(
            GRID, batch=batch, channels=3, generator=torch.Generator().manual_seed(seed)
        ).values
        for batch in (4, 8)
    )
    assert torch.equal(eight[:4], four)


@given(seed=seeds(), batch=st.integers(1, 9), channels=st.integers(1, 4))
def test_a_draw_takes_one_seed_from_the_generator(seed: int, batch: int, channels: int):
    used, expected = (torch.Generator().manual_seed(seed) for _ in range(2))
    WhiteNoise().draw(GRID.domain, batch=batch, channels=channels, generator=used)
    torch.randint(0, 2**63 - 1, (), generator=expected)
    assert torch.equal(used.get_state(), expected.get_state())


@given(seed=seeds())
def test_draws_in_succession_and_samples_and_channels_all_differ(seed: int):
    generator = torch.Generator().manual_seed(seed)
    noise = WhiteNoise()
    fields = [noise.draw(GRID.domain, batch=2, channels=2, generator=generator) for _ in range(3)]
    flat = torch.stack([f(GRID, dtype=torch.float64).values.mT.flatten(0, 1) for f in fields])
    flat = flat.flatten(0, 1)
    assert len(flat.unique(dim=0)) == len(flat)


def test_the_global_random_state_is_not_touched():
    before = torch.get_rng_state()
    read(gaussian_mollifier(0.1), seed=0, batch=2, channels=2)
    assert torch.equal(torch.get_rng_state(), before)
