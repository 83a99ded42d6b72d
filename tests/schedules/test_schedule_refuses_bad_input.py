"""Times outside [0, 1], ratios out of range and parameters without sense are refused by name."""

import math

import jaxtyping
import pytest
import torch

from inftydiff.processes.schedule import (
    log_alpha_rate,
    log_snr,
    noise_ratio,
    noise_variance_rate,
    time_at_ratio,
)
from inftydiff.processes.schedules import (
    ConstantSchedule,
    CosineSchedule,
    FlowMatchingSchedule,
    LinearSchedule,
    ShiftedCosineSchedule,
    SigmoidSchedule,
    TabulatedSchedule,
    VarianceExplodingSchedule,
)


@pytest.fixture(autouse=True)
def _as_shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the run-time type checks of the tests, which refuse some of this themselves."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


@pytest.mark.parametrize("time", [-0.1, 1.001, math.nan, math.inf])
@pytest.mark.parametrize("function", [noise_ratio, log_snr, log_alpha_rate, noise_variance_rate])
def test_times_outside_the_interval(function, time: float):
    with pytest.raises(ValueError, match=r"Times lie in \[0, 1\]; got"):
        function(CosineSchedule(), torch.tensor([0.5, time]))


@pytest.mark.parametrize("ratio", [-0.1, 157.5, math.nan, math.inf])
def test_ratios_out_of_range(ratio: float):
    with pytest.raises(ValueError, match=r"σ/α of this schedule runs from 0 to 157.4.*; got"):
        time_at_ratio(LinearSchedule(), torch.tensor([0.5, ratio]))


@pytest.mark.parametrize("beta", [0.0, 1.0, -0.1, math.nan])
def test_a_constant_beta(beta: float):
    with pytest.raises(ValueError, match="(between 0 and 1|a finite number); got"):
        ConstantSchedule(beta)


@pytest.mark.parametrize("shift", [0.0, -1.0, math.nan, math.inf])
@pytest.mark.parametrize("kind", [ShiftedCosineSchedule, FlowMatchingSchedule])
def test_a_shift(kind, shift: float):
    with pytest.raises(ValueError, match="A shift must be a finite number above 0; got"):
        kind(shift)


@pytest.mark.parametrize(
    "arguments", [(3.0, -3.0), (1.0, 1.0), (math.nan, 3.0), (-3.0, math.inf), (-3.0, 3.0, 0.001)]
)
def test_a_sigmoid(arguments: tuple[float, ...]):
    with pytest.raises(
        ValueError,
        match="neither more than 500|must be a finite number",
    ):
        SigmoidSchedule(*arguments)


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan])
def test_a_temperature(temperature: float):
    with pytest.raises(ValueError, match="A temperature must be a finite number above 0; got"):
        SigmoidSchedule(temperature=temperature)


@pytest.mark.parametrize("pair", [(0.0, 1.0), (math.nan, 1.0), (1.0, math.inf), (-1.0, 1.0)])
def test_noise_levels(pair: tuple[float, float]):
    with pytest.raises(ValueError, match=r"σ_(min|max) must be a finite number above 0.*; got"):
        VarianceExplodingSchedule(*pair)


@pytest.mark.parametrize("pair", [(1.0, 1.0), (2.0, 1.0)])
def test_noise_levels_in_the_wrong_order(pair: tuple[float, float]):
    with pytest.raises(ValueError, match=r"σ_max must be above σ_min.*; got"):
        VarianceExplodingSchedule(*pair)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (((0,), (1,), (0,)), "two knots or more.*got 1, 1 and 1"),
        (((0, 1), (1, 0.5), (0, 0.5, 1)), "as many times as alphas and sigmas; got 2, 2 and 3"),
        (((0, 0.5), (1, 0.5), (0, 1)), r"rise from 0 to 1; got 0, 0.5"),
        (((0.1, 1), (1, 0.5), (0, 1)), r"rise from 0 to 1; got 0.1, 1"),
        (((0, 0.5, 0.5, 1), (1,) * 4, (0, 1, 2, 3)), r"rise from 0 to 1; got 0, 0.5, 0.5, 1"),
        (
            ((0, math.nan, 1), (1,) * 3, (0, 1, 2)),
            r"times must be a finite number; got nan",
        ),
        ((range(30), (1,) * 30, range(30)), r"got 0, 1, 2, …, 27, 28, 29"),
        (((0, 1), (0.9, 0.5), (0, 1)), r"begins at the data.*got α = 0.9 and σ = 0"),
        (((0, 1), (1, 0.5), (0.1, 1)), r"begins at the data.*got α = 1 and σ = 0.1"),
        (((0, 1), (1, 0.0), (0, 1)), r"table's α must be finite and above 0; got 0.*small floor"),
        (((0, 1), (1, math.nan), (0, 1)), r"table's alphas must be a finite number; got nan"),
        (((0, 1), (1, 0.5), (0, 0.0)), r"table's σ must be finite and above 0; got 0"),
        (((0, 1), (1, 0.5), (0, math.inf)), r"table's sigmas must be a finite number; got inf"),
        (
            ((0, 0.5, 1), (1, 0.5, 0.5), (0, 1.0, 0.9)),
            r"σ/α must not fall in a table; got 2 and then 1.8, at t = 0.5 and 1",
        ),
    ],
)
def test_tables(table, message: str):
    with pytest.raises(ValueError, match=message):
        TabulatedSchedule(*(tuple(part) for part in table))


@pytest.mark.parametrize(
    "squares", [[0.9, 0.0], [1.0, 0.5], [0.9, -0.1], [0.9, math.nan], [1.1, 0.2]]
)
def test_alpha_bars_out_of_range(squares: list[float]):
    with pytest.raises(ValueError, match="ᾱ lies between 0 and 1; got"):
        TabulatedSchedule.preserving(torch.tensor(squares))


def test_alpha_bars_that_rise():
    with pytest.raises(ValueError, match=r"σ/α must not fall in a table; got 1 and then 0.5"):
        TabulatedSchedule.preserving(torch.tensor([0.5, 0.8]))
