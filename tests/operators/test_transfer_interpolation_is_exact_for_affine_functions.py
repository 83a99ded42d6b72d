"""Interpolation is exact for affine functions between cell centres, and constant beyond them."""

import torch
from functions import discretisation, grid, kinds, seeds, shapes, values
from hypothesis import given
from torch.testing import assert_close

from inftydiff.operators import Function, Grid, Scattered, interpolate


def affine(on: Grid, slope: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """1 + slope · x, with x moved to the nearest point of the hull of the grid's centres."""
    half = torch.tensor(on.spacing, dtype=torch.float64) / 2
    sides = torch.tensor(on.domain.lengths, dtype=torch.float64)
    return 1.0 + points.maximum(half).minimum(sides - half) @ slope


@given(shape=shapes, kind=kinds, seed=seeds)
def test_everywhere(shape, kind, seed):
    source, slope = grid(*shape), values(seed, len(shape), 2)
    finer = grid(*(2 * n + 1 for n in shape))
    target = discretisation(kind, finer, seed)
    f = Function(source, affine(source, slope, source.points))
    expected = affine(source, slope, target.points)
    assert_close(interpolate(f, target).values, expected, rtol=0, atol=1e-13)


def test_corners_and_sides_of_the_box():
    source = grid(4, 3)
    f = Function(source, values(0, 12, 1))
    down, right = source.domain.lengths
    ends = torch.tensor([[0.0, 0.0], [down, 0.0], [down, right]], dtype=torch.float64)
    at = interpolate(f, Scattered(ends, domain=source.domain)).values
    assert_close(at, f.values[[0, 9, 11]])
