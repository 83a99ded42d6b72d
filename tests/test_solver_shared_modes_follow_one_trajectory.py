"""The low modes follow the same trajectory at 32² and at 256², with every rule.

The noise is one function on both grids. The denoiser is a nonlinear map of the lowest modes, so it
is the same operator on both. With unit noise in each cell of whatever grid, the trajectories are
others.
"""

import jaxtyping
import pytest
import torch
from solver_runs import coefficients, function_of

from inftydiff import (
    CosineSchedule,
    DiffusionProcess,
    Function,
    Grid,
    Prediction,
    WhiteNoise,
    gaussian_mollifier,
    trajectory,
)
from inftydiff.processes.solvers import (
    DDIM,
    DDPM,
    DPMSolverPP,
    EulerMaruyama,
    Heun,
    ProbabilityFlow,
    UniPC,
)

LOW = 6
COARSE, FINE = Grid((32, 32)), Grid((256, 256))
SCHEDULE = CosineSchedule()
TIMES = torch.tensor([1.0, 0.9, 0.6, 0.3, 0.1, 0.0], dtype=torch.float64)
T = gaussian_mollifier(0.1)
NOISE = WhiteNoise(1 / 32)
PROCESSES = {
    "white": DiffusionProcess.white(SCHEDULE, noise=NOISE),
    "mollified": DiffusionProcess.mollified(SCHEDULE, T, noise=NOISE),
}
RULES = [
    DDPM(),
    DDPM("transition"),
    DDIM(),
    DDIM(0.5),
    EulerMaruyama(),
    Heun(),
    Heun("ratio"),
    DPMSolverPP(2),
    DPMSolverPP(3),
    DPMSolverPP(2, stochastic=True),
    UniPC(2),
    UniPC(3),
]


@pytest.fixture(autouse=True)
def _unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the run-time type checks, which take longer than the arithmetic of so small steps."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


def band_limited(x: Function, t: torch.Tensor) -> Prediction:
    """Estimates of the signal from the low modes of the state, mixed and bent."""
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


def low_modes(rule, process, grid: Grid, times: torch.Tensor = TIMES) -> torch.Tensor:
    """The low modes of all states, (states, batch, channels, LOW, LOW)."""
    generator = torch.Generator().manual_seed(4)
    start = process.draw_noise(grid, batch=1, channels=1, generator=generator, dtype=torch.float64)
    states = trajectory(
        rule,
        process,
        band_limited,
        on=grid,
        times=times,
        batch=1,
        channels=1,
        generator=generator,
        start=start * SCHEDULE.sigma(times[0]).item(),
    )
    return torch.stack([coefficients(state.x)[..., :LOW, :LOW] for state in states])


@pytest.mark.parametrize("kind", PROCESSES)
@pytest.mark.parametrize("rule", RULES, ids=str)
def test_shared_modes(rule, kind: str):
    coarse, fine = (low_modes(rule, PROCESSES[kind], grid) for grid in (COARSE, FINE))
    torch.testing.assert_close(fine, coarse, rtol=0, atol=1e-9)
    assert coarse[-1].abs().max() > 0.01


def test_shared_modes_of_the_adaptive_flow_to_its_tolerance():
    rule, times = ProbabilityFlow(rtol=1e-5, atol=1e-6), torch.tensor([0.9, 0.5]).double()
    coarse, fine = (
        low_modes(rule, PROCESSES["mollified"], grid, times) for grid in (COARSE, Grid((96, 96)))
    )
    torch.testing.assert_close(fine, coarse, rtol=0, atol=1e-5)


@pytest.mark.parametrize("rule", [DDIM(), DDPM(), UniPC(3)], ids=str)
def test_with_unit_noise_in_each_cell_the_trajectories_differ(rule):
    coarse, fine = (
        low_modes(rule, DiffusionProcess.white(SCHEDULE, noise=WhiteNoise(g.cell_volume**0.5)), g)
        for g in (COARSE, FINE)
    )
    assert (fine - coarse)[-1].abs().max() > 0.01
