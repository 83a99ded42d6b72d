r"""Var(Tξ) is the heat kernel's formula with all images, at every resolution, edge and corner.

For intensity :math:`\tau` and width :math:`s` on sides :math:`L_a`,

.. math:: \mathrm{Var}(T\xi)(x) = \tau^2\prod_a \frac1{2s\sqrt\pi}
          \sum_{m\in\mathbb Z}\left(e^{-(mL_a/s)^2} \pm e^{-((x_a + mL_a)/s)^2}\right),

with plus where the axis is reflecting and minus where it is absorbing; where it is periodic the sum
is over :math:`e^{-(mL_a/2s)^2}`, the same at every point.
"""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inftydiff import Box, GaussianMeasure, Grid, Scattered, WhiteNoise, gaussian_mollifier
from inftydiff.operators.domain import BOUNDARIES, unit_box
from inftydiff.testing.strategies import boxes, grids, seeds

IMAGES = torch.arange(-40, 41, dtype=torch.float64)


SIGNS = {"reflecting": 1.0, "absorbing": -1.0}


def formula(points: torch.Tensor, box: Box, width: float, intensity: float) -> torch.Tensor:
    """The variance at points of shape (points, dim)."""
    variance = torch.full(points.shape[:1], intensity**2, dtype=torch.float64)
    for axis, (length, boundary) in enumerate(zip(box.lengths, box.boundaries, strict=True)):
        x = points[:, axis : axis + 1]
        if boundary == "periodic":
            images = torch.exp(-((IMAGES * length / (2 * width)) ** 2)).expand(len(x), -1)
        else:
            images = torch.exp(-((IMAGES * length / width) ** 2))
            mirrored = torch.exp(-(((x + IMAGES * length) / width) ** 2))
            images = images + SIGNS[boundary] * mirrored
        variance = variance * images.sum(-1) / (2 * width * math.sqrt(math.pi))
    return variance


def close(found: torch.Tensor, points: torch.Tensor, box: Box, width: float, intensity: float):
    """The variances are those of the formula, to 1e-8 of those inside, also where they vanish."""
    expected = formula(points, box, width, intensity)
    inside = intensity**2 / (2 * width * math.sqrt(math.pi)) ** box.dim
    absorbing = "absorbing" in box.boundaries
    rtol, atol = (1e-8, 1e-12 * inside) if not absorbing else (0, 1e-8 * inside)
    torch.testing.assert_close(found, expected, rtol=rtol, atol=atol)


def measure(width: float, intensity: float) -> GaussianMeasure:
    return GaussianMeasure(None, gaussian_mollifier(width), WhiteNoise(intensity))


@pytest.mark.parametrize("n", [8, 16, 32])
@pytest.mark.parametrize("width", [1 / 64, 1 / 32, 0.1])
def test_on_square_grids(n: int, width: float):
    grid = Grid((n, n))
    found = measure(width, 1 / 64).covariance(grid).diagonal()
    close(found, grid.points, grid.domain, width, 1 / 64)


@pytest.mark.parametrize("n", [8, 32, 128])
def test_at_some_points_of_square_grids(n: int):
    points = Grid((n, n)).points
    some = points[torch.randperm(n * n, generator=torch.Generator().manual_seed(n))[:40]]
    corners = points[[0, 1, n - 1, n * (n // 2), n * n - 1]]
    points = torch.cat([some, corners])
    found = measure(1 / 64, 1 / 64).covariance(Scattered(points)).diagonal()
    close(found, points, unit_box(2), 1 / 64, 1 / 64)


@given(
    grid=grids(most=27, most_dim=3, boundaries=BOUNDARIES),
    cells=st.floats(0.3, 3.0),
    intensity=st.floats(0.1, 3.0),
)
def test_on_any_grid(grid: Grid, cells: float, intensity: float):
    width = max(cells * min(grid.spacing), 0.03)
    found = measure(width, intensity).covariance(grid).diagonal()
    close(found, grid.points, grid.domain, width, intensity)


@given(domain=boxes(most_dim=3, boundaries=BOUNDARIES), width=st.floats(0.1, 1.0), seed=seeds())
def test_at_any_points(domain: Box, width: float, seed: int):
    uniform = torch.rand(9, domain.dim, generator=torch.Generator().manual_seed(seed)).double()
    points = uniform * torch.tensor(domain.lengths, dtype=torch.float64)
    points[0] = 0.0
    found = measure(width, 0.3).covariance(Scattered(points, domain=domain)).diagonal()
    close(found, points, domain, width, 0.3)


def test_the_interior_the_edges_and_the_corners():
    s, tau = 1 / 64, 1 / 64
    d = 0.5 / 64
    points = torch.tensor([[0.5, 0.5], [0.5, d], [1 - d, 0.5], [d, 1 - d]], dtype=torch.float64)
    found = measure(s, tau).covariance(Scattered(points)).diagonal()
    interior = tau**2 / (4 * math.pi * s**2)
    edge = 1 + math.exp(-((d / s) ** 2))
    expected = interior * torch.tensor([1.0, edge, edge, edge**2], dtype=torch.float64)
    torch.testing.assert_close(found, expected, rtol=1e-8, atol=0)
    assert found[0].item() == pytest.approx(0.0796, abs=1e-4)
    assert edge == pytest.approx(1.78, abs=0.01)


def test_at_the_distance_d_from_an_absorbing_side():
    s, tau = 1 / 16, 0.25
    d = torch.tensor([0.0, 0.2, 0.5, 1.0, 2.0, 5.0], dtype=torch.float64) * s
    points = torch.stack([d, torch.full_like(d, 0.3)], -1)
    box = Box((1.0, 1.0), ("absorbing", "periodic"))
    found = measure(s, tau).covariance(Scattered(points, domain=box)).diagonal()
    interior = tau**2 / (4 * math.pi * s**2)
    expected = interior * (1 - torch.exp(-((d / s) ** 2)))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10 * interior)


@pytest.mark.parametrize("width", [0.02, 0.3, 2.0])
def test_on_a_torus_it_is_the_same_everywhere(width: float):
    box = Box((1.0, 0.7), "periodic")
    points = torch.rand(20, 2, generator=torch.Generator().manual_seed(0)).double() * 0.7
    points[:2] = torch.tensor([[0.0, 0.0], [1.0, 0.7]])
    found = measure(width, 0.5).covariance(Scattered(points, domain=box)).diagonal()
    torch.testing.assert_close(found, found[:1].expand(20), rtol=1e-10, atol=0)
    close(found, points, box, width, 0.5)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("n", [8, 16, 64, 128])
def test_draws_have_the_variance_at_every_resolution(n: int, boundary: str):
    width, samples = 1 / 64, 32
    grid = Grid((n, n), Box((1.0, 1.0), boundary))
    field = gaussian_mollifier(width)(
        WhiteNoise(1 / 64).draw(
            grid.domain, batch=samples, channels=1, generator=torch.Generator().manual_seed(n)
        )
    )
    found = field(grid, dtype=torch.float64).values.square().mean()
    expected = formula(grid.points, grid.domain, width, 1 / 64)
    correlated = max(1.0, 2 * math.pi * width**2 * n**2)
    spread = expected.square().mean().mul(2 * correlated / (samples * n * n)).sqrt()
    assert abs(found - expected.mean()) < 5 * spread
