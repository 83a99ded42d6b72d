"""Synthesis is both the inverse and the transpose of analysis."""

from functions import seeds, values
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from inftydiff.operators import cosine_analysis, cosine_synthesis

shapes = st.tuples(st.integers(1, 3), st.integers(1, 12), st.integers(1, 12))


@given(shape=shapes, seed=seeds)
def test_inverse(shape, seed):
    x = values(seed, *shape)
    assert_close(cosine_synthesis(cosine_analysis(x, [1, 2]), [1, 2]), x, rtol=0, atol=1e-13)
    assert_close(cosine_analysis(cosine_synthesis(x, [1, 2]), [1, 2]), x, rtol=0, atol=1e-13)


@given(shape=shapes, seed=seeds)
def test_transpose(shape, seed):
    x, c = values(seed, *shape), values(seed + 1, *shape)
    assert_close(
        (cosine_analysis(x, [1, 2]) * c).sum(),
        (x * cosine_synthesis(c, [1, 2])).sum(),
        rtol=0,
        atol=1e-11,
    )
