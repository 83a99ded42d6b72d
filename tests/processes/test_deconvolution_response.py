"""Where detail survives a mollifier and its filter: the response G·W, at every output size."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import lambertw
from torch.testing import assert_close

from inftydiff.operators import Function, Grid, gaussian_mollifier, wiener_inverse
from inftydiff.operators.multiplier import ScaledMultiplier, UnitMultiplier
from inftydiff.processes.deconvolution import optimal_wiener
from inftydiff.processes.empirical import RadialSpectrum
from inftydiff.processes.spectra import multiplier_of

TRAINED = 64
NYQUIST = math.pi * TRAINED


def natural(amplitude: float) -> RadialSpectrum:
    """Variances that fall like the square of the wave number."""
    waves = torch.tensor([1e-3, 1e5], dtype=torch.float64)
    return RadialSpectrum(waves, amplitude / waves**2, None, 1e5)


def response(width: float, wave: float, *, amplitude: float, error: float) -> float:
    T = gaussian_mollifier(width)
    white = ScaledMultiplier(error, UnitMultiplier())
    W = optimal_wiener(T, data=natural(amplitude), error=white)
    return multiplier_of(W @ T)(torch.tensor([wave**2], dtype=torch.float64)).item()


@pytest.mark.parametrize("size", [128, 256])
@pytest.mark.parametrize(("ratio", "expected", "within"), [(0.78, 0.5, 0.005), (1.2, 3e-4, 5e-5)])
def test_the_constant_filter_on_any_grid(size, ratio, expected, within):
    T = gaussian_mollifier(1 / TRAINED)
    on = Grid((size,))
    wave = round(ratio * TRAINED) * math.pi
    f = Function(on, torch.cos(wave * on.points))
    kept = (wiener_inverse(T)(T(f)).inner(f) / f.inner(f)).item()
    exact = 1 / (1 + (0.05 * math.exp(0.5 * (wave / TRAINED) ** 2)) ** 2)
    assert abs(kept - exact) < 1e-12
    at = torch.tensor([(ratio * NYQUIST) ** 2], dtype=torch.float64)
    assert abs(multiplier_of(wiener_inverse(T) @ T)(at).item() - expected) < within


@given(width=st.floats(1e-3, 0.3), ratio=st.floats(1e-3, 0.5))
def test_the_constant_filter_halves_at_a_multiple_of_the_inverse_width(width, ratio):
    T = gaussian_mollifier(width)
    half = torch.tensor([2 * math.log(1 / ratio) / width**2], dtype=torch.float64)
    kept = multiplier_of(wiener_inverse(T, noise_to_signal=ratio) @ T)(half)
    assert_close(kept, torch.full_like(kept, 0.5), rtol=1e-12, atol=0)


@given(width=st.floats(1e-3, 0.1), amplitude=st.floats(1.0, 1e3), error=st.floats(1e-4, 1e-2))
def test_the_optimal_filter_halves_where_the_mollified_data_meet_the_error(width, amplitude, error):
    half = math.sqrt(lambertw(width**2 * amplitude / error).real) / width
    assert abs(response(width, half, amplitude=amplitude, error=error) - 0.5) < 1e-9


def test_a_narrower_mollifier_helps_until_the_data_themselves_meet_the_error():
    amplitude, error = 1.0, 1 / NYQUIST**2
    halves = [
        math.sqrt(lambertw(width**2 * amplitude / error).real) / width
        for width in (2 / TRAINED, 1 / TRAINED, 0.5 / TRAINED, 0.01 / TRAINED)
    ]
    assert halves == sorted(halves)
    assert halves[-1] < NYQUIST < 1.001 * halves[-1]
    for width, half in zip((2 / TRAINED, 0.5 / TRAINED), (halves[0], halves[2]), strict=True):
        assert abs(response(width, half, amplitude=amplitude, error=error) - 0.5) < 1e-9
        assert response(width, 1.2 * NYQUIST, amplitude=amplitude, error=error) < 0.5
