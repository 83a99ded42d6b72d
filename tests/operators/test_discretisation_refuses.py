"""Boxes and discretisations refuse bad input, naming what was got and what to do."""

import math

import jaxtyping
import pytest
import torch

from inftydiff.operators import Box, Grid, Scattered, Subset
from inftydiff.operators.domain import Point

GRID, POINTS = Grid((2, 3)), torch.tensor([[0.1, 0.2], [0.3, 0.4]])


@pytest.fixture(autouse=True)
def _as_shipped(monkeypatch):
    """Without the test suite's own type checks, which would refuse some of this first."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


@pytest.mark.parametrize("side", [0.0, -1.0, math.nan, math.inf])
def test_sides_of_a_box(side):
    with pytest.raises(ValueError, match=r"side length must be a finite number above 0; got"):
        Box((1.0, side))


def test_a_box_without_sides():
    with pytest.raises(ValueError, match="at least one side length; got none"):
        Box(())


def test_boundaries_of_a_box():
    with pytest.raises(ValueError, match="boundary must be one of 'reflecting', 'per.* got 'open'"):
        Box((1.0,), "open")
    with pytest.raises(ValueError, match="got 3 boundaries for 2 axes"):
        Box((1.0, 1.0), ("reflecting",) * 3)
    with pytest.raises(ValueError, match="boundary must be one of .* got 'mixed'"):
        Box((1.0, 1.0), ("periodic", "mixed"))


@pytest.mark.parametrize("cells", [0, -3, 2.5])
def test_cells_of_a_grid(cells):
    with pytest.raises(ValueError, match=r"number of cells must be a whole number of at least 1"):
        Grid((4, cells))


def test_axes_of_a_grid():
    with pytest.raises(ValueError, match="at least one axis; got none"):
        Grid(())
    with pytest.raises(ValueError, match="got 1 numbers for a domain of 2 axes"):
        Grid((4,), Box((1.0, 1.0)))


def test_other_grids_on_a_point():
    with pytest.raises(ValueError, match="got 1 numbers for a domain of 0 axes"):
        Grid((1,), Point())
    with pytest.raises(ValueError, match="got 0 numbers for a domain of 2 axes"):
        Grid((), Box((1.0, 1.0)))
    with pytest.raises(ValueError, match="have 2 coordinates; the domain has 0 axes"):
        Scattered(POINTS, domain=Point())


@pytest.mark.parametrize("shape", [(0, 2), (0, 0), (2,), (1, 1, 1, 2)])
def test_shapes_of_scattered_points(shape):
    with pytest.raises(ValueError, match=r"\(points, dim\) or \(batch, points, dim\)"):
        Scattered(torch.zeros(shape))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_scattered_points_that_are_not_finite(bad):
    with pytest.raises(ValueError, match=r"points of a Scattered must be finite; got 1"):
        Scattered(torch.tensor([[0.1], [bad]]))


@pytest.mark.parametrize("outside", [-0.01, 1.01])
def test_scattered_points_outside_the_box(outside):
    with pytest.raises(ValueError, match=r"1 points lie outside the box with sides \(1.0, 1.0\)"):
        Scattered(torch.tensor([[0.1, 0.2], [0.5, outside]]))
    Scattered(torch.tensor([[0.0, 1.0]]))


def test_scattered_points_of_another_dimension():
    with pytest.raises(ValueError, match="have 2 coordinates; the domain has 1 axes"):
        Scattered(POINTS, domain=Box((1.0,)))


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([0.5, math.nan], r"weights of a Scattered must be finite"),
        ([0.5, 0.5, 0.5], r"must have shape \(2,\), one a point; got \(3,\)"),
        ([1.5, -0.5], "must not be negative, nor all zero"),
        ([0.0, 0.0], "must not be negative, nor all zero"),
    ],
)
def test_weights_of_scattered_points(weights, message):
    with pytest.raises(ValueError, match=message):
        Scattered(POINTS, torch.tensor(weights))


def test_weights_of_one_sample_that_are_all_zero():
    with pytest.raises(ValueError, match="nor all zero"):
        Scattered(POINTS.expand(2, 2, 2), torch.tensor([[1.0, 0.0], [0.0, 0.0]]))


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ([0, 6], "has indices 0 to 5; got 0 to 6"),
        ([-1, 2], "has indices 0 to 5; got -1 to 2"),
        ([3, 0, 3], "names each point once"),
        ([[0, 1], [2, 2]], "names each point once"),
        (list(range(7)), "cannot be larger than its grid: 7 points of 6"),
        ([[[0]]], r"\(points,\) or \(batch, points\) with at least one point"),
    ],
)
def test_indices_of_a_subset(index, message):
    with pytest.raises(ValueError, match=message):
        Subset(GRID, torch.tensor(index))


def test_an_empty_subset():
    with pytest.raises(ValueError, match="at least one point"):
        Subset(GRID, torch.zeros(0, dtype=torch.int64))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bool, torch.uint8])
def test_dtypes_of_a_subset(dtype):
    with pytest.raises(TypeError, match="index must be integer; got torch"):
        Subset(GRID, torch.zeros(1, dtype=dtype))
