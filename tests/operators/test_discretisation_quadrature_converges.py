"""The weighted sums converge to integrals: at order two on grids, at m^(-½) on random points."""

import itertools
import math

import pytest
import torch
from functions import grid, seeds, values
from hypothesis import given
from torch.testing import assert_close

from inftydiff.operators import Box, Function, Grid, Scattered, Subset

BOX = Box((1.0, 0.7))
INTEGRAL = (math.e - 1) * (1 - math.exp(-1.4)) / 2


def smooth(points: torch.Tensor) -> torch.Tensor:
    return (points[..., :1] - 2 * points[..., 1:]).exp()


def error(n: int) -> float:
    on = Grid((n, n), BOX)
    return abs(Function(on, smooth(on.points)).integral().item() - INTEGRAL)


@pytest.mark.parametrize("n", [8, 16, 32])
def test_order_two_on_grids(n):
    assert 3.9 < error(n) / error(2 * n) < 4.1


@given(seed=seeds)
def test_affine_functions_are_exact_on_grids(seed):
    on, slope = grid(3, 5, 2), values(seed, 3, 1)
    centre = torch.tensor(on.domain.lengths, dtype=torch.float64) / 2
    expected = on.domain.volume * (centre @ slope + 1.0)
    assert_close(Function(on, on.points @ slope + 1.0).integral(), expected)


@pytest.mark.parametrize("size", [1, 2, 4])
def test_the_mean_over_all_subsets_is_the_sum_over_the_grid(size):
    on = grid(2, 3)
    f = Function(on, values(0, on.size, 2))
    index = torch.tensor(list(itertools.combinations(range(on.size), size)))
    parts = f.restrict(Subset(on, index)).integral()
    assert_close(parts.mean(0), f.integral())


def test_monte_carlo_on_scattered_points():
    generator = torch.Generator().manual_seed(0)
    sides = torch.tensor(BOX.lengths, dtype=torch.float64)
    points = torch.rand(64, 1024, 2, generator=generator, dtype=torch.float64) * sides
    values = smooth(points)
    errors = Function(Scattered(points, domain=BOX), values).integral() - INTEGRAL
    deviation = (BOX.volume**2 * values.var() / 1024).sqrt()
    assert abs(errors.mean()) < 5 * deviation / 8
    assert abs(errors.std() / deviation - 1) < 5 / math.sqrt(2 * 63)
