"""The mollifier keeps constants and integrals, and decays each mode by its own factor."""

import math

from functions import function, grid, seeds, shapes
from hypothesis import given
from hypothesis import strategies as st
from torch import full
from torch.testing import assert_close

from inftydiff.operators import Function, gaussian_mollifier
from inftydiff.operators.basis import cosine_modes

widths = st.floats(1e-3, 3.0)


@given(shape=shapes, width=widths, value=st.floats(-10.0, 10.0))
def test_constants(shape, width, value):
    on = grid(*shape)
    f = Function(on, full((on.size, 2), value).double())
    assert_close(gaussian_mollifier(width)(f).values, f.values, rtol=0, atol=1e-13)


@given(shape=shapes, width=widths, seed=seeds)
def test_integrals(shape, width, seed):
    on = grid(*shape)
    f = function(on, seed, 2)
    assert_close(gaussian_mollifier(width)(f).integral(), f.integral(), rtol=0, atol=1e-13)


@given(width=st.floats(1e-3, 1.0), k=st.integers(0, 8), m=st.integers(0, 8))
def test_one_mode(width, k, m):
    on = grid(12, 9)
    first, second = (cosine_modes(on.axis(a), 9, on.domain.lengths[a]) for a in (0, 1))
    mode = Function(on, (first[:, None, k] * second[None, :, m]).reshape(-1, 1))
    eigenvalue = (math.pi * k / on.domain.lengths[0]) ** 2 + (math.pi * m / 0.7) ** 2
    expected = math.exp(-0.5 * width**2 * eigenvalue) * mode.values
    assert_close(gaussian_mollifier(width)(mode).values, expected, rtol=0, atol=1e-13)
