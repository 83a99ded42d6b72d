"""The adjoint in the weighted inner product, on grids, subsets and points with unequal weights."""

import pytest
import torch
from functions import function, scattered, seeds, subset, values
from hypothesis import given
from hypothesis import strategies as st
from local_operators import box_grid, cases, cell_of, coarse, refined, whole
from torch.testing import assert_close

from inftydiff.operators import Function, LocalOperator, Scattered
from inftydiff.testing.dense import matrix_of


@given(case=cases(whole | coarse | refined))
def test_dot_products(case):
    A = LocalOperator(case.weight, case.cell)
    f, g = Function(case.on, case.values), Function(case.on, values(0, *case.values.shape))
    assert_close(A(f).inner(g), f.inner(A.adjoint(g)), rtol=0, atol=1e-11)
    assert A.adjoint.adjoint is A


@given(case=cases(whole | coarse | refined, "grid one many points clouds", images=[1, 4]))
def test_dot_products_of_mixed_channels(case):
    A = LocalOperator(case.weight, case.cell, mixing=True)
    f = Function(case.on, case.values)
    g = Function(case.on, values(0, *case.values.shape[:-1], case.images))
    assert A(f).channels == case.images
    assert_close(A(f).inner(g), f.inner(A.adjoint(g)), rtol=0, atol=1e-11)
    assert A.adjoint.adjoint is A


@given(seed=seeds, samples=st.sampled_from([None, 3]))
def test_dot_products_on_scattered_points(seed, samples):
    on = scattered(box_grid(7, 9).domain, 12, seed, samples)
    A = LocalOperator(values(seed, 2, 3, 3), (0.1, 0.2))
    f, g = function(on, seed, 3), function(on, seed + 1, 3)
    assert_close(A(f).inner(g), f.inner(A.adjoint(g)), rtol=0, atol=1e-12)


@pytest.mark.parametrize("points", [None, 9])
def test_dense_matrices(points):
    grid = box_grid(4, 5)
    on = grid if points is None else subset(grid, points, 0)
    A = LocalOperator(values(0, 1, 5, 5), cell_of(grid, (1, 1)))
    a, back = matrix_of(A, on), matrix_of(A.adjoint, on)
    assert_close(back, a.mT, rtol=0, atol=1e-13)


def test_points_of_weight_zero():
    points = torch.tensor([[0.1], [0.15], [0.5], [0.9]])
    on = Scattered(points, torch.tensor([1.0, 0.0, 0.0, 2.0]))
    A = LocalOperator(values(0, 1, 3), 0.1)
    f, g = function(on, 0, channels=1), function(on, 1, channels=1)
    assert torch.isfinite(A.adjoint(g).values).all()
    assert_close(A(f).inner(g), f.inner(A.adjoint(g)), rtol=0, atol=1e-13)
