"""Where a denoiser's answer is not finite, the error says so, and at what time it was."""

import math

import pytest
import torch

from inftydiff import (
    DDIM,
    DDPM,
    CosineSchedule,
    DiffusionProcess,
    Function,
    GaussianMeasure,
    Grid,
    Prediction,
    WhiteNoise,
    gaussian_mollifier,
    sample,
    timesteps,
)
from inftydiff.processes import (
    CallableDenoiser,
    DDIMInversion,
    DPMSolverPP,
    EulerMaruyama,
    FixedPointInversion,
    Heun,
    HeunInversion,
    ProbabilityFlow,
    UniPC,
    evidence_bound,
    invert,
    log_likelihood,
    round_trip,
)
from inftydiff.testing import GaussianDenoiser

GRID, PROCESS = Grid((6,)), DiffusionProcess.white(CosineSchedule())
DATA = GaussianMeasure(None, gaussian_mollifier(0.2), WhiteNoise())
TIMES = timesteps(5)
SOLVERS = (
    DDPM(), DDIM(), DPMSolverPP(), UniPC(), Heun(), EulerMaruyama(), ProbabilityFlow(),
    ProbabilityFlow(method="dopri8"), ProbabilityFlow(method="adaptive_heun"),
)  # fmt: skip


def broken(bad: float, low: float = 0.0, high: float = 1.0):
    """A denoiser of which one number is wrong, of one sample, at times between two."""
    exact = GaussianDenoiser(PROCESS, DATA)

    def denoiser(x_t: Function, t: torch.Tensor) -> Prediction:
        found = exact(x_t, t)
        if low <= t.max() <= high:
            values = found.signal.values.clone()
            values[1, 2] = bad
            return Prediction(Function(x_t.on, values), found.noise)
        return found

    return CallableDenoiser(PROCESS, denoiser)


def run(solver, denoiser) -> Function:
    g = torch.Generator().manual_seed(0)
    return sample(
        solver,
        denoiser,
        on=GRID,
        times=TIMES,
        batch=2,
        channels=1,
        generator=g,
    )


@pytest.mark.thorough
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("solver", SOLVERS, ids=lambda solver: repr(solver)[:40])
def test_samplers(solver, bad: float):
    with pytest.raises(ValueError, match=r"denoiser's answer .*at t = (1|0\.999)\b"):
        run(solver, broken(bad))


@pytest.mark.thorough
@pytest.mark.parametrize("solver", SOLVERS, ids=lambda solver: repr(solver)[:40])
def test_samplers_that_break_on_the_way(solver):
    """The time is that of the break, and not the first or the last."""
    with pytest.raises(ValueError, match=r"denoiser's answer .*at t = 0\.[56]"):
        run(solver, broken(math.nan, high=0.65))


def test_the_adaptive_flow_in_its_last_step():
    with pytest.raises(ValueError, match=r"denoiser's answer .*at t = .*e-"):
        run(ProbabilityFlow(), broken(math.nan, high=1e-4))


@pytest.mark.parametrize("solver", [DDIMInversion(), HeunInversion(), FixedPointInversion()])
def test_inversions(solver):
    x = Function(GRID, torch.ones(2, 6, 1))
    for call in (invert, round_trip):
        with pytest.raises(
            ValueError, match=r"Encodings must be finite.*denoiser.*at t = 0\.[246]"
        ):
            call(solver, broken(math.nan, low=0.1), x, times=TIMES)


def test_likelihoods():
    x, g = Function(GRID, torch.ones(2, 6, 1)), torch.Generator()
    with pytest.raises(ValueError, match=r"denoiser's signal must be finite.*at t = 0\.5"):
        log_likelihood(broken(math.nan), x, time=0.5)
    with pytest.raises(ValueError, match=r"denoiser's signal must be finite.*at t = 0\.[6-9]"):
        log_likelihood(broken(math.nan, low=0.6), x, time=0.5)
    with pytest.raises(ValueError, match=r"denoiser's answer must be finite.*at t = 0\.6"):
        evidence_bound(broken(math.nan, high=0.65), x, times=timesteps(5, end=0.1), generator=g)


def test_a_step_that_is_not_finite_is_not_blamed_on_the_denoiser():
    class Broken:
        calls, spacing = 1, "uniform"

        def step(self, denoiser, x_t, t, s, *, generator):
            return x_t * (math.nan if float(s[0]) == 0.0 else 1.0)

    with pytest.raises(ValueError, match="denoiser said of each state was finite"):
        run(Broken(), broken(1.0))
