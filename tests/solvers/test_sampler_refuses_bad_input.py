"""Times that do not run down, starts that do not fit and solvers that do not exist are refused."""

import math

import jaxtyping
import pytest
import torch

from inftydiff import (
    DDIM,
    DDPM,
    Blurring,
    CosineSchedule,
    DiffusionProcess,
    DPMSolverPP,
    EulerMaruyama,
    Function,
    Grid,
    Heun,
    Prediction,
    ProbabilityFlow,
    Scattered,
    Subset,
    UniPC,
    WhiteNoise,
    gaussian_mollifier,
    sample,
    timesteps,
    trajectory,
)
from inftydiff.processes import CallableDenoiser

GRID = Grid((4, 3))
PROCESS = DiffusionProcess.mollified(
    CosineSchedule(), gaussian_mollifier(0.15), noise=WhiteNoise(0.3)
)


@pytest.fixture(autouse=True)
def _as_shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the run-time type checks of the tests, which refuse some of this themselves."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


def half(x_t: Function, t: torch.Tensor) -> Prediction:
    return Prediction(x_t * 0.5, x_t * 0.5)


def run(draw=sample, denoiser=half, process=PROCESS, **changes):
    arguments = {
        "on": GRID,
        "times": timesteps(3),
        "batch": 2,
        "channels": 1,
        "generator": torch.Generator().manual_seed(0),
        **changes,
    }
    return draw(DDIM(), CallableDenoiser(process, denoiser), **arguments)


@pytest.mark.parametrize("times", [[0.5], [], [1.0, 0.5, 0.5], [0.0, 0.5, 1.0], [[1.0, 0.0]]])
@pytest.mark.parametrize("draw", [sample, trajectory])
def test_times_that_do_not_decrease(draw, times):
    with pytest.raises(ValueError, match=r"at least two decreasing times; got \["):
        run(draw, times=torch.tensor(times))


@pytest.mark.parametrize("times", [[1.2, 0.5], [0.5, -0.1], [math.nan, 0.5], [1.0, math.nan]])
@pytest.mark.parametrize("draw", [sample, trajectory])
def test_times_outside_the_interval(draw, times):
    with pytest.raises(ValueError, match=r"Times lie in \[0, 1\]; got"):
        run(draw, times=torch.tensor(times))


@pytest.mark.parametrize(
    "start",
    [
        Function(GRID, torch.zeros(3, 12, 1)),
        Function(GRID, torch.zeros(2, 12, 2)),
        Function(GRID, torch.zeros(12, 1)),
        Function(Grid((3, 4)), torch.zeros(2, 12, 1)),
    ],
    ids=["batch", "channels", "no batch", "elsewhere"],
)
@pytest.mark.parametrize("draw", [sample, trajectory])
def test_a_start_that_does_not_fit(draw, start: Function):
    with pytest.raises(ValueError, match=r"start has the shape .*; expected \(2, 12, 1\) on"):
        run(draw, start=start)


@pytest.mark.parametrize("sizes", [{"batch": 0}, {"channels": 0}])
def test_no_samples_or_channels(sizes: dict):
    with pytest.raises(ValueError, match="must be a whole number of at least 1; got 0"):
        run(**sizes)


def test_white_noise_is_not_sampled_off_a_lattice():
    process = DiffusionProcess.white(CosineSchedule())
    with pytest.raises(ValueError, match="White noise has no values off a lattice"):
        run(process=process, on=Scattered(GRID.points))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_samples_that_are_not_finite(bad: float):
    def broken(x_t: Function, t: torch.Tensor) -> Prediction:
        return Prediction(x_t * bad, x_t)

    with pytest.raises(ValueError, match="Samples must be finite; got 24 NaN or infinite of 24"):
        run(denoiser=broken)


@pytest.mark.parametrize("eta", [-0.1, 1.1, math.nan])
def test_an_eta_out_of_range(eta: float):
    with pytest.raises(ValueError, match=r"DDIM's eta must be a number in \[0, 1\]; got"):
        DDIM(eta)


def test_an_unknown_variance():
    with pytest.raises(ValueError, match="one of 'posterior', 'transition'; got 'learned'"):
        DDPM("learned")


@pytest.mark.parametrize("order", [0, 4, 2.5])
def test_an_order_that_there_is_not(order):
    with pytest.raises(ValueError, match=r"order .*(is one of \(1, 2, 3\)|a whole number.*); got"):
        DPMSolverPP(order)
    with pytest.raises(ValueError, match=r"order .*(is 1, 2 or 3|a whole number.*); got"):
        UniPC(order)


def test_a_stochastic_solver_of_order_three():
    with pytest.raises(ValueError, match=r"order of stochastic DPM-Solver\+\+ is one of \(1, 2\)"):
        DPMSolverPP(3, stochastic=True)


def test_the_weight_of_diffusers_in_another_order():
    with pytest.raises(ValueError, match="as_diffusers is about order 3; got order 2"):
        DPMSolverPP(2, as_diffusers=True)


def test_an_unknown_variable():
    with pytest.raises(ValueError, match="variable must be one of 'log_snr', 'ratio'; got 'time'"):
        Heun("time")


@pytest.mark.parametrize("bad", [0.0, -1e-3, math.inf, math.nan])
def test_tolerances_that_are_none(bad: float):
    with pytest.raises(ValueError, match="relative tolerance must be a finite number above 0"):
        ProbabilityFlow(rtol=bad)
    with pytest.raises(ValueError, match="absolute tolerance must be a finite number above 0"):
        ProbabilityFlow(atol=bad)


def test_a_method_that_is_not_adaptive():
    with pytest.raises(ValueError, match="The method must be one of 'dopri5', .*; got 'rk4'"):
        ProbabilityFlow(method="rk4")


SOLVERS = [
    DDPM(),
    DDPM("transition"),
    DDIM(),
    EulerMaruyama(),
    Heun(),
    DPMSolverPP(2),
    DPMSolverPP(2, stochastic=True),
    UniPC(2),
    ProbabilityFlow(),
]


def asked_for_nothing(x_t: Function, t: torch.Tensor) -> Prediction:
    raise AssertionError("The denoiser is not asked in a step that is refused.")


@pytest.mark.parametrize("solver", SOLVERS, ids=str)
@pytest.mark.parametrize(
    ("t", "s", "message"),
    [
        (0.3, 0.3, "A step goes between times s < t"),
        (0.2, 0.6, "A step goes between times s < t"),
        (1.2, 0.6, r"Times lie in \[0, 1\]"),
        (0.5, -0.1, r"Times lie in \[0, 1\]"),
    ],
)
def test_a_step_that_does_not_run_down(solver, t: float, s: float, message: str):
    x = Function(GRID, torch.zeros(2, 12, 1))
    now, after = (torch.full((2,), time, dtype=torch.float64) for time in (t, s))
    with pytest.raises(ValueError, match=message):
        solver.step(
            CallableDenoiser(PROCESS, asked_for_nothing), x, now, after, generator=torch.Generator()
        )


@pytest.mark.parametrize("solver", SOLVERS, ids=str)
def test_blurring_diffusion_off_a_grid(solver):
    process = DiffusionProcess.blurring(CosineSchedule(), Blurring(0.1))
    x = Function(Subset(GRID, torch.tensor([1, 5])), torch.zeros(2, 2, 1))
    now, after = (torch.full((2,), time, dtype=torch.float64) for time in (0.6, 0.4))
    with pytest.raises(ValueError, match="functions on a full Grid; got Subset"):
        solver.step(
            CallableDenoiser(process, asked_for_nothing), x, now, after, generator=torch.Generator()
        )
