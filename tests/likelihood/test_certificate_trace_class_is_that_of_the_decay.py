"""A measure is trace-class if its multiplier decays fast enough; its trace is a sum over modes."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inftydiff import (
    Box,
    Function,
    GaussianMeasure,
    Grid,
    Identity,
    LinearOperator,
    WhiteNoise,
    gaussian_mollifier,
    wiener_inverse,
)
from inftydiff.operators import SpectralOperator
from inftydiff.operators.basis import eigenbasis
from inftydiff.operators.covariance import bessel, matern, squared_exponential
from inftydiff.operators.domain import BOUNDARIES, Point
from inftydiff.operators.mollifier import truncated_gaussian_mollifier
from inftydiff.processes import _spectral_sum as spectral_sum
from inftydiff.processes.certificates import (
    NotTraceClass,
    TraceClass,
    Unknown,
    require_trace_class,
    trace_class,
)
from inftydiff.testing.strategies import boxes

T = gaussian_mollifier(0.1)


def verdict(factor: LinearOperator, domain: Box | Point, intensity: float = 1.0):
    return trace_class(GaussianMeasure(None, factor, WhiteNoise(intensity)), domain)


def test_white_noise_is_trace_class_on_a_point_only():
    for dim in (1, 2, 3):
        assert isinstance(verdict(Identity(), Box((1.0,) * dim)), NotTraceClass)
        assert isinstance(verdict(Identity() + T, Box((1.0,) * dim)), NotTraceClass)
    found = verdict(3.0 * Identity(), Point(), intensity=2.0)
    assert isinstance(found, TraceClass)
    assert found.trace == 36.0


@given(dim=st.integers(1, 4), nu=st.floats(0.01, 5.0), length=st.floats(0.05, 3.0))
def test_matern_and_heat_are_in_every_dimension(dim: int, nu: float, length: float):
    box = Box((1.0,) * dim)
    assert isinstance(verdict(matern(nu, length, dim=dim, cutoff=9.0), box), TraceClass)
    assert isinstance(verdict(gaussian_mollifier(length), box), TraceClass)


@given(dim=st.integers(1, 4), order=st.floats(0.1, 4.0))
def test_a_bessel_potential_is_above_half_the_dimension(dim: int, order: float):
    kind = TraceClass if order > dim / 2 else NotTraceClass
    assert isinstance(verdict(bessel(order), Box((1.0,) * dim)), kind)
    assert isinstance(verdict(bessel(dim / 2), Box((1.0,) * dim)), NotTraceClass)


def test_products_sums_and_multiples():
    box = Box((1.0, 1.0))
    half = bessel(0.6)
    assert isinstance(verdict(half, box), NotTraceClass)
    assert isinstance(verdict(half @ half, box), TraceClass)
    assert isinstance(verdict(T @ half, box), TraceClass)
    assert isinstance(verdict(half + T, box), NotTraceClass)
    assert isinstance(verdict(0.0 * half, box), TraceClass)
    assert isinstance(verdict(wiener_inverse(T), box), TraceClass)
    assert isinstance(verdict(wiener_inverse(half), box), NotTraceClass)


def test_a_cutoff_does_not_make_a_measure_trace_class():
    assert isinstance(verdict(bessel(0.5, cutoff=10.0), Box((1.0,))), NotTraceClass)


@pytest.mark.parametrize(
    "factor",
    [
        truncated_gaussian_mollifier(0.1, dim=1),
        T * torch.tensor([1.0, 2.0]),
        bessel(1.0) - bessel(1.0),
    ],
    ids=["oscillating", "one scale a sample", "cancelling"],
)
def test_where_the_decay_is_not_known_it_says_so(factor: LinearOperator):
    found = verdict(factor, Box((1.0,)))
    assert isinstance(found, Unknown)
    assert found.reason.endswith(".")


@given(box=boxes(most_dim=3, boundaries=BOUNDARIES), length=st.floats(0.3, 1.0))
def test_the_trace_of_a_smooth_measure_is_the_sum_over_its_modes(box: Box, length: float):
    factor = squared_exponential(length, dim=box.dim, std=1.3)
    found = verdict(factor, box, intensity=0.5)
    basis = eigenbasis(box)
    counts = basis.counts(14.0 / length)
    if math.prod(counts) == 0:
        counts = tuple(max(1, count) for count in counts)
    expected = (0.5 * factor.multiplier(basis.eigenvalues(counts))).square().sum().item()
    assert isinstance(found, TraceClass)
    assert found.trace == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@given(kappa=st.floats(0.05, 50.0), length=st.floats(0.2, 3.0))
def test_the_trace_of_the_exponential_covariance_is_a_hyperbolic_cotangent(boundary, kappa, length):
    """The sum of 1/(κ² + ω_k²) over the axis's wave numbers, in closed form."""
    periodic = length / (2 * kappa * math.tanh(kappa * length / 2))
    alternating = length / (2 * kappa * math.tanh(kappa * length))
    sides = {
        "periodic": periodic,
        "reflecting": alternating + 0.5 / kappa**2,
        "absorbing": alternating - 0.5 / kappa**2,
    }
    factor = matern(0.5, 1 / kappa, dim=1)  # m² = 2κ/(κ² + λ)
    found = verdict(factor, Box((length,), boundary))
    assert isinstance(found, TraceClass)
    assert found.trace == pytest.approx(2 * kappa * sides[boundary], rel=1e-9)


@pytest.mark.parametrize(("dim", "nu"), [(1, 0.05), (2, 0.3), (2, 1.0), (3, 0.5), (3, 2.0)])
def test_the_trace_of_rough_measures_on_a_torus_is_the_volume(dim: int, nu: float):
    """On a periodic box the variance is std² everywhere, but for e^(−κL) from the images."""
    box = Box((1.0, 1.2, 0.9)[:dim], "periodic")
    found = verdict(matern(nu, 0.02, dim=dim, std=1.5), box)
    assert isinstance(found, TraceClass)
    assert found.trace == pytest.approx(2.25 * box.volume, rel=1e-6)


@pytest.mark.parametrize(("dim", "order"), [(1, 0.6), (2, 1.2), (3, 1.9), (3, 4.0)])
@given(data=st.data())
def test_the_trace_does_not_depend_on_how_many_modes_are_summed(dim: int, order: float, data):
    """The integral takes over from the sum without a seam, on all boundaries."""
    sides = tuple(data.draw(st.sampled_from(BOUNDARIES)) for _ in range(dim))
    box, multiplier = Box((1.0, 0.7, 1.1)[:dim], sides), bessel(order, 0.3).multiplier
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spectral_sum, "MODES", 1 << 10)
        few = spectral_sum.squared_sum(multiplier, box)
        patch.setattr(spectral_sum, "MODES", 1 << 18)
        assert few == pytest.approx(spectral_sum.squared_sum(multiplier, box), rel=1e-10)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_the_trace_is_the_integral_of_the_variance(boundary: str):
    """On a grid, by quadrature of the covariance's diagonal."""
    grid = Grid((12, 10), Box((1.0, 0.8), (boundary, "reflecting")))
    measure = GaussianMeasure(None, squared_exponential(0.3, dim=2), WhiteNoise())
    found = trace_class(measure, grid.domain)
    integral = measure.covariance(grid).diagonal().sum().item() * grid.cell_volume
    assert isinstance(found, TraceClass)
    assert found.trace == pytest.approx(integral, rel=1e-9)


def test_without_a_domain_it_is_that_of_the_mean():
    box = Box((1.0, 2.0), ("periodic", "absorbing"))
    mean = Function(Grid((3, 4), box), torch.zeros(12, 1))
    for factor in (T, bessel(1.0), matern(1.5, 0.2, dim=1), Identity()):
        with_mean = GaussianMeasure(mean, factor, WhiteNoise())
        assert trace_class(with_mean) == trace_class(with_mean, box)


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_without_mean_and_domain_it_is_the_unit_box_of_the_factor(dim: int):
    box = Box((1.0,) * dim)
    smooth = squared_exponential(0.2, dim=dim)
    assert trace_class(GaussianMeasure(None, smooth, WhiteNoise())) == verdict(smooth, box, 1.0)
    own = matern(0.7, 0.2, dim=dim)
    for factor in (own, 2.0 * own, T @ own, own + T, own @ own, wiener_inverse(own)):
        found = trace_class(GaussianMeasure(None, factor, WhiteNoise(0.5)))
        assert found == verdict(factor, box, 0.5)
    assert isinstance(trace_class(GaussianMeasure(None, own, WhiteNoise())), TraceClass)


@pytest.mark.parametrize(
    "factor",
    [T, bessel(3.0), matern(1, 1, dim=1) @ matern(1, 1, dim=2)],
    ids=["heat", "Bessel", "two dimensions"],
)
def test_where_nothing_tells_the_domain_it_asks_for_one(factor: LinearOperator):
    measure = GaussianMeasure(None, factor, WhiteNoise())
    found = trace_class(measure)
    assert isinstance(found, Unknown)
    assert "Pass domain=" in found.reason
    with pytest.raises(ValueError, match=r"cannot be shown to be trace-class\. .*Pass domain="):
        require_trace_class(measure)


def test_what_is_on_no_box_is_not_without_a_domain():
    for factor in (Identity(), Identity() + T, bessel(0.5)):
        assert isinstance(trace_class(GaussianMeasure(None, factor, WhiteNoise())), NotTraceClass)


def test_require_gives_the_certificate_or_one_clear_error():
    box = Box((1.0, 1.0))
    smooth = GaussianMeasure(None, T, WhiteNoise())
    assert require_trace_class(smooth, box) == trace_class(smooth, box)
    rough = GaussianMeasure(None, bessel(1.0), WhiteNoise())
    with pytest.raises(ValueError, match=r"is not trace-class.*λ\^-0\.5.*Take a smoother factor"):
        require_trace_class(rough, box)
    unknown = GaussianMeasure(None, truncated_gaussian_mollifier(0.1, dim=2), WhiteNoise())
    with pytest.raises(ValueError, match="cannot be shown to be trace-class"):
        require_trace_class(unknown, box)
    assert isinstance(T, SpectralOperator)
