"""On a refined grid, hats and taps a cell apart are one convolution with the resampled table."""

from fractions import Fraction

import pytest
import torch
from functions import seeds, values
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from inftydiff.operators.local._dense import DirectForm, lattice_hats
from inftydiff.operators.local._factorised import FactorisedForm, hats_of

factors = st.lists(st.integers(1, 4), min_size=1, max_size=3)


@pytest.mark.parametrize("images", [(), (3,)], ids=["depthwise", "mixing"])
@given(factors=factors, size=st.sampled_from([1, 3, 5, 7]), seed=seeds, data=st.data())
def test_values_and_gradients(factors, size, seed, data, images):
    if len(factors) == 3:
        size = min(size, 3)
    shape = tuple(data.draw(st.integers(1, 11 if len(factors) < 3 else 5)) for _ in factors)
    v = values(seed, 2, torch.Size(shape).numel(), 2).requires_grad_()
    weight = values(seed + 1, *images, 2, *[size] * len(shape)).requires_grad_()
    mass = 1 + values(seed + 3, v.shape[1]).abs()
    cpu = torch.device("cpu")
    hats = lattice_hats(size, tuple(map(Fraction, factors)), shape, cpu)
    direct = DirectForm(shape, hats)(v, weight, mass)
    factors = tuple(factors)
    factorised = FactorisedForm(shape, factors, hats_of(factors, cpu))(v, weight, mass)
    assert_close(factorised, direct, rtol=0, atol=1e-11)
    along = values(seed + 2, *direct.shape)
    gradients = [torch.autograd.grad(f, (v, weight), along) for f in (factorised, direct)]
    assert_close(*gradients, rtol=0, atol=1e-10)
