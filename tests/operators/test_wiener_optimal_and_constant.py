"""Where the error's variances are ρ² times the signal's, the optimal filter is the constant one."""

import torch
from functions import function, grid, seeds, shapes
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from inftydiff.operators import HeatMultiplier, Identity, gaussian_mollifier, wiener_inverse
from inftydiff.operators.multiplier import ScaledMultiplier, UnitMultiplier
from inftydiff.operators.wiener import OptimalWienerMultiplier
from inftydiff.processes import GaussianMeasure, WhiteNoise
from inftydiff.processes.deconvolution import optimal_wiener

ratios = st.floats(0.01, 2.0)
intensities = st.floats(0.1, 10.0)


@given(
    shape=shapes,
    width=st.floats(0.01, 0.3),
    rough=st.floats(0.01, 0.1),
    ratio=ratios,
    tau=intensities,
    seed=seeds,
)
def test_for_measures(shape, width, rough, ratio, tau, seed):
    T, y = gaussian_mollifier(width), function(grid(*shape), seed, 2)
    factor = gaussian_mollifier(rough) + 0.1 * Identity()
    data = GaussianMeasure(None, factor, WhiteNoise(tau))
    error = GaussianMeasure(None, ratio * factor, WhiteNoise(tau))
    constant = wiener_inverse(T, noise_to_signal=ratio)(y).values
    assert_close(
        optimal_wiener(T, data=data, error=error)(y).values, constant, rtol=1e-10, atol=1e-10
    )


@given(shape=shapes, ratio=ratios, seed=seeds)
def test_for_variances(shape, ratio, seed):
    T, y = gaussian_mollifier(0.05), function(grid(*shape), seed, 2)
    white = UnitMultiplier()
    filtered = optimal_wiener(T, data=white, error=ScaledMultiplier(ratio**2, white))(y)
    assert_close(
        filtered.values, wiener_inverse(T, noise_to_signal=ratio)(y).values, rtol=0, atol=1e-10
    )


def test_for_spectra_that_underflow():
    heat = HeatMultiplier(1.0)
    W = OptimalWienerMultiplier(HeatMultiplier(0.1), heat, ScaledMultiplier(0.0025, heat))
    eigenvalues = torch.linspace(0.0, 1400.0, 1000, dtype=torch.float64)
    constant = wiener_inverse(gaussian_mollifier(0.1)).multiplier(eigenvalues)
    assert_close(W(eigenvalues), constant, rtol=1e-10, atol=0)
    assert W.bound <= 10.1 * (1 + 1e-12)


def test_it_acts_on_compositions_of_mollifiers():
    T, y = gaussian_mollifier(0.1), function(grid(5, 6), 0, 2)
    data = GaussianMeasure(None, Identity(), WhiteNoise())
    error = GaussianMeasure(None, 0.1 * Identity(), WhiteNoise())
    twice = optimal_wiener(2.0 * T @ T, data=data, error=error)
    quarter = ScaledMultiplier(0.1**2 / 4, UnitMultiplier())
    once = optimal_wiener(gaussian_mollifier(0.1 * 2**0.5), data=data, error=quarter)
    assert_close(twice(y).values, 0.5 * once(y).values, rtol=0, atol=1e-12)
