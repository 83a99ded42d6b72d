"""The Cameron–Martin norm of τFg is the norm of g, and dense: the root of fᵀC⁻¹f."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inftydiff import (
    Box,
    Function,
    GaussianMeasure,
    Grid,
    Identity,
    Scattered,
    WhiteNoise,
    gaussian_mollifier,
)
from inftydiff.operators.basis import eigenbasis
from inftydiff.operators.covariance import bessel, matern
from inftydiff.operators.domain import BOUNDARIES
from inftydiff.processes.equivalence import cameron_martin_norm
from inftydiff.testing.strategies import grids, seeds

FACTORS = {
    "white": Identity(),
    "heat": gaussian_mollifier(0.03),
    "matern": matern(1.5, 0.5, dim=2, cutoff=math.inf),
    "bessel": bessel(0.7, 0.3),
}
names = st.sampled_from(sorted(FACTORS))


def draw(grid: Grid, seed: int, *batch: int) -> Function:
    generator = torch.Generator().manual_seed(seed)
    shape = (*batch, grid.size, 2)
    return Function(grid, torch.randn(shape, generator=generator, dtype=torch.float64))


@given(grid=grids(most=9), name=names, intensity=st.floats(0.1, 3.0), seed=seeds())
def test_it_is_the_norm_of_what_the_factor_maps_to_the_function(grid, name, intensity, seed):
    factor, g = FACTORS[name], draw(grid, seed, 3)
    measure = GaussianMeasure(None, factor, WhiteNoise(intensity))
    norm = cameron_martin_norm(measure, factor(g) * intensity)
    torch.testing.assert_close(norm, g.norm(), rtol=1e-7, atol=0.0)


@given(
    grid=grids(most=9, boundaries=("reflecting",)),
    name=st.sampled_from(["white", "matern", "bessel"]),
    seed=seeds(),
)
def test_it_is_that_of_the_dense_covariance(grid: Grid, name: str, seed: int):
    factor = matern(1.5, 0.5, dim=grid.dim, cutoff=math.inf) if name == "matern" else FACTORS[name]
    measure = GaussianMeasure(None, factor, WhiteNoise(0.7))
    f = draw(grid, seed)
    dense = (f.values * torch.linalg.solve(measure.covariance(grid), f.values)).sum().sqrt()
    torch.testing.assert_close(cameron_martin_norm(measure, f), dense, rtol=1e-9, atol=0.0)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("size", [4, 5])
def test_the_function_is_the_band_limited_interpolant(boundary: str, size: int):
    """A mode read on a grid that has it keeps its norm ω-by-ω: here the highest of each grid."""
    grid = Grid((size,), Box((0.8,), boundary))
    basis = eigenbasis(grid.domain)
    eigenvalues = basis.eigenvalues((size,))
    modes = basis.modes(grid.points, (size,))
    factor = bessel(1.0, 0.4)
    for k in range(size):
        norm = cameron_martin_norm(
            GaussianMeasure(None, factor, WhiteNoise(2.0)),
            Function(grid, 3.0 * modes[:, k : k + 1]),
        )
        expected = 3.0 / (2.0 * factor.multiplier(eigenvalues)[k])
        torch.testing.assert_close(norm, expected, rtol=1e-10, atol=0.0)


def test_it_does_not_know_the_cutoff_and_is_infinite_where_nothing_varies():
    f = draw(Grid((40,)), 0)
    cut, whole = (
        GaussianMeasure(None, bessel(2.0, cutoff=wave), WhiteNoise()) for wave in (9.0, math.inf)
    )
    torch.testing.assert_close(cameron_martin_norm(cut, f), cameron_martin_norm(whole, f))
    centred = GaussianMeasure(None, Identity() - gaussian_mollifier(0.1), WhiteNoise())
    assert cameron_martin_norm(centred, Function(f.on, torch.ones(40, 1))).item() == math.inf
    wave = Function(f.on, torch.cos(math.pi * f.on.points))
    assert math.isfinite(cameron_martin_norm(centred, wave).item())


def test_refusals():
    measure = GaussianMeasure(None, Identity(), WhiteNoise())
    with pytest.raises(ValueError, match="one on a Grid; got Scattered"):
        cameron_martin_norm(measure, Function(Scattered(torch.tensor([[0.5]])), torch.ones(1, 1)))
    each = GaussianMeasure(None, Identity() * torch.tensor([1.0, 2.0]), WhiteNoise())
    with pytest.raises(ValueError, match="one scale a sample"):
        cameron_martin_norm(each, draw(Grid((3,)), 0))
