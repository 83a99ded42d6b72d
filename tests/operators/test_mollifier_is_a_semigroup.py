"""Two mollifiers in turn are one: T_s T_r = T_√(s² + r²), and T_s tends to the identity."""

import math

from functions import boundaries, function, grid, seeds, shapes
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from inftydiff.operators import gaussian_mollifier

widths = st.floats(1e-3, 2.0)


@given(shape=shapes, names=boundaries, s=widths, r=widths, seed=seeds)
def test_two_in_turn(shape, names, s, r, seed):
    on = grid(*shape, boundary=names)
    f = function(on, seed, 2)
    twice = (gaussian_mollifier(s) @ gaussian_mollifier(r))(f)
    once = gaussian_mollifier(math.hypot(s, r))(f)
    assert_close(twice.values, once.values, rtol=0, atol=1e-12)


@given(shape=shapes, names=boundaries, seed=seeds)
def test_the_identity_is_its_limit(shape, names, seed):
    on = grid(*shape, boundary=names)
    f = function(on, seed, 2)
    assert_close(gaussian_mollifier(1e-9)(f).values, f.values, rtol=0, atol=1e-12)
