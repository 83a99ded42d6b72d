"""The cosine transforms are scipy's orthonormal DCT-II and DCT-III, for any lengths and axes."""

import pytest
import scipy.fft
import torch
from functions import seeds, values
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from inftydiff.operators import cosine_analysis, cosine_synthesis

shapes = st.lists(st.integers(1, 9), min_size=1, max_size=4)


@pytest.mark.parametrize(
    ("transform", "reference"),
    [(cosine_analysis, scipy.fft.dctn), (cosine_synthesis, scipy.fft.idctn)],
)
@given(shape=shapes, seed=seeds, data=st.data())
def test_any_axes_of_any_lengths(transform, reference, shape, seed, data):
    axes = data.draw(st.lists(st.sampled_from(range(-len(shape), 0)), min_size=1, unique=True))
    x = values(seed, *shape)
    expected = torch.from_numpy(reference(x.numpy(), type=2, axes=axes, norm="ortho"))
    assert_close(transform(x, axes), expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("length", [1, 2, 3, 64, 81, 127, 1000, 1021])
def test_long_and_prime_lengths(length):
    x = values(length, length)
    expected = torch.from_numpy(scipy.fft.dct(x.numpy(), type=2, norm="ortho"))
    assert_close(cosine_analysis(x, [0]), expected, rtol=0, atol=1e-12)
