"""Numbers of steps, ends, spacings and ratios without sense are refused by name."""

import math

import jaxtyping
import pytest
import torch

from inftydiff.processes.schedules import CosineSchedule, TabulatedSchedule
from inftydiff.processes.times import recommended_timesteps, timesteps

COSINE = CosineSchedule()


@pytest.fixture(autouse=True)
def _as_shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the run-time type checks of the tests, which refuse some of this themselves."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


@pytest.mark.parametrize("spacing", ["uniform", "quadratic", "log_snr"])
@pytest.mark.parametrize("n", [0, -3, 2.5])
def test_a_number_of_steps_that_is_not_whole(n, spacing):
    with pytest.raises(ValueError, match="number of steps must be a whole number of at least 1"):
        timesteps(n, spacing=spacing, schedule=COSINE)


@pytest.mark.parametrize("spacing", ["uniform", "quadratic", "log_snr"])
@pytest.mark.parametrize("ends", [(0.2, 0.8), (0.5, 0.5), (1.1, 0.0), (1.0, -0.1), (math.nan, 0)])
def test_ends_that_do_not_run_down(ends: tuple[float, float], spacing):
    with pytest.raises(ValueError, match=r"0 ≤ end < start ≤ 1; got start|a finite number"):
        timesteps(4, spacing=spacing, start=ends[0], end=ends[1], schedule=COSINE)


def test_an_unknown_spacing():
    with pytest.raises(
        ValueError,
        match="spacing must be one of 'uniform', 'quadratic', 'log_snr', 'karras', 'angle'; got "
        "'cubic'",
    ):
        timesteps(4, spacing="cubic")


@pytest.mark.parametrize("spacing", ["log_snr", "karras", "angle"])
def test_a_spacing_that_lacks_the_schedule(spacing):
    with pytest.raises(ValueError, match=rf"spacing '{spacing}' is one of σ/α; pass schedule="):
        timesteps(4, spacing=spacing)


@pytest.mark.parametrize("spacing", ["log_snr", "karras"])
@pytest.mark.parametrize("least", [0.0, -1.0, math.nan, 30_000.0, 1000.0])
def test_a_least_ratio_out_of_range(spacing, least: float):
    with pytest.raises(
        ValueError, match=r"ratio (σ/α lies above 0.*|must be a finite number); got"
    ):
        timesteps(4, spacing=spacing, schedule=COSINE, least_ratio=least)


@pytest.mark.parametrize("spacing", ["log_snr", "karras"])
@pytest.mark.parametrize("greatest", [0.0, -1.0, math.nan, 1e-3])
def test_a_greatest_ratio_out_of_range(spacing, greatest: float):
    with pytest.raises(
        ValueError, match=r"ratio (σ/α lies above 0.*|must be a finite number); got"
    ):
        timesteps(4, spacing=spacing, schedule=COSINE, greatest_ratio=greatest)


@pytest.mark.parametrize("spacing", ["log_snr", "karras", "angle"])
def test_ends_on_one_flat_piece(spacing):
    flat = TabulatedSchedule((0, 0.5, 1), (1, 0.5, 0.5), (0, 1, 1))
    with pytest.raises(ValueError, match=r"σ/α is 2 at both ends, t = 0.9 and 0.6; there is noth"):
        timesteps(4, spacing=spacing, start=0.9, end=0.6, schedule=flat)


class Jump:
    """A schedule that is not continuous."""

    def alpha(self, t: torch.Tensor) -> torch.Tensor:
        return torch.ones_like(t)

    def sigma(self, t: torch.Tensor) -> torch.Tensor:
        return torch.where(t < 0.5, 0.1 * t, 10 * t)


def test_times_that_would_coincide():
    with pytest.raises(ValueError, match=r"30 steps from t = 1.0 to 0.0 do not fit: the spacing"):
        timesteps(30, spacing="log_snr", schedule=Jump())


def test_a_rule_without_a_spacing():
    with pytest.raises(TypeError, match=r"object recommends no spacing.*attribute spacing"):
        recommended_timesteps(4, object(), COSINE)


def test_a_rule_with_an_unknown_spacing():
    class Odd:
        spacing = "cubic"

    with pytest.raises(ValueError, match="spacing must be one of .*; got 'cubic'"):
        recommended_timesteps(4, Odd(), COSINE)
