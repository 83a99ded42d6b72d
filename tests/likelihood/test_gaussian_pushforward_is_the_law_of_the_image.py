"""The pushforward under A has the mean Aμ and the covariance A C Aᵀ."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inftydiff import (
    Function,
    GaussianMeasure,
    Grid,
    Identity,
    Scattered,
    Subset,
    WhiteNoise,
    gaussian_mollifier,
)
from inftydiff.operators import Interpolation
from inftydiff.operators.covariance import bessel
from inftydiff.operators.domain import BOUNDARIES
from inftydiff.testing.strategies import grids, seeds

T = gaussian_mollifier(0.15)
OPERATORS = {
    "mollifier": T,
    "bessel": bessel(1.3, 0.4),
    "sum": 0.5 * Identity() - T,
    "composition": T @ bessel(0.7) @ T,
}


def matrix(operator, grid: Grid) -> torch.Tensor:
    return operator(Function(grid, torch.eye(grid.size, dtype=torch.float64))).values


@given(
    grid=grids(most=16, boundaries=BOUNDARIES),
    name=st.sampled_from(sorted(OPERATORS)),
    seed=seeds(),
)
def test_mean_and_covariance_of_a_white_part(grid: Grid, name: str, seed: int):
    """Fields without decay have the grid's modes, so the grid's matrices are the operators."""
    A, F = OPERATORS[name], bessel(0.8) + 0.2 * Identity()
    generator = torch.Generator().manual_seed(seed)
    mean = Function(grid, torch.randn(grid.size, 2, generator=generator, dtype=torch.float64))
    pushed = GaussianMeasure(mean, F, WhiteNoise(0.6)).pushforward(A)
    a, f = matrix(A, grid), matrix(F, grid)
    torch.testing.assert_close(pushed.mean.values, a @ mean.values, rtol=0, atol=1e-11)
    if name in ("bessel", "sum"):
        expected = 0.36 * a @ f @ f.mT @ a.mT / grid.cell_volume
        scale = 1e-11 * expected.abs().max().item()
        torch.testing.assert_close(pushed.covariance(grid), expected, rtol=0, atol=scale)


@given(seed=seeds())
def test_its_samples_are_images_of_samples_read_after(seed: int):
    measure = GaussianMeasure(None, T, WhiteNoise(0.6))
    there = Scattered(torch.rand(5, 2, generator=torch.Generator().manual_seed(seed)))
    draws = {"batch": 2, "channels": 1}
    pushed = measure.pushforward(T).sample(
        there, generator=torch.Generator().manual_seed(seed), **draws
    )
    field = measure.draw(
        there.domain, generator=torch.Generator().manual_seed(seed), batch=2, channels=1
    )
    torch.testing.assert_close(pushed.values, T(field)(there).values)


def test_two_pushforwards_are_one_of_the_composition():
    measure = GaussianMeasure(None, T, WhiteNoise())
    grid = Grid((4, 5))
    twice = measure.pushforward(T).pushforward(bessel(1.0))
    once = measure.pushforward(bessel(1.0) @ T)
    torch.testing.assert_close(twice.mode_variances(grid), once.mode_variances(grid))


def test_operators_that_are_not_spectral_are_refused():
    grid = Grid((4,))
    measure = GaussianMeasure(None, T, WhiteNoise())
    with pytest.raises(TypeError, match="spectral operator; got Interpolation.*condition"):
        measure.pushforward(Interpolation(grid, grid))


def test_a_mean_without_a_full_grid_is_refused():
    subset = Subset(Grid((4,)), torch.tensor([0, 2]))
    measure = GaussianMeasure(Function(subset, torch.ones(2, 1)), T, WhiteNoise())
    with pytest.raises(ValueError, match="on a Grid; got Subset"):
        measure.pushforward(T)
