"""A batch is its samples one by one, and the order of the points does not matter."""

import pytest
import torch
from functions import KINDS, discretisation, function, grid
from torch.testing import assert_close

from inftydiff.operators import (
    Discretisation,
    Function,
    Interpolation,
    KernelSmoother,
    NearestNeighbours,
    Scattered,
    Subset,
)

FINE, NODES = grid(5, 6), grid(3, 4)


def transfers(on: Discretisation) -> list[Interpolation | KernelSmoother | NearestNeighbours]:
    return [Interpolation(NODES, on), KernelSmoother(on, NODES, 0.2), NearestNeighbours(on, NODES)]


def picked(on: Discretisation, which: torch.Tensor | int, axis: int) -> Discretisation:
    """Some samples of a discretisation (axis 0), or its points in another order (axis −1)."""
    which = torch.as_tensor(which)
    if isinstance(on, Subset):
        return Subset(on.grid, on.index.index_select(axis, which.reshape(-1)).squeeze(0))
    assert isinstance(on, Scattered)
    points = on.points.index_select(axis if axis == 0 else axis - 1, which.reshape(-1))
    weights = on.weights.index_select(axis, which.reshape(-1))
    return Scattered(points.squeeze(0), weights.squeeze(0), on.domain)


@pytest.mark.parametrize("kind", ["subsets", "clouds"])
@pytest.mark.parametrize("batch", [(3,), (2, 3)])
def test_samples_one_by_one(kind, batch):
    on = discretisation(kind, FINE, 0)
    for b in range(3):
        for A, one in zip(transfers(on), transfers(picked(on, b, 0)), strict=True):
            f = function(A.source, 0, *batch)
            alone = one.apply_values(f.values[..., b, :, :])
            assert_close(A(f).values[..., b, :, :], alone, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS[1:])
def test_points_in_another_order(kind):
    on = discretisation(kind, FINE, 0)
    order = torch.randperm(on.size, generator=torch.Generator().manual_seed(1))
    mixed = picked(on, order, -1)
    for A, B in zip(transfers(on), transfers(mixed), strict=True):
        f = function(A.source, 0, 3)
        if isinstance(A, Interpolation):
            assert_close(B(f).values, A(f).values[:, order], rtol=0, atol=1e-12)
        else:
            g = Function(mixed, f.values[:, order])
            assert_close(B(g).values, A(f).values, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_changed_in_place(kind):
    for A in transfers(discretisation(kind, FINE, 0)):
        f = function(A.source, 0, 3)
        before, version = f.values.clone(), f.values._version
        A.adjoint(A(f))
        assert_close(f.values, before, rtol=0, atol=0)
        assert f.values._version == version
