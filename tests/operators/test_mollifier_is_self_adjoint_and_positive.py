"""⟨T f, g⟩ = ⟨f, T g⟩ on boxes of any sides, ⟨T f, f⟩ > 0, and T shortens every function."""

from functions import boundaries, function, grid, seeds, shapes
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from inftydiff.operators import gaussian_mollifier


@given(shape=shapes, names=boundaries, width=st.floats(1e-3, 1.0), seed=seeds)
def test_self_adjoint(shape, names, width, seed):
    on = grid(*shape, boundary=names)
    T = gaussian_mollifier(width)
    f, g = function(on, seed, 3), function(on, seed + 1, 3)
    assert_close(T(f).inner(g), f.inner(T.adjoint(g)), rtol=0, atol=1e-12)
    assert_close(T(f).inner(g), f.inner(T(g)), rtol=0, atol=1e-12)


@given(shape=shapes, names=boundaries, width=st.floats(1e-3, 0.5), seed=seeds)
def test_positive_and_a_contraction(shape, names, width, seed):
    on = grid(*shape, boundary=names)
    T, f = gaussian_mollifier(width), function(on, seed, 3)
    assert (T(f).inner(f) > 0).all()
    assert (T(f).norm() <= f.norm() * (1 + 1e-14)).all()
