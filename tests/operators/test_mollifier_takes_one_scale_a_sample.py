"""A tensor of scalars multiplies each sample's mollified function by its own number."""

import torch
from functions import function, grid, seeds, shapes
from hypothesis import given
from torch.testing import assert_close

from inftydiff.operators import Function, gaussian_mollifier
from inftydiff.operators.multiplier import ScaledMultiplier
from inftydiff.operators.spectral import SpectralOperator

SCALES = torch.tensor([0.5, -2.0, 3.0], dtype=torch.float64)


@given(shape=shapes, seed=seeds)
def test_by_the_algebra_and_by_the_multiplier(shape, seed):
    on = grid(*shape)
    T, f = gaussian_mollifier(0.2), function(on, seed, 3)
    one_by_one = [T(Function(on, v)).values * c for v, c in zip(f.values, SCALES, strict=True)]
    assert_close((SCALES * T)(f).values, torch.stack(one_by_one))
    inside = SpectralOperator(ScaledMultiplier(SCALES, T.multiplier))
    assert_close(inside(f).values, torch.stack(one_by_one), rtol=0, atol=1e-13)


def test_one_function_times_several_scales():
    on = grid(4, 3)
    T, f = gaussian_mollifier(0.2), function(on, 0, 1)
    inside = SpectralOperator(ScaledMultiplier(SCALES, T.multiplier))
    expected = SCALES[:, None, None] * T(f).values
    assert_close(inside(f).values, expected, rtol=0, atol=1e-13)
    alone = inside(Function(on, f.values[0]))
    assert_close(alone.values, expected, rtol=0, atol=1e-13)
