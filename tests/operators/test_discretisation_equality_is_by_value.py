"""Discretisations of the same points, weights and domain are equal, and equal ones hash alike."""

import pytest
import torch
from functions import KINDS, discretisation, grid

from inftydiff.operators import Box, Grid, Scattered, Subset
from inftydiff.operators.domain import Point


@pytest.mark.parametrize("kind", KINDS)
def test_made_twice(kind):
    one, other = (discretisation(kind, grid(3, 4), 0) for _ in range(2))
    assert one == other
    assert hash(one) == hash(other)


@pytest.mark.parametrize("kind", KINDS[1:])
def test_other_points(kind):
    assert discretisation(kind, grid(3, 4), 0) != discretisation(kind, grid(3, 4), 1)


def test_one_boundary_for_all_axes_is_that_boundary_for_each():
    one, each = Box((1.0, 2.0), "periodic"), Box((1.0, 2.0), ("periodic",) * 2)
    assert one == each
    assert hash(one) == hash(each)
    assert one != Box((1.0, 2.0))
    assert one != Box((1.0, 2.0), ("periodic", "absorbing"))
    assert Grid((3, 2), one) == Grid((3, 2), each)
    assert Box((1.0,)) != Point()
    assert Point() == Point()


def test_what_else_distinguishes():
    index, points = torch.tensor([0, 1]), torch.tensor([[0.1], [0.2]])
    assert Grid((4,)) != Grid((4,), Box((2.0,)))
    assert Subset(Grid((4,)), index) != Subset(Grid((5,)), index)
    assert Subset(Grid((4,)), index) != Subset(Grid((4,)), index.flip(0))
    assert Subset(Grid((4,)), index) != Subset(Grid((4,)), index[None])
    assert Scattered(points) != Scattered(points, torch.tensor([0.4, 0.6]))
    assert Scattered(points) != Scattered(points, torch.tensor([0.5, 0.5]), Box((2.0,)))
    assert Subset(Grid((4,)), torch.arange(4)) != Grid((4,))
    assert Scattered(Grid((4,)).points) != Grid((4,))
