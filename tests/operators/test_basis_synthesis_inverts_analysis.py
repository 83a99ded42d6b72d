"""Synthesis is both the inverse and the transpose of analysis, for every boundary."""

import pytest
from functions import boundaries, grid, seeds, values
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from inftydiff.operators.basis import box, eigenbasis
from inftydiff.operators.domain import BOUNDARIES

shapes = st.lists(st.integers(1, 12), min_size=1, max_size=3)


@given(shape=shapes, names=boundaries, seed=seeds)
def test_inverse(shape, names, seed):
    basis, x = eigenbasis(grid(*shape, boundary=names).domain), values(seed, 2, *shape)
    assert_close(basis.synthesis(basis.analysis(x)), x, rtol=0, atol=1e-13)
    assert_close(basis.analysis(basis.synthesis(x)), x, rtol=0, atol=1e-13)


@given(shape=shapes, names=boundaries, seed=seeds)
def test_transpose(shape, names, seed):
    basis = eigenbasis(grid(*shape, boundary=names).domain)
    x, c = values(seed, 2, *shape), values(seed + 1, 2, *shape)
    assert_close((basis.analysis(x) * c).sum(), (x * basis.synthesis(c)).sum(), rtol=0, atol=1e-10)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_a_few_functions_at_a_time(boundary, monkeypatch):
    basis, x = eigenbasis(grid(4, 3, boundary=boundary).domain), values(0, 5, 2, 4, 3)
    coefficients, back = basis.analysis(x), basis.synthesis(x)
    monkeypatch.setattr(box, "PIECE", 36)
    assert_close(basis.analysis(x), coefficients, rtol=0, atol=1e-14)
    assert_close(basis.synthesis(x), back, rtol=0, atol=1e-14)
