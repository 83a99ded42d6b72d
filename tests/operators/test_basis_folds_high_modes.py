"""Folded coefficients, synthesised, are the values at the cell centres of all the modes' sum."""

import math

import pytest
import torch
from functions import boundaries, grid, seeds, values
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from inftydiff.operators.basis import eigenbasis
from inftydiff.operators.domain import BOUNDARIES


@pytest.mark.parametrize("boundary", BOUNDARIES)
@given(modes=st.integers(1, 40), cells=st.integers(1, 9), seed=seeds)
def test_one_axis(boundary, modes, cells, seed):
    on = grid(cells, boundary=boundary)
    basis, c = eigenbasis(on.domain), values(seed, modes)
    direct = basis.modes(on.points, (modes,)) @ c
    folded = basis.synthesis(basis.fold(c, on.shape)) / on.cell_volume**0.5
    assert_close(folded, direct, rtol=0, atol=1e-11)


@given(names=boundaries, seed=seeds, data=st.data())
def test_any_axes(names, seed, data):
    dim = data.draw(st.integers(1, 3))
    cells, modes = (data.draw(st.tuples(*[st.integers(1, n)] * dim)) for n in (5, 9))
    on = grid(*cells, boundary=names)
    basis, c = eigenbasis(on.domain), values(seed, 2, *modes)
    direct = c.flatten(1) @ basis.modes(on.points, modes).mT
    folded = basis.synthesis(basis.fold(c, on.shape)) / on.cell_volume**0.5
    assert_close(folded.flatten(1), direct, rtol=0, atol=1e-11)


@given(names=boundaries, seed=seeds, data=st.data())
def test_variances_of_independent_coefficients(names, seed, data):
    dim = data.draw(st.integers(1, 2))
    cells, modes = (data.draw(st.tuples(*[st.integers(1, n)] * dim)) for n in (5, 12))
    on = grid(*cells, boundary=names)
    basis, variances = eigenbasis(on.domain), values(seed, *modes).square()
    each = torch.eye(variances.numel()).double().reshape(-1, *modes)
    folding = basis.fold(each, on.shape).flatten(1)
    covariance = folding.mT @ (variances.reshape(-1, 1) * folding)
    expected = basis.fold_variance(variances, on.shape).flatten().diag()
    assert_close(covariance, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("cells", [1, 2, 5])
def test_named_cosines(cells):
    modes = torch.eye(4 * cells + 1, dtype=torch.float64)
    folded = eigenbasis(grid(cells).domain).fold(modes, (cells,))
    low = torch.eye(cells, dtype=torch.float64)
    assert_close(folded[:cells], low)
    assert not folded[cells].any()
    assert not folded[3 * cells].any()
    assert_close(folded[2 * cells], -math.sqrt(2) * low[0])
    for k in range(1, cells):
        assert_close(folded[2 * cells - k], -low[k])
        assert_close(folded[2 * cells + k], -low[k])
        assert_close(folded[4 * cells - k], low[k])
    assert_close(folded[4 * cells], math.sqrt(2) * low[0])


@pytest.mark.parametrize("cells", [1, 2, 5])
def test_named_sines(cells):
    modes = torch.eye(4 * cells, dtype=torch.float64)
    folded = dict(
        enumerate(eigenbasis(grid(cells, boundary="absorbing").domain).fold(modes, (cells,)), 1)
    )
    low = dict(enumerate(torch.eye(cells, dtype=torch.float64), 1))
    assert_close(folded[cells], math.sqrt(2) * low[cells])
    assert not folded[2 * cells].any()
    for k in range(1, cells):
        assert_close(folded[k], low[k])
        assert_close(folded[2 * cells - k], low[k])
        assert_close(folded[2 * cells + k], -low[k])


@pytest.mark.parametrize("cells", [1, 2, 5, 6])
def test_named_waves(cells):
    modes = torch.eye(4 * cells + 1, dtype=torch.float64)
    folded = eigenbasis(grid(cells, boundary="periodic").domain).fold(modes, (cells,))
    sine, cosine = (lambda k: folded[2 * k - 1]), (lambda k: folded[2 * k])
    low = torch.eye(cells, dtype=torch.float64)
    assert not sine(cells).any()
    assert_close(cosine(cells), -math.sqrt(2) * low[0])
    for k in range(1, (cells + 1) // 2):
        assert_close(sine(k), low[2 * k - 1])
        assert_close(cosine(k), low[2 * k])
        assert_close(sine(cells - k), sine(k))
        assert_close(cosine(cells - k), -cosine(k))
        assert_close(sine(cells + k), -sine(k))
        assert_close(cosine(cells + k), -cosine(k))
    if cells % 2 == 0:
        assert_close(sine(cells // 2), math.sqrt(2) * low[-1])
        assert not cosine(cells // 2).any()
