"""All modes of 32² follow the same trajectory at 256², with every solver and process.

The noise is one function on both grids, without modes above those of 32² where these would be
folded onto them. The denoiser is a nonlinear map of the modes of 32², so it is the same operator on
both. With unit noise in each cell of whatever grid, the trajectories are others.
"""

import math

import jaxtyping
import pytest
import torch
from solver_runs import coefficients, function_of

from inftydiff import (
    Blurring,
    CosineSchedule,
    DiffusionProcess,
    Function,
    Grid,
    Prediction,
    WhiteNoise,
    gaussian_mollifier,
    matern,
    trajectory,
)
from inftydiff.processes import CallableDenoiser
from inftydiff.processes.solvers import (
    DDIM,
    DDPM,
    DPMSolverPP,
    EulerMaruyama,
    Heun,
    ProbabilityFlow,
    UniPC,
)

LOW = 32
COARSE, FINE = Grid((32, 32)), Grid((256, 256))
SCHEDULE = CosineSchedule()
TIMES = torch.tensor([1.0, 0.9, 0.6, 0.3, 0.1, 0.0], dtype=torch.float64)
T = gaussian_mollifier(0.1)
NOISE = WhiteNoise(1 / 32)
PROCESSES = {
    "white": DiffusionProcess.white(SCHEDULE, noise=NOISE),
    "mollified": DiffusionProcess.mollified(SCHEDULE, T, noise=NOISE),
    "noise-only": DiffusionProcess.noise_only(SCHEDULE, T, noise=NOISE),
    "trace-class": DiffusionProcess.trace_class(
        SCHEDULE,
        matern(0.5, 0.2, dim=2, cutoff=math.pi * (LOW - 0.5)),
        domain=COARSE.domain,
        noise=NOISE,
    ),
    "blurring": DiffusionProcess.blurring(SCHEDULE, Blurring(0.05), noise=NOISE),
}
SOLVERS = [
    DDPM(),
    DDPM("transition"),
    DDIM(),
    DDIM(0.5),
    DDIM(1.0),
    EulerMaruyama(),
    Heun(),
    Heun("ratio"),
    DPMSolverPP(1),
    DPMSolverPP(2),
    DPMSolverPP(3),
    DPMSolverPP(1, stochastic=True),
    DPMSolverPP(2, stochastic=True),
    UniPC(1),
    UniPC(2),
    UniPC(3),
]


@pytest.fixture(autouse=True)
def _unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the run-time type checks, which take longer than the arithmetic of so small steps."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


def band_limited(x: Function, t: torch.Tensor) -> Prediction:
    """Estimates of the signal from the modes of 32², mixed and bent."""
    low = coefficients(x)[..., :LOW, :LOW]
    mix = (
        torch.randn(LOW, LOW, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        / LOW**0.5
    )
    bent = torch.tanh(20.0 * low @ mix + t[:, None, None, None]) / 10.0
    padded = torch.zeros(*low.shape[:2], *x.on.shape, dtype=torch.float64)
    padded[..., :LOW, :LOW] = bent
    signal = function_of(padded, x.on)
    noise = (x - signal * SCHEDULE.alpha(t)) * (1.0 / SCHEDULE.sigma(t))
    return Prediction(signal, noise)


def low_modes(solver, process, grid: Grid, times: torch.Tensor = TIMES) -> torch.Tensor:
    """The modes of 32² of all states, (states, batch, channels, LOW, LOW)."""
    generator = torch.Generator().manual_seed(4)
    start = process.draw_noise(grid, batch=1, channels=1, generator=generator, dtype=torch.float64)
    states = trajectory(
        solver,
        CallableDenoiser(process, band_limited),
        on=grid,
        times=times,
        batch=1,
        channels=1,
        generator=generator,
        start=start * SCHEDULE.sigma(times[0]).item(),
    )
    return torch.stack([coefficients(state.x)[..., :LOW, :LOW] for state in states])


@pytest.mark.thorough
@pytest.mark.parametrize("kind", PROCESSES)
@pytest.mark.parametrize("solver", SOLVERS, ids=str)
def test_shared_modes(solver, kind: str):
    """To 1e-9, or of the largest mode where one is above one (Heun in the ratio overshoots)."""
    coarse, fine = (low_modes(solver, PROCESSES[kind], grid) for grid in (COARSE, FINE))
    largest = max(1.0, coarse.abs().max().item())
    torch.testing.assert_close(fine, coarse, rtol=0, atol=1e-9 * largest)
    assert coarse[-1].abs().max() > 0.01


def test_shared_modes_of_the_adaptive_flow_to_its_tolerance():
    solver, times = ProbabilityFlow(rtol=1e-5, atol=1e-6), torch.tensor([0.9, 0.5]).double()
    coarse, fine = (
        low_modes(solver, PROCESSES["mollified"], grid, times) for grid in (COARSE, Grid((96, 96)))
    )
    torch.testing.assert_close(fine, coarse, rtol=0, atol=1e-5)


@pytest.mark.parametrize("solver", [DDIM(), DDPM(), UniPC(3)], ids=str)
def test_with_unit_noise_in_each_cell_the_trajectories_differ(solver):
    coarse, fine = (
        low_modes(solver, DiffusionProcess.white(SCHEDULE, noise=WhiteNoise(g.cell_volume**0.5)), g)
        for g in (COARSE, FINE)
    )
    assert (fine - coarse)[-1].abs().max() > 0.01
