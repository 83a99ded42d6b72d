"""Times that do not run down, and starts that do not fit, are refused before anything is drawn."""

import math

import jaxtyping
import pytest
import torch

from inftydiff import (
    DDIM,
    DDPM,
    CosineSchedule,
    DiffusionProcess,
    Function,
    Grid,
    Prediction,
    Scattered,
    WhiteNoise,
    gaussian_mollifier,
    sample,
    steps,
    trajectory,
)

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
        "times": steps(3),
        "batch": 2,
        "channels": 1,
        "generator": torch.Generator().manual_seed(0),
        **changes,
    }
    return draw(DDIM(), process, denoiser, **arguments)


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


@pytest.mark.parametrize("n", [0, -3, 2.5])
def test_a_number_of_steps_that_is_not_whole(n):
    with pytest.raises(ValueError, match="number of steps must be a whole number of at least 1"):
        steps(n)


@pytest.mark.parametrize("ends", [(0.2, 0.8), (0.5, 0.5), (1.1, 0.0), (1.0, -0.1), (math.nan, 0)])
def test_steps_that_do_not_run_down(ends: tuple[float, float]):
    with pytest.raises(ValueError, match=r"0 ≤ end < start ≤ 1; got start .* and end"):
        steps(4, start=ends[0], end=ends[1])


def test_an_unknown_spacing():
    with pytest.raises(ValueError, match="Unknown spacing 'karras'; choose 'uniform'"):
        steps(4, spacing="karras")


@pytest.mark.parametrize("eta", [-0.1, 1.1, math.nan])
def test_an_eta_out_of_range(eta: float):
    with pytest.raises(ValueError, match=r"DDIM's eta lies in \[0, 1\]; got"):
        DDIM(eta)


def test_an_unknown_variance():
    with pytest.raises(ValueError, match="'posterior' or 'transition'; got 'learned'"):
        DDPM("learned")
