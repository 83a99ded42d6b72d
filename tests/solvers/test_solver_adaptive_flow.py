"""The adaptive probability flow keeps its tolerances, for samples with times of their own too.

With Gaussian data the flow keeps each mode over its standard deviation: the exact solution.
"""

import sys

import jaxtyping
import pytest
import torch
from solver_runs import ModeDenoiser, coefficients, function_of

from inftydiff import CosineSchedule, Function, Grid, LinearSchedule, Prediction
from inftydiff.processes import Blurring, DiffusionProcess
from inftydiff.processes.schedules import FlowMatchingSchedule, VarianceExplodingSchedule
from inftydiff.processes.solvers import ProbabilityFlow
from inftydiff.processes.solvers.flow import LEAST_RATIO

RATIOS = torch.tensor([1e-3, 0.05, 1.0, 40.0], dtype=torch.float64)
"""The variances of the data's modes over those of the noise."""

GRID = Grid((len(RATIOS),))
SCHEDULES = [
    CosineSchedule(),
    LinearSchedule(),
    FlowMatchingSchedule(),
    VarianceExplodingSchedule(0.01, 50.0),
]
METHODS = ["dopri5", "dopri8", "bosh3", "fehlberg2", "adaptive_heun"]


@pytest.fixture(autouse=True)
def _unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the run-time type checks, which take longer than the arithmetic of so small steps."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


class Counted:
    """A denoiser that keeps the times it is asked about."""

    def __init__(self, denoiser: ModeDenoiser) -> None:
        self.denoiser, self.times = denoiser, []

    @property
    def process(self) -> DiffusionProcess:
        return self.denoiser.process

    def __call__(self, x_t: Function, t: torch.Tensor) -> Prediction:
        self.times.append(t)
        return self.denoiser(x_t, t)


def denoiser_of(schedule, kind: str) -> ModeDenoiser:
    if kind == "blurring":
        process = DiffusionProcess.blurring(schedule, Blurring(0.1))
    else:
        process = DiffusionProcess.white(schedule)
    return ModeDenoiser(process, RATIOS, torch.ones_like(RATIOS))


def error(solver, denoiser, t: list[float], s: list[float], asked=None) -> torch.Tensor:
    """The relative errors of a step of typical states, (batch, modes)."""
    now, after = (torch.tensor(times, dtype=torch.float64) for times in (t, s))
    before, later = (denoiser.spread(times, GRID).unsqueeze(1) for times in (now, after))
    x = function_of(before, GRID)
    denoise = denoiser if asked is None else asked
    end = solver.step(denoise, x, now, after, generator=torch.Generator())
    return (coefficients(end) / later - 1.0).abs()[:, 0]


@pytest.mark.thorough
@pytest.mark.parametrize("kind", ["white", "blurring"])
@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda s: type(s).__name__)
def test_the_error_follows_the_tolerance(schedule, kind: str):
    denoiser = denoiser_of(schedule, kind)
    loose, tight = (
        error(ProbabilityFlow(rtol=tol, atol=0.1 * tol), denoiser, [0.8], [0.3]).max().item()
        for tol in (1e-3, 1e-6)
    )
    assert loose < 0.05
    assert tight < 5e-5
    assert tight < loose


@pytest.mark.parametrize("method", METHODS)
def test_every_method(method):
    solver = ProbabilityFlow(rtol=1e-4, atol=1e-5, method=method)
    assert error(solver, denoiser_of(CosineSchedule(), "white"), [0.6], [0.5]).max() < 2e-3


@pytest.mark.parametrize("kind", ["white", "blurring"])
def test_samples_with_times_of_their_own(kind: str):
    solver = ProbabilityFlow(rtol=1e-6, atol=1e-7)
    found = error(solver, denoiser_of(CosineSchedule(), kind), [0.9, 0.5, 0.4], [0.6, 0.1, 0.39])
    assert found.max() < 1e-4


@pytest.mark.thorough
@pytest.mark.parametrize("kind", ["white", "blurring"])
def test_from_noise_to_data_in_one_step(kind: str):
    denoiser = denoiser_of(CosineSchedule(), kind)
    asked = Counted(denoiser)
    found = error(ProbabilityFlow(rtol=1e-6, atol=1e-8), denoiser, [1.0], [0.0], asked)
    assert found.max() < 1e-4
    last = asked.times[-1]
    ratio = denoiser.process.schedule.sigma(last) / denoiser.process.schedule.alpha(last)
    assert ratio.item() == pytest.approx(LEAST_RATIO, rel=1e-6)
    assert torch.stack(asked.times).min() == last


def test_the_end_is_wrong_by_what_is_said():
    denoiser = denoiser_of(CosineSchedule(), "white")
    found = error(ProbabilityFlow(rtol=1e-9, atol=1e-12), denoiser, [0.02], [0.0])[0]
    torch.testing.assert_close(found[:2], LEAST_RATIO**2 / (2.0 * RATIOS[:2]), rtol=0.02, atol=0)


def test_samples_to_the_data_beside_others_that_are_not():
    denoiser = denoiser_of(CosineSchedule(), "white")
    found = error(ProbabilityFlow(rtol=1e-6, atol=1e-8), denoiser, [0.5, 0.5], [0.0, 0.2])
    assert found.max() < 1e-4


def test_a_start_below_the_least_ratio_is_a_step_of_ddim():
    denoiser = denoiser_of(FlowMatchingSchedule(), "white")
    asked = Counted(denoiser)
    t = 0.5 * LEAST_RATIO
    assert error(ProbabilityFlow(), denoiser, [t], [0.0], asked).max() < 1e-5
    assert all(abs(time.item() - t) < 1e-9 for time in asked.times)


@pytest.mark.parametrize("kind", ["white", "blurring"])
def test_times_beyond_the_end_are_not_asked(kind: str):
    denoiser = denoiser_of(CosineSchedule(), kind)
    asked = Counted(denoiser)
    error(ProbabilityFlow(rtol=1e-3, atol=1e-3), denoiser, [0.6], [0.5], asked)
    assert torch.stack(asked.times).min() >= 0.5 - 1e-9


def test_float32_states_stay_float32():
    denoiser = denoiser_of(CosineSchedule(), "white")
    x = Function(GRID, torch.ones(1, GRID.size, 2))
    t, s = torch.tensor([0.7]).double(), torch.tensor([0.4]).double()
    wide = Function(GRID, x.values.double())
    solver, generator = ProbabilityFlow(rtol=1e-5, atol=1e-6), torch.Generator()
    found, exact = (solver.step(denoiser, f, t, s, generator=generator).values for f in (x, wide))
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), exact, rtol=0, atol=1e-4)


def test_without_torchdiffeq(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "torchdiffeq", None)
    denoiser = denoiser_of(CosineSchedule(), "white")
    with pytest.raises(ModuleNotFoundError, match=r"torchdiffeq.*pip install \"inftydiff\[solv"):
        error(ProbabilityFlow(), denoiser, [0.6], [0.5])
