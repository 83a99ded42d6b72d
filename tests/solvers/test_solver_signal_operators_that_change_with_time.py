"""If the signal operator changes with time, every solver is the scalar solver of each mode.

Mode k of blurring diffusion is the process of one number with the amplitude alpha m_k(t). A run on
the grid is held against one run a mode on a single cell, with the same draws.
"""

from dataclasses import dataclass

import jaxtyping
import pytest
import torch
from solver_runs import ModeDenoiser, coefficients, end_of, function_of, impulses

from inftydiff import CosineSchedule, Grid
from inftydiff.processes import Blurring, DiffusionProcess
from inftydiff.processes.solvers import (
    DDIM,
    DDPM,
    DPMSolverPP,
    EulerMaruyama,
    Heun,
    ProbabilityFlow,
    UniPC,
)

GRID, CELL = Grid((3, 2)), Grid((1,))
FAMILY = Blurring(0.15)
BLURRING = DiffusionProcess.blurring(CosineSchedule(), FAMILY)
VARIANCES = torch.tensor([[3.0, 0.5], [0.7, 0.05], [0.1, 0.01]], dtype=torch.float64)
TIMES = torch.tensor([1.0, 0.8, 0.55, 0.4, 0.1, 0.0], dtype=torch.float64)

SOLVERS = [
    DDPM(),
    DDPM("transition"),
    DDIM(),
    DDIM(0.6),
    EulerMaruyama(),
    Heun(),
    Heun("ratio"),
    DPMSolverPP(1),
    DPMSolverPP(2),
    DPMSolverPP(3),
    DPMSolverPP(3, as_diffusers=True),
    DPMSolverPP(2, stochastic=True),
    UniPC(1),
    UniPC(2),
    UniPC(3),
]


@pytest.fixture(autouse=True)
def _unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the run-time type checks, which take longer than the arithmetic of so small steps."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


@dataclass(frozen=True)
class ModeSchedule:
    """The schedule of one mode of the blurring process."""

    mode: tuple[int, int]

    def alpha(self, t: torch.Tensor) -> torch.Tensor:
        alpha = BLURRING.amplitudes(t.double().reshape(-1), GRID).alpha
        return alpha[:, *self.mode].reshape(t.shape).to(t.dtype)

    def sigma(self, t: torch.Tensor) -> torch.Tensor:
        return BLURRING.schedule.sigma(t)


def run(solver, process, variances: torch.Tensor, grid: Grid, times: torch.Tensor) -> torch.Tensor:
    """The coefficients of a run's end: (batch, channels, *modes), a channel a draw."""
    start = torch.zeros(2, len(times), *grid.shape, dtype=torch.float64)
    start[0, 0], start[1, 0] = 1.0, -0.5
    denoiser = ModeDenoiser(process, variances, torch.ones_like(variances))
    with impulses(grid):
        return coefficients(end_of(solver, denoiser, function_of(start, grid), times))


@pytest.mark.thorough
@pytest.mark.parametrize("times", [TIMES, TIMES[1:-1]], ids=["to the data", "inside"])
@pytest.mark.parametrize("solver", SOLVERS, ids=str)
def test_a_mode_at_a_time(solver, times: torch.Tensor):
    together = run(solver, BLURRING, VARIANCES, GRID, times)
    for mode in [(0, 0), (1, 0), (0, 1), (2, 1)]:
        process = DiffusionProcess.white(ModeSchedule(mode))
        alone = run(solver, process, VARIANCES[mode].reshape(1), CELL, times)
        torch.testing.assert_close(together[..., *mode], alone[..., 0], rtol=1e-9, atol=1e-11)
    assert together.std(unbiased=False) > 0


@pytest.mark.thorough
def test_the_adaptive_flow_of_every_mode():
    solver = ProbabilityFlow(rtol=1e-6, atol=1e-8)
    times = torch.tensor([0.7, 0.5], dtype=torch.float64)
    together = run(solver, BLURRING, VARIANCES, GRID, times)
    for mode in [(0, 0), (2, 1)]:
        process = DiffusionProcess.white(ModeSchedule(mode))
        alone = run(solver, process, VARIANCES[mode].reshape(1), CELL, times)
        torch.testing.assert_close(together[..., *mode], alone[..., 0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("solver", SOLVERS, ids=str)
def test_the_source_may_be_left_to_the_inverse_of_the_signal_operator(solver):
    x = function_of(torch.ones(1, len(TIMES), *GRID.shape, dtype=torch.float64), GRID)
    ends = []
    for clean in (True, False):
        denoiser = ModeDenoiser(BLURRING, VARIANCES, torch.ones_like(VARIANCES), clean)
        with impulses(GRID):
            ends.append(end_of(solver, denoiser, x, TIMES).values)
    torch.testing.assert_close(*ends, rtol=0, atol=1e-9)
