"""The trace on a box of any proportions is exact, and costs no more the thinner the box is."""

import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inftydiff import Box, GaussianMeasure, WhiteNoise, gaussian_mollifier
from inftydiff.operators import eigenbasis
from inftydiff.operators.covariance import bessel, matern
from inftydiff.operators.domain import BOUNDARIES
from inftydiff.processes import TraceClass, trace_class
from inftydiff.processes._spectral_sum import squared_sum


def theta(a: np.ndarray, length: float, boundary: str) -> np.ndarray:
    """Σ exp(-a ω²) over the wave numbers of an axis, by whichever of two series converges."""
    k, a = np.arange(1, 60), np.asarray(a)[..., None]
    half = 0.5 * length if boundary == "periodic" else length
    series = np.exp(-a * (math.pi * k / half) ** 2).sum(-1)
    images = np.exp(-((k * half) ** 2) / a).sum(-1)
    dual = half / np.sqrt(math.pi * a[..., 0]) * (0.5 + images) - 0.5
    above = np.where(a[..., 0] > half**2 / math.pi, series, dual)
    return {"reflecting": 1.0 + above, "periodic": 1.0 + 2.0 * above, "absorbing": above}[boundary]


@given(
    sides=st.lists(
        st.tuples(st.floats(-4.0, 1.0), st.sampled_from(BOUNDARIES)), min_size=1, max_size=3
    ),
    width=st.floats(1e-3, 1.0),
)
def test_of_the_heat_semigroup_it_is_a_product_of_theta_functions(sides, width):
    """Σ exp(-s²λ) = Π_a Σ exp(-s²ω²), to 1e-10 of the part without absorbing sides' losses."""
    lengths, boundaries = [10.0**power for power, _ in sides], [name for _, name in sides]
    found = squared_sum(
        gaussian_mollifier(width).multiplier, Box(tuple(lengths), tuple(boundaries))
    )
    factors = [theta(width**2, *side) for side in zip(lengths, boundaries, strict=True)]
    size = math.prod(abs(factor) + 1.0 for factor in factors)
    assert found == pytest.approx(math.prod(factors), rel=1e-10, abs=1e-12 * size)


@pytest.mark.parametrize(
    "lengths", [(1.0, 1.0, 1e-3), (1.0, 2e-3, 1e-3), (0.7, 1e-4), (1.0, 0.02, 1.0)]
)
@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("order", [1.7, 3.0])
def test_of_bessel_potentials_it_is_an_integral_of_theta_functions(lengths, boundary, order):
    """(1 + ℓ²λ)^-r = ∫ t^{r-1} e^{-t} e^{-tℓ²λ} dt / Γ(r), by the trapezoidal rule in log t."""
    length = 0.3
    u = np.arange(-150.0, 5.0, 0.02)
    axes = math.prod(theta(np.exp(u) * length**2, side, boundary) for side in lengths)
    expected = (np.exp(order * u - np.exp(u)) * axes).sum() * 0.02 / math.gamma(order)
    found = squared_sum(bessel(order, length).multiplier, Box(lengths, boundary))
    assert found == pytest.approx(expected, rel=1e-9)


def test_it_is_the_sum_over_all_modes():
    """Of a few million, of a factor that leaves no more."""
    box, factor = Box((1.0, 0.6, 0.004), ("reflecting", "periodic", "reflecting")), 0.012
    multiplier = gaussian_mollifier(factor).multiplier
    basis = eigenbasis(box)
    terms = multiplier(basis.eigenvalues(basis.counts(7.0 / factor))).square()
    assert squared_sum(multiplier, box) == pytest.approx(terms.sum().item(), rel=1e-12)


@pytest.mark.parametrize("thickness", [1e-1, 1e-3, 1e-6])
def test_a_thin_box_costs_no_more(thickness: float):
    measure = GaussianMeasure(None, matern(1.5, 0.2, dim=3), WhiteNoise())
    start = time.perf_counter()
    found = trace_class(measure, Box((1.0, 1.0, thickness)))
    assert time.perf_counter() - start < 2.0
    assert isinstance(found, TraceClass)
    assert math.isfinite(found.trace)
