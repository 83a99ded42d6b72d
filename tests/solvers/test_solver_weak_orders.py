"""Stochastic solvers have their weak order, and their moments are computed without drawing.

With Gaussian data a run is linear in its start and its draws, so the state at the end is Gaussian
given the start, with a mean and a variance that are carried through the steps exactly. The reverse
equation has the law of the process itself, :math:`x_s | x_t`.
"""

import jaxtyping
import pytest
import torch
from solver_runs import ModeDenoiser, exact_memory, linear_law, spread

from inftydiff import CosineSchedule, GaussianMeasure, Grid, gaussian_mollifier
from inftydiff.processes import Blurring, DiffusionProcess
from inftydiff.processes.schedules import FlowMatchingSchedule, VarianceExplodingSchedule
from inftydiff.processes.solvers import DDIM, DDPM, DPMSolverPP, EulerMaruyama

RATIOS = torch.tensor([0.004, 0.02, 0.3, 10.0, 50.0], dtype=torch.float64)
"""The variances of the data's modes over those of the noise."""

GRID = Grid((len(RATIOS),))
MOLLIFIER = gaussian_mollifier(0.1)
INTERVALS = {
    CosineSchedule(): (0.55, 0.53),
    FlowMatchingSchedule(): (0.55, 0.53),
    VarianceExplodingSchedule(0.01, 10.0): (0.66, 0.65),
}
STEPS = (4, 8)
KINDS = ("white", "mollified", "blurring")
ROUNDING = 1e-10

ORDERS = {
    DDPM(): 1,
    DDPM("transition"): 1,
    DDIM(1.0): 1,
    EulerMaruyama(): 1,
    DPMSolverPP(1, stochastic=True): 1,
    DPMSolverPP(2, stochastic=True): 2,
}


@pytest.fixture(autouse=True)
def _unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the run-time type checks, which take longer than the arithmetic of so small steps."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


def denoiser_of(kind: str, schedule) -> ModeDenoiser:
    noise = torch.ones_like(RATIOS)
    if kind == "blurring":
        process = DiffusionProcess.blurring(schedule, Blurring(0.1))
    elif kind == "mollified":
        process = DiffusionProcess.mollified(schedule, MOLLIFIER)
        noise = GaussianMeasure(None, MOLLIFIER, process.noise).mode_variances(GRID)
    else:
        process = DiffusionProcess.white(schedule)
    return ModeDenoiser(process, RATIOS * noise, noise)


def moments(solver, denoiser: ModeDenoiser, n: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The factor of the start in the mean, and the variance, given the start."""
    first, last = INTERVALS[denoiser.process.schedule]
    times = torch.linspace(first, last, n + 1, dtype=torch.float64)
    before = torch.tensor([first, first + (first - last) / n], dtype=torch.float64)

    def memory(x):
        return exact_memory(denoiser, x, before[: getattr(solver, "order", 1)])

    return linear_law(solver, denoiser, times, GRID, memory, denoiser.noise.sqrt())


def exact_moments(denoiser: ModeDenoiser) -> tuple[torch.Tensor, torch.Tensor]:
    first, last = INTERVALS[denoiser.process.schedule]
    times = torch.tensor([first, last], dtype=torch.float64)
    alpha = denoiser.process.amplitudes(times, GRID).alpha
    carried = (alpha[0] / alpha[1]).expand(GRID.shape)
    before, after = spread(denoiser, first, GRID) ** 2, spread(denoiser, last, GRID) ** 2
    mean = carried * after / before
    return mean, after - mean**2 * before


def slope(coarse: torch.Tensor, fine: torch.Tensor, order: int) -> torch.Tensor:
    """The observed orders; where nothing but rounding is left, the order asked for."""
    return torch.where(coarse.abs() < ROUNDING, order, (coarse / fine).abs().log2())


@pytest.mark.thorough
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("schedule", INTERVALS, ids=lambda s: type(s).__name__)
@pytest.mark.parametrize("solver", ORDERS, ids=str)
def test_weak_order_of_mean_and_variance(solver, schedule, kind: str):
    denoiser = denoiser_of(kind, schedule)
    exact = exact_moments(denoiser)
    coarse, fine = (moments(solver, denoiser, n) for n in STEPS)
    for rough, better, true in zip(coarse, fine, exact, strict=True):
        found = slope(rough / true - 1.0, better / true - 1.0, ORDERS[solver])
        assert ((found - ORDERS[solver]).abs() < 0.2).all(), found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("schedule", INTERVALS, ids=lambda s: type(s).__name__)
def test_between_flow_and_reverse_equation_the_marginal_has_order_one(schedule, kind: str):
    solver, denoiser = DDIM(0.5), denoiser_of(kind, schedule)
    first, last = (spread(denoiser, t, GRID) ** 2 for t in INTERVALS[denoiser.process.schedule])
    errors = []
    for n in STEPS:
        mean, variance = moments(solver, denoiser, n)
        errors.append(((mean**2 * first + variance) / last - 1.0).abs())
    assert (((errors[0] / errors[1]).log2() - 1.0).abs() < 0.2).all()


@pytest.mark.parametrize("solver", [DDPM(), DDPM("transition")], ids=str)
def test_the_mean_of_ancestral_steps_is_exact_for_gaussian_data(solver):
    denoiser = denoiser_of("white", CosineSchedule())
    found, _ = moments(solver, denoiser, 3)
    torch.testing.assert_close(found, exact_moments(denoiser)[0], rtol=1e-12, atol=0)
