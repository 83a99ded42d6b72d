"""What goes from a grid to points that it shares, and back, is unchanged."""

import pytest
import torch
from functions import function, grid, seeds, shapes, subset
from hypothesis import given
from torch.testing import assert_close

from inftydiff.operators import (
    Function,
    Grid,
    KernelSmoother,
    NearestNeighbours,
    Scattered,
    Subset,
    interpolate,
)


@given(shape=shapes, seed=seeds)
def test_to_the_grid_itself(shape, seed):
    on = grid(*shape)
    f = function(on, seed, 3)
    assert_close(interpolate(f, on).values, f.values, rtol=0, atol=1e-13)
    for same in (on, Subset(on, torch.arange(on.size)), Scattered(on.points, domain=on.domain)):
        here = Function(same, f.values)
        narrow = KernelSmoother(same, on, 0.01 * min(on.spacing))
        assert_close(narrow(here).values, f.values, rtol=0, atol=1e-13)
        nearest = NearestNeighbours(same, on, k=min(3, on.size))
        assert_close(nearest(here).values, f.values, rtol=0, atol=1e-13)


@given(shape=shapes, seed=seeds)
def test_to_some_of_the_grid_s_own_points(shape, seed):
    on = grid(*shape)
    f, taken = function(on, seed, 3), subset(on, (on.size + 1) // 2, seed, 3)
    assert_close(interpolate(f, taken).values, f.restrict(taken).values, rtol=0, atol=1e-13)


@pytest.mark.parametrize("factor", [3, 5])
def test_to_a_grid_refined_by_an_odd_factor_and_back(factor):
    coarse, fine = grid(4, 5), grid(4 * factor, 5 * factor)
    f = function(coarse, 0, 2)
    there = interpolate(f, fine)
    middle = slice(factor // 2, None, factor)
    assert_close(there.to_image()[..., middle, middle], f.to_image(), rtol=0, atol=1e-13)
    assert_close(KernelSmoother(fine, coarse, 1e-3)(there).values, f.values, rtol=0, atol=1e-13)
    assert_close(NearestNeighbours(fine, coarse)(there).values, f.values, rtol=0, atol=1e-13)


def test_points_to_the_grid_and_back_keeps_a_smooth_function_in_the_middle():
    on, nodes = Grid((64, 64)), Grid((32, 32))
    f = Function(on, (on.points @ torch.tensor([[1.0], [2.0]], dtype=torch.float64)))
    taken = subset(on, on.size // 2, 0)
    back = interpolate(KernelSmoother(taken, nodes, 1 / 32)(f.restrict(taken)), taken)
    middle = ((taken.points - 0.5).abs() < 0.35).all(-1)
    assert (back.values - f.restrict(taken).values)[middle].abs().max() < 0.05
