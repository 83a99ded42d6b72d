r"""The conditions of the reversal, integrated over time: where they hold, and where they do not.

Föllmer and Wakolbinger ask of each coordinate :math:`E\int (f x_k)^2\,dt < \infty`. For a reversed
equation of functions the score's energy is to be finite over all coordinates; in the clock of the
noise it does not depend on the schedule but for its ends:

.. math:: \int_{t_0}^1 g^2\, E\|C\nabla\log p_t\|^2\,dt
          = \sum_k V_k \log\frac{P_k + \rho(1)^2 V_k}{P_k + \rho(t_0)^2 V_k}, \qquad
          \rho = \frac\sigma\alpha.
"""

import math

import numpy as np
import pytest
import torch
from every_schedule import EVERY
from torch import Tensor
from torch.testing import assert_close

from inftydiff import (
    ConstantSchedule,
    CosineSchedule,
    DiffusionProcess,
    FlowMatchingSchedule,
    GaussianMeasure,
    Grid,
    LinearOperator,
    VarianceExplodingSchedule,
    WhiteNoise,
    gaussian_mollifier,
    matern,
)
from inftydiff.processes import Schedule, log_alpha_rate, noise_ratio, rates, score_energy

NOISE = WhiteNoise(0.3)
HEAT = gaussian_mollifier(0.1)
ROUGH = matern(1.0, 0.2, dim=1, cutoff=math.inf)
FACTOR = matern(0.75, 0.2, dim=1, cutoff=math.inf)
STARTS = (1e-2, 1e-4, 1e-6, 1e-8)
every_schedule = pytest.mark.parametrize("schedule", EVERY.values(), ids=EVERY)


def law(factor: LinearOperator) -> GaussianMeasure:
    return GaussianMeasure(None, factor, WhiteNoise())


CASES = {
    "mollified": (lambda s: DiffusionProcess.mollified(s, HEAT, noise=NOISE), law(ROUGH)),
    "trace-class": (
        lambda s: DiffusionProcess.trace_class(s, FACTOR, domain=Grid((1,)).domain, noise=NOISE),
        law(ROUGH),
    ),
    "white": (lambda s: DiffusionProcess.white(s, noise=NOISE), law(ROUGH)),
}
"""Processes, and data that are rough enough for the first two."""


def floor_of(schedule: Schedule) -> float:
    """The earliest time from which α stays what it is at the end, by bisection."""
    first, last = torch.tensor([0.0, 1.0], dtype=torch.float64)
    for _ in range(60):
        middle = (first + last) / 2
        if schedule.alpha(middle) > schedule.alpha(torch.ones_like(middle)):
            first = middle
        else:
            last = middle
    return last.item()


def quadrature(schedule: Schedule, t0: float) -> tuple[Tensor, Tensor]:
    """Times in [t0, 1] and their weights, in panels that narrow to both ends, with ends at kinks.

    Four nodes a panel (Gauss and Legendre).
    """
    small, kinks = np.geomspace(1e-9, 1e-3, 80), [t0, floor_of(schedule), 1.0]
    edges = np.unique(np.concatenate([kinks, small, 1.0 - small, np.arange(1, 1000) / 1000]))
    edges = edges[edges >= t0]
    places, weights = np.polynomial.legendre.leggauss(4)
    half = np.diff(edges) / 2
    times = (edges[:-1] + half)[:, None] + half[:, None] * places
    return torch.from_numpy(times.ravel()), torch.from_numpy((half[:, None] * weights).ravel())


def variances(process: DiffusionProcess, data: GaussianMeasure, grid: Grid) -> tuple[Tensor, ...]:
    """Those of the modes of S x0 and of the noise."""
    noise = GaussianMeasure(None, process.noise_factor, process.noise)
    return data.pushforward(process.signal).mode_variances(grid), noise.mode_variances(grid)


def integrated_energy(process: DiffusionProcess, data, t0: float, grid: Grid) -> float:
    t, weights = quadrature(process.schedule, t0)
    g = rates(process, t, grid).diffusion
    return (weights * g**2 * score_energy(process, data, t, grid)).sum().item()


def closed_form(process: DiffusionProcess, data, t0: float, grid: Grid) -> float:
    return summed(process.schedule, *variances(process, data, grid), t0)


def summed(schedule: Schedule, P: Tensor, V: Tensor, t0: float) -> float:
    first, last = noise_ratio(schedule, torch.tensor([t0, 1.0], dtype=torch.float64)) ** 2
    terms = V * ((P + last * V) / (P + first * V)).log()
    return terms[V > 0].sum().item()


@pytest.mark.thorough
@every_schedule
@pytest.mark.parametrize("kind", CASES)
def test_the_integral_is_the_closed_form(kind: str, schedule: Schedule):
    make, data = CASES[kind]
    for t0 in STARTS[::2]:
        found = integrated_energy(make(schedule), data, t0, Grid((32,)))
        assert found == pytest.approx(closed_form(make(schedule), data, t0, Grid((32,))), rel=1e-5)


@pytest.mark.thorough
@every_schedule
@pytest.mark.parametrize("kind", ["mollified", "trace-class"])
def test_the_energy_is_finite_for_noise_that_is_a_function(kind: str, schedule: Schedule):
    """Up to t = 0, and for all modes."""
    make, data = CASES[kind]
    process = make(schedule)
    by_start = [closed_form(process, data, t0, Grid((256,))) for t0 in (*STARTS, 0.0)]
    steps = np.diff(by_start)
    assert (steps >= 0.0).all()
    assert steps[-1] < 1e-3 * by_start[-1]
    by_grid = [closed_form(process, data, 0.0, Grid((n,))) for n in (64, 256, 1024, 4096)]
    grown = np.abs(np.diff(by_grid))
    assert grown[-1] < 0.02 * by_grid[-1]
    assert (grown[1:] <= 0.7 * grown[:-1] + 1e-9 * by_grid[-1]).all()


@pytest.mark.thorough
@every_schedule
@pytest.mark.parametrize("t0", [0.0, 0.1])
def test_the_energy_grows_with_the_points_for_white_noise(t0: float, schedule: Schedule):
    make, data = CASES["white"]
    by_grid = [closed_form(make(schedule), data, t0, Grid((n,))) for n in (64, 256, 1024, 4096)]
    assert (np.diff(by_grid) > 2.5 * np.array(by_grid[:-1])).all()


def test_data_that_are_too_smooth_are_left_at_a_price_that_grows():
    """Noise that is a function is enough at t0 > 0, and is not up to t = 0: Σ V log(V/P) = ∞."""
    waves = math.pi * torch.arange(512, dtype=torch.float64)
    factors = gaussian_mollifier(0.015), matern(0.25, 0.2, dim=1, cutoff=math.inf)
    P, V = (factor.multiplier(waves**2) ** 2 for factor in factors)
    early, late = (
        [summed(ConstantSchedule(), P[:n], V[:n], t0) for n in (64, 128, 256, 512)]
        for t0 in (0.0, 0.1)
    )
    grown, settled = np.diff(early), np.diff(late)
    assert (grown[1:] > 2.0 * grown[:-1]).all()
    assert (settled[1:] < 0.8 * settled[:-1]).all()


@pytest.mark.thorough
@every_schedule
@pytest.mark.parametrize("kind", CASES)
def test_each_coordinate_s_drift_has_finite_energy(kind: str, schedule: Schedule):
    """E∫(f x_k)² dt converges as t0 → 0: the rates are bounded."""
    make, data = CASES[kind]
    P, V = variances(make(schedule), data, Grid((16,)))
    energies = torch.stack([drift_energy(schedule, P, V, t0) for t0 in STARTS])
    assert bool(energies.isfinite().all())
    added, all_of_it = energies[-1] - energies[-2], energies[-1]
    assert bool((added >= 0.0).all())
    assert bool((added <= 1e-4 * all_of_it).all())


def drift_energy(schedule: Schedule, P: Tensor, V: Tensor, t0: float) -> Tensor:
    t, weights = quadrature(schedule, t0)
    f, alpha, sigma = log_alpha_rate(schedule, t), schedule.alpha(t), schedule.sigma(t)
    squares = alpha.square().outer(P) + sigma.square().outer(V)
    return (weights * f**2) @ squares


def test_the_drift_s_energy_is_the_closed_form():
    P, V, t0 = torch.tensor([0.01, 1.0, 4.0]).double(), torch.tensor([0.2, 0.0, 1.0]).double(), 1e-3
    assert torch.equal(drift_energy(VarianceExplodingSchedule(), P, V, t0), torch.zeros_like(P))
    beta = -1000.0 * math.log1p(-0.008)  # f = -β/2 and α² = exp(-βt)
    faded = (math.exp(-beta * t0) - math.exp(-beta)) / beta
    expected = 0.25 * beta**2 * (faded * P + (1.0 - t0 - faded) * V)
    assert_close(drift_energy(ConstantSchedule(), P, V, t0), expected, rtol=1e-9, atol=0)
    # f = -1/(1 - t) where α = 1 - t is above its floor of 1e-4, where f becomes 0
    u0, u1 = 1.0 - t0, 1e-4
    noise = (1.0 / u1 - u1 + 2.0 * math.log(u1)) - (1.0 / u0 - u0 + 2.0 * math.log(u0))
    expected = (u0 - u1) * P + noise * V
    assert_close(drift_energy(FlowMatchingSchedule(), P, V, t0), expected, rtol=0.02, atol=0)


def test_the_floor_of_alpha_bounds_the_drift_of_a_cosine():
    """That of the noise is about V/α(1) times the slope; without the floor it would be infinite."""
    one = torch.ones(1, dtype=torch.float64)
    found = drift_energy(CosineSchedule(), torch.zeros_like(one), one, 1e-4).item()
    floor = CosineSchedule().alpha(one).item()
    assert 0.5 < found * floor / (0.5 * math.pi / 1.008) < 2.0
