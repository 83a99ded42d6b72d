"""The Wiener filter solves (T² + ρ²) u = T y: the least squares fit with a penalty ρ²‖u‖²."""

import pytest
import torch
from functions import function, grid, seeds, shapes
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from inftydiff.operators import (
    Function,
    Grid,
    Identity,
    LocalOperator,
    gaussian_mollifier,
    wiener_inverse,
)

ratios = st.floats(0.01, 2.0)
large = st.lists(st.integers(3, 7), min_size=1, max_size=3)


@given(shape=shapes, width=st.floats(1e-3, 0.5), ratio=ratios, seed=seeds)
def test_normal_equations(shape, width, ratio, seed):
    on = grid(*shape)
    T, y = gaussian_mollifier(width), function(on, seed, 2)
    u = wiener_inverse(T, noise_to_signal=ratio)(y)
    assert_close((T(T(u)) + ratio**2 * u).values, T(y).values, rtol=0, atol=1e-11)


@given(shape=large, ratio=ratios, seed=seeds)
def test_no_other_function_fits_better(shape, ratio, seed):
    on = grid(*shape)
    T, y = gaussian_mollifier(0.1), function(on, seed, 2)
    u = wiener_inverse(T, noise_to_signal=ratio)(y)

    def misfit(v: Function) -> torch.Tensor:
        return (T(v) - y).norm() ** 2 + (ratio * v.norm()) ** 2

    for step in (1e-2, 1.0):
        assert (misfit(u + step * function(on, seed + 1, 2)) > misfit(u)).all()


@given(shape=shapes, ratio=ratios)
def test_the_mean_is_not_renormalised(shape, ratio):
    on = grid(*shape)
    ones = Function(on, torch.ones(on.size, 1, dtype=torch.float64))
    filtered = wiener_inverse(gaussian_mollifier(0.1), noise_to_signal=ratio)(ones)
    assert_close(filtered.values, ones.values / (1 + ratio**2), rtol=0, atol=1e-13)


def test_it_inverts_what_the_mollifier_keeps():
    on = Grid((32, 32))
    smooth = gaussian_mollifier(0.2)(function(on, 0, 2))
    T = gaussian_mollifier(0.02)
    error = (wiener_inverse(T, noise_to_signal=1e-6)(T(smooth)) - smooth).norm()
    assert (error < 1e-9 * smooth.norm()).all()


@pytest.mark.parametrize("other", [Identity(), LocalOperator(torch.ones(1, 3), 0.1)])
def test_only_spectral_operators_are_inverted(other):
    with pytest.raises(TypeError, match="inverts a spectral operator"):
        wiener_inverse(other)
