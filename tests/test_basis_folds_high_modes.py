"""Folded coefficients, synthesised, are the values at the cell centres of all the modes' sum."""

import math

import pytest
import torch
from functions import grid, seeds, values
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from inftydiff.operators import cosine_synthesis
from inftydiff.operators.basis import cosine_modes, fold


@given(modes=st.integers(1, 40), count=st.integers(1, 9), seed=seeds)
def test_one_axis(modes, count, seed):
    on = grid(count)
    c, scale = values(seed, modes), on.cell_volume**0.5
    direct = cosine_modes(on.axis(0), modes, on.domain.lengths[0]) @ c
    assert_close(cosine_synthesis(fold(c, 0, count), [0]) / scale, direct, rtol=0, atol=1e-11)


@given(seed=seeds)
def test_the_axes_fold_one_after_the_other(seed):
    on, c = grid(3, 4), values(seed, 2, 7, 11)
    first, second = (cosine_modes(on.axis(a), c.shape[a + 1], on.domain.lengths[a]) for a in (0, 1))
    folded = fold(fold(c, 1, 3), 2, 4)
    assert_close(
        cosine_synthesis(folded, [1, 2]) / on.cell_volume**0.5,
        torch.einsum("ik,jl,ckl->cij", first, second, c),
        rtol=0,
        atol=1e-11,
    )


@pytest.mark.parametrize("count", [1, 2, 5])
def test_named_modes(count):
    modes = torch.eye(4 * count + 1, dtype=torch.float64)
    folded = fold(modes, 1, count)
    low = torch.eye(count, dtype=torch.float64)
    assert_close(folded[:count], low)
    assert not folded[count].any()
    assert not folded[3 * count].any()
    assert_close(folded[2 * count], -math.sqrt(2) * low[0])
    for k in range(1, count):
        assert_close(folded[2 * count - k], -low[k])
        assert_close(folded[2 * count + k], -low[k])
        assert_close(folded[4 * count - k], low[k])
    assert_close(folded[4 * count], math.sqrt(2) * low[0])
