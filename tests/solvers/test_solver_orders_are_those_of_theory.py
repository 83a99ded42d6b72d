"""On an interval inside (0, 1) each deterministic solver converges at its order, mode by mode.

The data are Gaussian, so the probability flow keeps a mode over its standard deviation, and the
error is that of the last state against this. A multistep solver begins with the memory that it
would have on the flow itself; begun without one, it has the order that its first steps leave.

An error of order p has a factor that changes its sign at some variance of the data, where the order
is higher; the modes here are chosen away from such places.
"""

import jaxtyping
import pytest
import torch
from solver_runs import (
    ModeDenoiser,
    coefficients,
    end_of,
    exact_memory,
    function_of,
    linear_law,
    spread,
)

from inftydiff import CosineSchedule, Grid, gaussian_mollifier
from inftydiff.processes import Blurring, DiffusionProcess, Schedule
from inftydiff.processes.schedules import FlowMatchingSchedule, VarianceExplodingSchedule
from inftydiff.processes.solvers import DDIM, DPMSolverPP, Heun, UniPC

RATIOS = torch.tensor([0.004, 0.02, 10.0, 50.0], dtype=torch.float64)
"""The variances of the data's modes over those of the noise."""

GRID = Grid((len(RATIOS),))
T = gaussian_mollifier(0.1)
INTERVALS = {
    CosineSchedule(): (0.55, 0.53),
    FlowMatchingSchedule(): (0.55, 0.53),
    VarianceExplodingSchedule(0.01, 10.0): (0.66, 0.65),
}
KINDS = ("white", "mollified", "blurring")

ORDERS = {
    DDIM(): 1,
    Heun(): 2,
    Heun("ratio"): 2,
    DPMSolverPP(1): 1,
    DPMSolverPP(2): 2,
    DPMSolverPP(3): 3,
    DPMSolverPP(3, as_diffusers=True): 2,
    UniPC(1): 2,
    UniPC(2): 3,
    UniPC(3): 4,
}
FIRST_STEPS_LEAVE = {DPMSolverPP(2): 2, DPMSolverPP(3): 2, UniPC(1): 2, UniPC(2): 3, UniPC(3): 3}


@pytest.fixture(autouse=True)
def _unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the run-time type checks, which take longer than the arithmetic of so small steps."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


def denoiser_of(kind: str, schedule: Schedule) -> ModeDenoiser:
    if kind == "blurring":
        process = DiffusionProcess.blurring(schedule, Blurring(0.1))
        return ModeDenoiser(process, RATIOS, torch.ones_like(RATIOS))
    if kind == "white":
        process = DiffusionProcess.white(schedule)
        return ModeDenoiser(process, RATIOS, torch.ones_like(RATIOS))
    process = DiffusionProcess.mollified(schedule, T)
    law = process.prior.mode_variances(GRID) / process.schedule.sigma(torch.ones(1).double()) ** 2
    return ModeDenoiser(process, RATIOS * law, law)


def errors(solver, denoiser: ModeDenoiser, n: int, remembered: bool) -> torch.Tensor:
    """The relative errors of the modes after n equal steps."""
    first, last = INTERVALS[denoiser.process.schedule]
    times = torch.linspace(first, last, n + 1, dtype=torch.float64)
    x = function_of(torch.ones(1, 1, len(RATIOS), dtype=torch.float64), GRID)
    before = first + (first - last) / n * torch.arange(5, dtype=torch.float64)
    needed = solver.order - isinstance(solver, DPMSolverPP) if remembered else 0
    memory = exact_memory(denoiser, x, before[: needed + 1])
    end = coefficients(end_of(solver, denoiser, x, times, memory))[0, 0]
    return (end / (spread(denoiser, last, GRID) / spread(denoiser, first, GRID)) - 1.0).abs()


def order(solver, denoiser: ModeDenoiser, *, remembered: bool, steps=(4, 8)) -> torch.Tensor:
    """The observed orders of the modes."""
    coarse, fine = (errors(solver, denoiser, n, remembered) for n in steps)
    return (coarse / fine).log2()


@pytest.mark.thorough
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("schedule", INTERVALS, ids=lambda s: type(s).__name__)
@pytest.mark.parametrize("solver", ORDERS, ids=str)
def test_order(solver, schedule, kind: str):
    remembered = isinstance(solver, DPMSolverPP | UniPC)
    found = order(solver, denoiser_of(kind, schedule), remembered=remembered)
    assert ((found - ORDERS[solver]).abs() < 0.2).all(), found


@pytest.mark.parametrize("solver", FIRST_STEPS_LEAVE, ids=str)
def test_order_without_memory(solver):
    denoiser = denoiser_of("white", CosineSchedule())
    # UniPC's first step hardly errs in the mode with the least signal, which shows order four.
    found = order(solver, denoiser, remembered=False, steps=(24, 48))[1:]
    assert ((found - FIRST_STEPS_LEAVE[solver]).abs() < 0.2).all(), found


@pytest.mark.parametrize("solver", ORDERS, ids=str)
def test_a_deterministic_rule_draws_nothing(solver):
    denoiser = denoiser_of("white", CosineSchedule())
    times = torch.linspace(0.6, 0.3, 4, dtype=torch.float64)
    _, injected = linear_law(solver, denoiser, times, GRID)
    assert not injected.any()
