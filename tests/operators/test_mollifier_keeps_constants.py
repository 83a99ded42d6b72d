"""The mollifier keeps constants and integrals, and decays each mode by its own factor.

An absorbing side swallows both: there a constant, and every positive function, loses mass.
"""

import math

from functions import boundaries, function, grid, seeds, shapes
from hypothesis import given
from hypothesis import strategies as st
from torch import full, ones
from torch.testing import assert_close

from inftydiff.operators import Function, gaussian_mollifier
from inftydiff.operators.basis import eigenbasis

widths = st.floats(1e-3, 3.0)
closed = st.tuples(*[st.sampled_from(["reflecting", "periodic"])] * 3)


@given(shape=shapes, names=closed, width=widths, value=st.floats(-10.0, 10.0))
def test_constants(shape, names, width, value):
    on = grid(*shape, boundary=names)
    f = Function(on, full((on.size, 2), value).double())
    assert_close(gaussian_mollifier(width)(f).values, f.values, rtol=0, atol=1e-13)


@given(shape=shapes, names=closed, width=widths, seed=seeds)
def test_integrals(shape, names, width, seed):
    on = grid(*shape, boundary=names)
    f = function(on, seed, 2)
    assert_close(gaussian_mollifier(width)(f).integral(), f.integral(), rtol=0, atol=1e-13)


@given(shape=shapes, names=boundaries, width=st.floats(0.1, 1.0))
def test_absorbing_sides_take_mass(shape, names, width):
    on = grid(*shape, boundary=("absorbing", *names[1:]))
    f = Function(on, ones(on.size, 1).double())
    assert gaussian_mollifier(width)(f).integral().item() < 0.97 * f.integral().item()


WAVES = {
    "reflecting": lambda k: math.pi * k,
    "absorbing": lambda k: math.pi * (k + 1),
    "periodic": lambda k: 2 * math.pi * ((k + 1) // 2),
}


@given(names=boundaries, width=st.floats(1e-3, 1.0), k=st.integers(0, 8), m=st.integers(0, 8))
def test_one_mode(names, width, k, m):
    on = grid(12, 9, boundary=names)
    modes = eigenbasis(on.domain).modes(on.points, (9, 9))
    mode = Function(on, modes[:, [9 * k + m]])
    eigenvalue = WAVES[names[0]](k) ** 2 + (WAVES[names[1]](m) / 0.7) ** 2
    expected = math.exp(-0.5 * width**2 * eigenvalue) * mode.values
    assert_close(gaussian_mollifier(width)(mode).values, expected, rtol=0, atol=1e-13)
