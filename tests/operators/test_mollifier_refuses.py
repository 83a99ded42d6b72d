"""Mollifier and Wiener filter refuse what they cannot act on, and say why."""

import math

import jaxtyping
import pytest
from functions import discretisation, function, grid

from inftydiff.operators import Identity, gaussian_mollifier, wiener_inverse

BAD = [0.0, -0.1, math.nan, math.inf]


@pytest.fixture(autouse=True)
def _as_shipped(monkeypatch):
    """Without the test suite's own type checks, which would refuse some of this first."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


@pytest.mark.parametrize("width", BAD)
def test_widths(width):
    with pytest.raises(ValueError, match=r"width of a Gaussian mollifier must be .* above 0"):
        gaussian_mollifier(width)


@pytest.mark.parametrize("ratio", BAD)
def test_noise_to_signal(ratio):
    with pytest.raises(ValueError, match=r"noise-to-signal ratio .* must be .* above 0"):
        wiener_inverse(gaussian_mollifier(0.1), noise_to_signal=ratio)


def test_wiener_of_another_operator():
    with pytest.raises(TypeError, match=r"inverts a spectral operator.*Identity"):
        wiener_inverse(Identity())


@pytest.mark.parametrize("kind", ["subset", "subsets", "points", "clouds"])
def test_functions_off_a_grid(kind):
    on = discretisation(kind, grid(4, 4), 0)
    with pytest.raises(ValueError, match=r"acts on a function on a Grid.*then restrict"):
        gaussian_mollifier(0.1)(function(on, 0, 3))


def test_bare_tensors():
    with pytest.raises(TypeError, match="acts on a Function or a random field; got Tensor"):
        gaussian_mollifier(0.1)(grid(4).points)
