"""KL and W₂ of two Gaussian measures equal the formulas with dense covariance matrices."""

import math

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from inftydiff import (
    Function,
    GaussianMeasure,
    Grid,
    Identity,
    LinearOperator,
    Scattered,
    Subset,
    WhiteNoise,
    gaussian_mollifier,
)
from inftydiff.operators.basis import eigenbasis
from inftydiff.operators.covariance import bessel, matern
from inftydiff.operators.domain import BOUNDARIES, Point
from inftydiff.processes.divergence import kl_divergence, wasserstein
from inftydiff.testing.strategies import grids, seeds

FACTORS: list[LinearOperator | None] = [
    Identity(),
    bessel(0.8),
    Identity() - 0.5 * gaussian_mollifier(0.2),
    None,
    0.7 * Identity() + bessel(2.0),
]
factors = st.sampled_from(FACTORS)
"""Factors; None stands for Matérn's, which is of one dimension."""


def measure(factor: LinearOperator | None, on, seed: int, channels: int = 2) -> GaussianMeasure:
    factor = matern(0.5, 0.3, dim=on.domain.dim, cutoff=math.inf) if factor is None else factor
    generator = torch.Generator().manual_seed(seed)
    if seed % 3 == 0:
        return GaussianMeasure(None, factor, WhiteNoise(0.7))
    values = torch.randn(on.size, channels, generator=generator, dtype=torch.float64)
    return GaussianMeasure(Function(on, values), factor, WhiteNoise(0.7))


def dense(p: GaussianMeasure, q: GaussianMeasure, on) -> tuple[float, float]:
    """KL and W₂ by torch.distributions and scipy's matrix square root, two channels."""
    shape = (on.size, 2)
    zero = torch.zeros(shape, dtype=torch.float64)
    mean, other = (m.mean.values if m.mean else zero for m in (p, q))
    P, Q = p.covariance(on), q.covariance(on)
    laws = [torch.distributions.MultivariateNormal(m.mT, C) for m, C in ((mean, P), (other, Q))]
    kl = torch.distributions.kl_divergence(*laws).sum().item()
    w = on.weights.sqrt().numpy()
    A, B = w[:, None] * P.numpy() * w, w[:, None] * Q.numpy() * w
    root = scipy.linalg.sqrtm(A)
    both = scipy.linalg.sqrtm(root @ B @ root).real
    spread = 2 * np.trace(A + B - 2 * both)
    shift = ((mean - other).square().sum(-1) * on.weights).sum().item()
    return kl, math.sqrt(max(0.0, spread) + shift)


@given(grid=grids(most=12, boundaries=BOUNDARIES), first=factors, second=factors, seed=seeds())
def test_on_grids(grid: Grid, first, second, seed: int):
    p, q = measure(first, grid, seed), measure(second, grid, seed // 2)
    kl, w2 = dense(p, q, grid)
    assert kl_divergence(p, q, on=grid, channels=2).item() == pytest.approx(kl, rel=1e-8, abs=1e-9)
    assert wasserstein(p, q, on=grid, channels=2).item() == pytest.approx(w2, rel=1e-6, abs=1e-6)


@given(grid=grids(most=12, fewest=2), first=factors, second=factors, seed=seeds())
def test_on_subsets(grid: Grid, first, second, seed: int):
    order = torch.randperm(grid.size, generator=torch.Generator().manual_seed(seed))
    subset = Subset(grid, order[: max(1, grid.size // 2)])
    p, q = measure(first, subset, seed), measure(second, subset, seed // 2)
    kl, w2 = dense(p, q, subset)
    args = {"on": subset, "channels": 2}
    assert kl_divergence(p, q, **args).item() == pytest.approx(kl, rel=1e-8, abs=1e-9)
    assert wasserstein(p, q, **args).item() == pytest.approx(w2, rel=1e-6, abs=1e-6)


def test_on_scattered_points_and_grids_they_are_the_same_laws():
    grid = Grid((5,))
    p, q = (GaussianMeasure(None, gaussian_mollifier(s), WhiteNoise()) for s in (0.1, 0.15))
    points = Scattered(grid.points)
    for distance in (kl_divergence, wasserstein):
        on_grid = distance(p, q, on=grid, channels=3).item()
        assert distance(p, q, on=points, channels=3).item() == pytest.approx(on_grid, rel=1e-6)


@given(
    stds=st.tuples(st.floats(0.1, 3.0), st.floats(0.1, 3.0)),
    means=st.tuples(st.floats(-2.0, 2.0), st.floats(-2.0, 2.0)),
)
def test_numbers_are_as_far_apart_as_scipy_s_quantiles_and_densities(stds, means):
    """On a point with one channel: W₂² = ∫ (F⁻¹ − G⁻¹)² and KL = ∫ p log(p/q)."""
    grid = Grid((), Point())
    p, q = (
        GaussianMeasure(
            Function(grid, torch.tensor([[m]], dtype=torch.float64)), Identity(), WhiteNoise(s)
        )
        for m, s in zip(means, stds, strict=True)
    )
    f, g = (stats.norm(m, s) for m, s in zip(means, stds, strict=True))
    z = np.linspace(-6.5, 6.5, 801)
    u, mass = stats.norm.cdf(z), stats.norm.pdf(z)
    square = integrate.trapezoid((f.ppf(u) - g.ppf(u)) ** 2 * mass, z)
    assert wasserstein(p, q, on=grid).item() ** 2 == pytest.approx(square, rel=1e-6, abs=1e-8)
    x = means[0] + stds[0] * z
    kl = integrate.trapezoid((f.logpdf(x) - g.logpdf(x)) * mass, z)
    assert kl_divergence(p, q, on=grid).item() == pytest.approx(kl, rel=1e-6, abs=1e-8)


def test_nearly_equal_measures_are_told_apart():
    """KL of N(0, (1 + ε)²s²) and N(0, s²) is ε² to leading order, below rounding of the terms."""
    grid = Grid((), Point())
    p, q = (GaussianMeasure(None, Identity(), WhiteNoise(s)) for s in (0.7 + 7e-8, 0.7))
    assert kl_divergence(p, q, on=grid).item() == pytest.approx(1e-14, rel=1e-5, abs=0.0)
    assert kl_divergence(q, q, on=grid).item() == 0.0


def test_one_number_a_sample():
    grid, scale = Grid((4,)), torch.tensor([1.0, 2.0], dtype=torch.float64)
    p = GaussianMeasure(None, Identity() * scale, WhiteNoise())
    q = GaussianMeasure(Function(grid, torch.ones(2, 4, 1)), Identity(), WhiteNoise())
    kl, w2 = kl_divergence(p, q, on=grid), wasserstein(p, q, on=grid)
    for i, s in enumerate((1.0, 2.0)):
        alone = GaussianMeasure(None, Identity(), WhiteNoise(s))
        mean = GaussianMeasure(Function(grid, torch.ones(4, 1)), Identity(), WhiteNoise())
        assert kl[i].item() == pytest.approx(kl_divergence(alone, mean, on=grid).item())
        assert w2[i].item() == pytest.approx(wasserstein(alone, mean, on=grid).item())


def test_what_varies_under_one_law_only_is_infinitely_far():
    grid = Grid((64,))
    wide, narrow, white = (
        GaussianMeasure(None, factor, WhiteNoise())
        for factor in (gaussian_mollifier(0.2), gaussian_mollifier(0.05), Identity())
    )
    assert kl_divergence(wide, narrow, on=grid).item() == math.inf
    assert kl_divergence(narrow, wide, on=grid).item() == math.inf
    assert kl_divergence(wide, white, on=grid).item() == math.inf
    assert kl_divergence(wide, wide, on=grid).item() == 0.0
    assert math.isfinite(wasserstein(wide, white, on=grid).item())
    nothing = GaussianMeasure(None, 0.0 * Identity(), WhiteNoise())
    moved = GaussianMeasure(Function(grid, torch.ones(64, 1)), 0.0 * Identity(), WhiteNoise())
    assert kl_divergence(nothing, nothing, on=grid).item() == 0.0
    assert kl_divergence(moved, nothing, on=grid).item() == math.inf
    assert kl_divergence(moved, moved, on=grid).item() == 0.0
    assert wasserstein(moved, nothing, on=grid).item() == pytest.approx(1.0)


def test_a_mean_that_moves_in_varying_modes_only_is_finitely_far():
    """Modes that the field leaves out as negligible do not tell its means apart either."""
    grid, T = Grid((64,)), gaussian_mollifier(0.1)
    g = torch.randn(64, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    p = GaussianMeasure(T(Function(grid, g)), T, WhiteNoise())
    q = GaussianMeasure(None, T, WhiteNoise())
    modes = grid.cell_volume * eigenbasis(grid.domain).analysis(g[:, 0]).square()
    vary = q.mode_variances(grid) > 0.0
    assert 0 < vary.sum() < 30
    expected = 0.5 * modes[vary].sum().item()
    assert kl_divergence(p, q, on=grid).item() == pytest.approx(expected, rel=1e-6)


def test_a_posterior_is_compared_by_dense_matrices():
    prior = GaussianMeasure(None, matern(0.5, 0.3, dim=1), WhiteNoise())
    seen = Function(Scattered(torch.tensor([[0.3]])), torch.ones(1, 1, dtype=torch.float64))
    posterior, on = prior.condition(seen, noise_std=0.5), Grid((4,))
    laws = [
        torch.distributions.MultivariateNormal(mean, covariance)
        for mean, covariance in (
            (posterior.mean_on(on).values[:, 0], posterior.covariance(on)),
            (torch.zeros(4, dtype=torch.float64), prior.covariance(on)),
        )
    ]
    expected = torch.distributions.kl_divergence(*laws).item()
    assert kl_divergence(posterior, prior, on=on).item() == pytest.approx(expected, rel=1e-9)
    assert wasserstein(posterior, posterior, on=on).item() == pytest.approx(0.0, abs=1e-6)


def test_refusals():
    grid = Grid((3,))
    p = GaussianMeasure(Function(grid, torch.ones(3, 2)), Identity(), WhiteNoise())
    with pytest.raises(ValueError, match=r"differ in their channels: \[2, 3\]"):
        kl_divergence(p, p, on=grid, channels=3)
    with pytest.raises(ValueError, match="another discretisation"):
        wasserstein(p, p, on=Grid((4,)))
    smooth = GaussianMeasure(None, gaussian_mollifier(0.3), WhiteNoise())
    with pytest.raises(ValueError, match="not positive to rounding.*or a Grid"):
        kl_divergence(smooth, smooth, on=Scattered(Grid((40,)).points))
