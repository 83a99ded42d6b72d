"""The average is, node by node, the sum of its definition, for every kind of source."""

import pytest
import torch
from functions import KINDS, discretisation, function, grid, kinds, seeds, shapes
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from inftydiff.operators import Function, Grid, KernelSmoother, Scattered
from inftydiff.operators import _windows as windows


def by_definition(f: Function, target: Grid, width: float) -> torch.Tensor:
    rows = []
    for values, points, weights in zip(
        f.values,
        f.on.points.expand(*f.batch, -1, -1),
        f.on.weights.expand(*f.batch, -1),
        strict=True,
    ):
        squares = ((target.points[:, None] - points[None]) ** 2).sum(-1)
        window = weights * (-0.5 * squares / width**2).exp()
        rows.append(window @ values / window.sum(1, keepdim=True))
    return torch.stack(rows)


@given(shape=shapes, kind=kinds, seed=seeds, width=st.floats(0.2, 5.0), data=st.data())
def test_against_the_definition(shape, kind, seed, width, data):
    nodes = data.draw(st.tuples(*(st.integers(1, 5) for _ in shape)))
    f = function(discretisation(kind, grid(*shape), seed), seed, 3)
    result = KernelSmoother(f.on, grid(*nodes), width)(f)
    assert result.on == grid(*nodes)
    assert_close(result.values, by_definition(f, grid(*nodes), width), rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", ["points", "clouds"])
def test_many_pieces_are_one(kind, monkeypatch):
    f = function(discretisation(kind, grid(5, 6), 0), 0, 3)
    average = KernelSmoother(f.on, grid(4, 7), 0.3)
    whole, back = average(f), average.adjoint(average(f))
    monkeypatch.setattr(windows, "CHUNK", 100)
    pieces = KernelSmoother(f.on, grid(4, 7), 0.3)
    assert_close(pieces(f).values, whole.values)
    assert_close(pieces.adjoint(whole).values, back.values)


@pytest.mark.parametrize("kind", KINDS)
def test_points_of_weight_zero_are_not_there(kind):
    on = discretisation(kind, grid(3, 4), 0)
    f = function(on, 0, 3)
    more = torch.cat([on.points.expand(3, -1, -1), grid(2, 2).points.expand(3, -1, -1)], 1)
    weights = torch.cat([on.weights.expand(3, -1), torch.zeros(3, 4)], 1)
    padded = Scattered(more, weights, on.domain)
    values = torch.cat([f.values, torch.full((3, 4, 2), 1e6)], 1)
    expected = KernelSmoother(on, grid(2, 3), 0.3)(f).values
    result = KernelSmoother(padded, grid(2, 3), 0.3)(Function(padded, values)).values
    assert_close(result, expected, rtol=0, atol=1e-12)
