"""``time_at_ratio`` inverts σ/α, and gives the earliest time where a schedule is flat."""

import math

import pytest
import torch
from every_schedule import EVERY
from hypothesis import given
from hypothesis import strategies as st

from inftydiff.processes.schedule import log_snr, noise_ratio, time_at_ratio
from inftydiff.processes.schedules import (
    CosineSchedule,
    FlowMatchingSchedule,
    ShiftedCosineSchedule,
    VarianceExplodingSchedule,
)
from inftydiff.testing.strategies import seeds


def at(*t: float) -> torch.Tensor:
    return torch.tensor(t, dtype=torch.float64)


def power(exponent: float) -> float:
    return 10.0**exponent


@given(name=st.sampled_from(sorted(EVERY)), seed=seeds())
def test_it_is_the_first_floating_point_number_with_the_ratio(name: str, seed: int):
    schedule = EVERY[name]
    generator = torch.Generator().manual_seed(seed)
    share = torch.rand(20, generator=generator, dtype=torch.float64)
    share[:10] = 10 ** (-16 * share[:10])
    ratio = noise_ratio(schedule, at(1.0)) * share
    time = time_at_ratio(schedule, ratio)
    before = torch.nextafter(time, torch.zeros_like(time))
    assert (noise_ratio(schedule, time) >= ratio).all()
    assert (noise_ratio(schedule, before) < ratio).all()
    torch.testing.assert_close(noise_ratio(schedule, time), ratio, rtol=1e-6, atol=0)


@given(
    name=st.sampled_from(["linear", "cosine", "exploding", "shifted flow"]),
    t=st.one_of(st.floats(1e-3, 0.999), st.floats(-30.0, -1.0).map(power)),
)
def test_the_time_of_the_ratio_is_the_time(name: str, t: float):
    ratio = noise_ratio(EVERY[name], at(t))
    assert time_at_ratio(EVERY[name], ratio).item() == pytest.approx(t, rel=1e-9, abs=0)


CLOSED = {
    "flow": (FlowMatchingSchedule(), lambda r: r / (1 + r)),
    "shifted cosine": (ShiftedCosineSchedule(0.5), lambda r: 2 / math.pi * math.atan(0.5 * r)),
    "exploding": (
        VarianceExplodingSchedule(0.1, 100.0),
        lambda r: math.log1p((r / 0.1) ** 2) / (2 * math.log(1000.0)),
    ),
}


@pytest.mark.parametrize("name", CLOSED)
@given(exponent=st.floats(-8.0, 1.9))
def test_closed_forms(name: str, exponent: float):
    schedule, inverse = CLOSED[name]
    ratio = 10.0**exponent
    found = time_at_ratio(schedule, at(ratio)).item()
    assert found == pytest.approx(inverse(ratio), rel=1e-11, abs=0)


def test_the_earliest_time_of_a_flat_piece():
    table = EVERY["table with flat pieces"]
    found = time_at_ratio(table, noise_ratio(table, at(0.25, 0.3, 0.7, 0.9, 1.0)))
    torch.testing.assert_close(found, at(0.1, 0.1, 0.6, 0.6, 0.6), rtol=1e-13, atol=0)


def test_the_earliest_time_of_the_floor():
    cosine = CosineSchedule()
    ratio = noise_ratio(cosine, at(1.0))
    found = time_at_ratio(cosine, ratio)
    assert 0.9999 < found.item() < 1
    assert noise_ratio(cosine, found) == ratio
    assert noise_ratio(cosine, found - 1e-9) < ratio


def test_it_is_vectorised():
    ratio = 10 ** torch.linspace(-5, 1.5, 24, dtype=torch.float64).reshape(2, 3, 4)
    whole = time_at_ratio(CosineSchedule(), ratio)
    each = [time_at_ratio(CosineSchedule(), r).item() for r in ratio.flatten()]
    assert whole.shape == (2, 3, 4)
    assert whole.flatten().tolist() == each
    assert time_at_ratio(CosineSchedule(), ratio[:0]).shape == (0, 3, 4)


@pytest.mark.parametrize("function", [noise_ratio, log_snr, time_at_ratio])
def test_the_dtype_is_the_argument_s_and_the_work_is_in_float64(function):
    t = torch.rand(50, generator=torch.Generator().manual_seed(0)) * 0.9
    found = function(CosineSchedule(), t)
    assert found.dtype == torch.float32
    assert torch.equal(found, function(CosineSchedule(), t.double()).float())


@pytest.mark.parametrize("name", EVERY)
@given(t=st.floats(1e-6, 1.0))
def test_the_log_snr_is_the_logarithm_of_the_ratio(name: str, t: float):
    found = log_snr(EVERY[name], at(t)).item()
    ratio = noise_ratio(EVERY[name], at(t)).item()
    assert found == pytest.approx(-2 * math.log(ratio), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("name", EVERY)
def test_the_data_have_no_noise(name: str):
    assert noise_ratio(EVERY[name], at(0.0)).item() == 0
    assert log_snr(EVERY[name], at(0.0)).item() == math.inf


def test_a_ratio_beyond_the_end_by_rounding_is_the_end():
    schedule = VarianceExplodingSchedule(3.0, 5.0)
    assert time_at_ratio(schedule, at(4.0 * (1 + 1e-15))).item() == pytest.approx(1.0, abs=1e-14)
