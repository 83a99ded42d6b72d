"""⟨A f, g⟩ = ⟨f, A* g⟩ in the weighted inner products, for every transfer and kind of points."""

import pytest
import torch
from functions import KINDS, discretisation, function, grid, kinds, seeds
from hypothesis import given
from torch.testing import assert_close

from inftydiff.operators import (
    Function,
    Interpolation,
    KernelSmoother,
    NearestNeighbours,
    Scattered,
)
from inftydiff.testing.dense import matrix_of

FINE, NODES = grid(4, 5), grid(3, 2)


def transfers(kind: str, seed: int) -> list[Interpolation | KernelSmoother | NearestNeighbours]:
    on = discretisation(kind, FINE, seed)
    return [Interpolation(NODES, on), KernelSmoother(on, NODES, 0.3), NearestNeighbours(on, NODES)]


@given(kind=kinds, seed=seeds)
def test_dot_products(kind, seed):
    for A in transfers(kind, seed):
        f, g = function(A.source, seed, 3), function(A.target, seed + 1, 3)
        assert_close(A(f).inner(g), f.inner(A.adjoint(g)), rtol=0, atol=1e-11)
        assert A.adjoint.adjoint is A


@pytest.mark.parametrize("kind", KINDS)
def test_dense_matrices(kind):
    for A in transfers(kind, 0):
        a, back = matrix_of(A, A.source, batch=3), matrix_of(A.adjoint, A.target, batch=3)
        weighted = A.target.weights.unsqueeze(-1) * a / A.source.weights.unsqueeze(-2)
        assert_close(back, weighted.mT.expand_as(back), rtol=0, atol=1e-12)
        f = function(A.target, 0, 3)
        assert_close(A.transpose_values(f.values), a.mT @ f.values, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", [KernelSmoother, NearestNeighbours])
def test_points_of_weight_zero(kind):
    on = discretisation("points", FINE, 0)
    weights = on.weights * (torch.arange(on.size) % 3 > 0)
    source = Scattered(on.points, weights, on.domain)
    A = (
        KernelSmoother(source, NODES, 0.3)
        if kind is KernelSmoother
        else NearestNeighbours(source, NODES)
    )
    f, g = function(source, 0), function(NODES, 1)
    back = A.adjoint(g)
    assert_close(A(f).inner(g), f.inner(back), rtol=0, atol=1e-12)
    assert not back.values[weights == 0].any()
    hidden = torch.where(weights[:, None] > 0, f.values, 1e6)
    assert_close(A(Function(source, hidden)).values, A(f).values)
