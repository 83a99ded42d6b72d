"""Far from the sides, filtered unit white noise has the Matérn or squared exponential covariance.

On a periodic box the covariance is the sum of the kernel over all images; on a reflecting box, over
the mirror images too.
"""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from inftydiff import Box, GaussianMeasure, Scattered, WhiteNoise
from inftydiff.operators import SpectralOperator
from inftydiff.operators.covariance import (
    BesselMultiplier,
    MaternMultiplier,
    matern,
    squared_exponential,
)


def matern_kernel(r: np.ndarray, nu: float, length: float) -> np.ndarray:
    z = np.maximum(math.sqrt(2 * nu) * r / length, 1e-9)
    return 2 ** (1 - nu) / special.gamma(nu) * z**nu * special.kv(nu, z)


def covariance(factor: SpectralOperator, points: torch.Tensor, box: Box, intensity: float = 1.0):
    measure = GaussianMeasure(None, factor, WhiteNoise(intensity))
    return measure.covariance(Scattered(points, domain=box)).numpy()


def images(points: torch.Tensor, box: Box, kernel) -> np.ndarray:
    """The kernel summed over the images of the second point, periodic or mirrored."""
    x = points.numpy()
    total = np.zeros((len(x), len(x)))
    shifts = itertools.product((-1, 0, 1), repeat=box.dim)
    mirrors = [(1, -1) if b == "reflecting" else (1,) for b in box.boundaries]
    for shift, sign in itertools.product(shifts, itertools.product(*mirrors)):
        period = np.array([2.0 if b == "reflecting" else 1.0 for b in box.boundaries])
        y = np.array(sign) * x + np.array(shift) * period * np.array(box.lengths)
        total += kernel(np.linalg.norm(x[:, None] - y[None], axis=-1))
    return total


def some_points(box: Box, seed: int, number: int = 5) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    unit = torch.rand(number, box.dim, dtype=torch.float64, generator=generator)
    return unit * torch.tensor(box.lengths, dtype=torch.float64)


BOXES = [
    Box((1.0,), "periodic"),
    Box((1.5,), "reflecting"),
    Box((1.0, 0.8), ("periodic", "reflecting")),
]


@pytest.mark.parametrize("box", BOXES, ids=lambda box: "-".join(box.boundaries))
@given(nu=st.floats(1.5, 4.0), std=st.floats(0.2, 3.0), seed=st.integers(0, 2**31))
def test_matern(box: Box, nu: float, std: float, seed: int):
    length = 0.06 if box.dim == 1 else 0.1
    reach = (1e-6) ** (-0.5 / nu) * math.sqrt(2 * nu) / length  # leaves out about 1e-6
    factor = matern(nu, length, dim=box.dim, std=std, cutoff=min(reach, 4000.0))
    points = some_points(box, seed)
    expected = std**2 * images(points, box, lambda r: matern_kernel(r, nu, length))
    np.testing.assert_allclose(covariance(factor, points, box), expected, atol=1e-5 * std**2)


def test_matern_in_three_dimensions():
    box, nu, length = Box((1.0, 1.0, 1.0), "periodic"), 3.5, 0.25
    points = torch.tensor([[0.5, 0.5, 0.5], [0.5, 0.4, 0.6]], dtype=torch.float64)
    factor = matern(nu, length, dim=3, cutoff=180.0)
    expected = images(points, box, lambda r: matern_kernel(r, nu, length))
    np.testing.assert_allclose(covariance(factor, points, box), expected, atol=1e-4)


def test_smoothness_one_half_is_the_exponential_covariance():
    box = Box((1.0,), "periodic")
    points = some_points(box, 0)
    factor = matern(0.5, 0.05, dim=1, cutoff=1e6)
    expected = images(points, box, lambda r: np.exp(-r / 0.05))
    np.testing.assert_allclose(covariance(factor, points, box), expected, atol=2e-5)


@pytest.mark.parametrize("box", [*BOXES, Box((1.0,) * 3, "periodic")], ids=str)
@given(length=st.floats(0.06, 0.1), std=st.floats(0.2, 3.0), seed=st.integers(0, 2**31))
def test_squared_exponential(box: Box, length: float, std: float, seed: int):
    points = some_points(box, seed)
    factor = squared_exponential(length, dim=box.dim, std=std)
    expected = std**2 * images(points, box, lambda r: np.exp(-0.5 * (r / length) ** 2))
    actual = covariance(factor, points, box, intensity=2.0) / 4.0
    np.testing.assert_allclose(actual, expected, atol=1e-9 * std**2)


@given(dim=st.integers(1, 3), std=st.floats(0.1, 3.0), waves=st.floats(0.0, 30.0))
def test_rough_to_smooth_matern_tends_to_the_squared_exponential(
    dim: int, std: float, waves: float
):
    eigenvalue = torch.tensor([waves**2], dtype=torch.float64)
    smooth = MaternMultiplier(1e7, 0.1, dim=dim, std=std)(eigenvalue)
    limit = squared_exponential(0.1, dim=dim, std=std).multiplier(eigenvalue)
    torch.testing.assert_close(smooth, limit, rtol=1e-4, atol=0.0)


@given(order=st.floats(0.3, 6.0), length=st.floats(0.05, 2.0), waves=st.floats(0.0, 1e3))
def test_the_bessel_potential_is_a_power_of_the_helmholtz_operator(order, length, waves):
    value = BesselMultiplier(order, length)(torch.tensor([waves**2], dtype=torch.float64)).item()
    assert value == pytest.approx((1 + (length * waves) ** 2) ** (-0.5 * order), rel=1e-11)


@given(nu=st.floats(0.2, 5.0), length=st.floats(0.05, 2.0), dim=st.integers(1, 3))
def test_matern_is_a_multiple_of_a_bessel_potential(nu: float, length: float, dim: int):
    eigenvalues = torch.linspace(0.0, 1e4, 50, dtype=torch.float64)
    m = MaternMultiplier(nu, length, dim=dim)(eigenvalues)
    b = BesselMultiplier(nu + dim / 2, length / math.sqrt(2 * nu))(eigenvalues)
    torch.testing.assert_close(m / m[0], b, rtol=1e-12, atol=0.0)
