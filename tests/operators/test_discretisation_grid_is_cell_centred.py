"""A grid's points are the cell centres (i + ½) L / N in row-major order, each weighing its cell."""

import itertools
import math

import torch
from functions import grid, shapes
from hypothesis import given
from torch.testing import assert_close

from inftydiff.operators import Box, Grid


@given(shape=shapes)
def test_points_one_by_one(shape):
    on = grid(*shape)
    for p, index in enumerate(itertools.product(*map(range, shape))):
        centre = [
            (i + 0.5) * length / n
            for i, length, n in zip(index, on.domain.lengths, shape, strict=True)
        ]
        assert_close(on.points[p], torch.tensor(centre, dtype=torch.float64))
    assert on.points.shape == (on.size, len(shape))


@given(shape=shapes)
def test_weights_are_cells(shape):
    on = grid(*shape)
    assert_close(on.weights, torch.full((on.size,), math.prod(on.spacing), dtype=torch.float64))
    assert math.isclose(on.weights.sum().item(), on.domain.volume)


def test_grids_share_points_at_odd_ratios_only():
    coarse, even, odd = (Grid((n,)).points for n in (5, 10, 15))
    assert_close(odd[1::3], coarse)
    assert (coarse - even.mT).abs().min() > 0.04


def test_defaults():
    assert Grid((2, 3)).domain == Box((1.0, 1.0))
    assert Grid((2, 3), Box((2.0, 3.0))).spacing == (1.0, 1.0)


def test_the_shape_of_a_tensor_is_a_shape():
    assert Grid(torch.zeros(2, 3).shape) == Grid((2, 3))
