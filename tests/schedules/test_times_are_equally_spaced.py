"""n steps have n + 1 strictly decreasing times, exact at the ends, equal in the coordinate."""

import math
from itertools import pairwise

import pytest
import torch
from every_schedule import EVERY
from hypothesis import given
from hypothesis import strategies as st

from inftydiff.processes.schedule import noise_ratio, time_at_ratio
from inftydiff.processes.schedules import (
    CosineSchedule,
    FlowMatchingSchedule,
    LinearSchedule,
    VarianceExplodingSchedule,
)
from inftydiff.processes.times import Spacing, timesteps

COORDINATES = {
    "angle": math.atan,
    "log_snr": math.log,
    "karras": lambda r: r ** (1 / 7),
}
RATIO_SPACINGS = tuple(COORDINATES)
SMOOTH = {name: s for name, s in EVERY.items() if "table" not in name and "steep" not in name}

FLAT = [(EVERY["table with flat pieces"], t) for t in (0.85, 0.99, 1.0)]
FLAT += [(CosineSchedule(), t) for t in (0.99999, 1.0)]
"""Schedules, with times at which they are flat."""


def ratios(schedule, times: torch.Tensor) -> list[float]:
    return noise_ratio(schedule, times).tolist()


def assert_equal_gaps(coordinates: list[float]) -> None:
    gaps = [before - after for before, after in pairwise(coordinates)]
    scale = max(abs(c) for c in coordinates)
    for gap in gaps:
        assert gap == pytest.approx(gaps[0], rel=1e-6, abs=1e-7 * scale)


@given(n=st.integers(1, 60), start=st.floats(0.3, 1.0), share=st.floats(0.0, 0.9))
def test_uniform_in_time(n: int, start: float, share: float):
    times = timesteps(n, start=start, end=share * start)
    assert (times[0], times[-1]) == (start, share * start)
    assert_equal_gaps(times.tolist())


@given(n=st.integers(1, 60), start=st.floats(0.3, 1.0), share=st.floats(0.0, 0.9))
def test_quadratic_is_uniform_in_the_root(n: int, start: float, share: float):
    times = timesteps(n, spacing="quadratic", start=start, end=share * start)
    assert len(times) == n + 1
    assert (times[0], times[-1]) == (start, share * start)
    assert_equal_gaps(times.sqrt().tolist())


@given(n=st.integers(1, 200))
def test_quadratic_down_to_zero_goes_with_the_square_of_the_number(n: int):
    i = torch.arange(n, -1, -1, dtype=torch.float64)
    torch.testing.assert_close(
        timesteps(n, spacing="quadratic"), (i / n) ** 2, rtol=1e-13, atol=1e-16
    )


@pytest.mark.parametrize("spacing", RATIO_SPACINGS)
@given(
    name=st.sampled_from(sorted(SMOOTH)),
    n=st.integers(1, 40),
    start=st.floats(0.3, 0.9),
    share=st.floats(0.02, 0.8),
)
def test_equal_distances_between_times_within(spacing: Spacing, name, n, start, share):
    schedule, end = SMOOTH[name], share * start
    times = timesteps(n, spacing=spacing, start=start, end=end, schedule=schedule)
    assert (len(times), times[0], times[-1]) == (n + 1, start, end)
    assert (times.diff() < 0).all()
    assert_equal_gaps([COORDINATES[spacing](r) for r in ratios(schedule, times)])


@given(name=st.sampled_from(sorted(SMOOTH)), n=st.integers(1, 60))
def test_angles_down_to_the_data(name: str, n: int):
    times = timesteps(n, spacing="angle", schedule=SMOOTH[name])
    assert (len(times), times[0], times[-1]) == (n + 1, 1, 0)
    assert_equal_gaps([math.atan(r) for r in ratios(SMOOTH[name], times)])


@pytest.mark.parametrize("spacing", ["log_snr", "karras"])
@given(name=st.sampled_from(sorted(EVERY)), n=st.integers(3, 60))
def test_the_last_step_leads_from_the_least_ratio_to_the_data(spacing: Spacing, name: str, n: int):
    schedule = EVERY[name]
    times = timesteps(n, spacing=spacing, schedule=schedule, greatest_ratio=math.inf)
    assert (len(times), times[0], times[-1]) == (n + 1, 1, 0)
    assert (times.diff() < 0).all()
    found = ratios(schedule, times)
    least = noise_ratio(schedule, torch.tensor(1e-3, dtype=torch.float64)).item()
    assert found[-2] == pytest.approx(least, rel=1e-9, abs=0)
    assert_equal_gaps([COORDINATES[spacing](r) for r in found[:-1]])


@pytest.mark.parametrize("spacing", ["log_snr", "karras"])
@given(n=st.integers(3, 60), least=st.floats(1e-4, 0.1), end=st.sampled_from([0.0, 1e-8]))
def test_the_least_ratio_is_free(spacing: Spacing, n: int, least: float, end: float):
    schedule = LinearSchedule()
    times = timesteps(n, spacing=spacing, end=end, schedule=schedule, least_ratio=least)
    assert (len(times), times[0], times[-1]) == (n + 1, 1, end)
    found = ratios(schedule, times)
    assert found[-2] == pytest.approx(least, rel=1e-9, abs=0)
    assert_equal_gaps([COORDINATES[spacing](r) for r in found[:-1]])


def test_a_least_ratio_below_that_at_the_end_changes_nothing():
    common = {"spacing": "karras", "schedule": LinearSchedule(), "end": 0.1}
    assert torch.equal(timesteps(9, least_ratio=1e-4, **common), timesteps(9, **common))


@pytest.mark.parametrize("spacing", ["log_snr", "karras"])
@pytest.mark.parametrize(
    ("greatest", "schedule"),
    [(1e3, CosineSchedule()), (1e3, FlowMatchingSchedule()), (20.0, LinearSchedule())],
)
@given(n=st.integers(3, 60))
def test_the_first_of_the_equal_steps_begins_at_the_start(spacing: Spacing, greatest, schedule, n):
    """The floor of α is left in one step, not in many."""
    options = {} if greatest == 1e3 else {"greatest_ratio": greatest}
    times = timesteps(n, spacing=spacing, schedule=schedule, **options)
    assert (len(times), times[0], times[-1]) == (n + 1, 1, 0)
    found = ratios(schedule, times)
    assert found[0] > greatest
    assert_equal_gaps([COORDINATES[spacing](r) for r in [greatest, *found[1:-1]]])


@pytest.mark.parametrize("name", ["linear", "constant", "exploding"])
@pytest.mark.parametrize("spacing", ["log_snr", "karras"])
def test_a_schedule_without_a_floor_has_no_use_for_a_greatest_ratio(spacing: Spacing, name: str):
    common = {"spacing": spacing, "schedule": EVERY[name]}
    assert torch.equal(timesteps(12, **common), timesteps(12, greatest_ratio=math.inf, **common))


def test_between_ratios_above_the_greatest_it_is_left_aside():
    common = {"spacing": "log_snr", "schedule": CosineSchedule(), "end": 0.9997}
    assert torch.equal(timesteps(5, **common), timesteps(5, greatest_ratio=math.inf, **common))


@pytest.mark.parametrize("spacing", RATIO_SPACINGS)
@given(flat=st.sampled_from(FLAT), n=st.integers(1, 60))
def test_a_start_on_a_flat_piece(spacing: Spacing, flat, n: int):
    schedule, start = flat
    times = timesteps(n, spacing=spacing, start=start, schedule=schedule, greatest_ratio=1e9)
    assert (len(times), times[0], times[-1]) == (n + 1, start, 0)
    assert (times.diff() < 0).all()
    inner = time_at_ratio(schedule, noise_ratio(schedule, times[:1])).item()
    assert (times[1:] < inner).all()


@pytest.mark.parametrize("spacing", RATIO_SPACINGS)
@given(n=st.integers(1, 60), end=st.floats(0.15, 0.39))
def test_an_end_on_a_flat_piece(spacing: Spacing, n: int, end: float):
    schedule = EVERY["table with flat pieces"]
    times = timesteps(n, spacing=spacing, end=end, schedule=schedule)
    assert (len(times), times[0], times[-1]) == (n + 1, 1, end)
    assert (times.diff() < 0).all()
    assert (times[:-1] >= 0.4).all()


@pytest.mark.parametrize("spacing", RATIO_SPACINGS)
@given(
    name=st.sampled_from(sorted(EVERY)),
    start=st.floats(-5.0, 0.0).map(lambda e: 10**e),
    n=st.integers(1, 30),
)
def test_any_start(spacing: Spacing, name: str, start: float, n: int):
    times = timesteps(n, spacing=spacing, start=start, schedule=EVERY[name])
    assert (len(times), times[0], times[-1]) == (n + 1, start, 0)
    assert (times.diff() < 0).all()


@pytest.mark.parametrize("spacing", ["uniform", "quadratic", *RATIO_SPACINGS])
def test_one_and_two_steps(spacing: Spacing):
    schedule = VarianceExplodingSchedule()
    assert timesteps(1, spacing=spacing, schedule=schedule).tolist() == [1, 0]
    first, middle, last = timesteps(2, spacing=spacing, schedule=schedule).tolist()
    assert (first, last) == (1, 0)
    if spacing in ("log_snr", "karras"):
        assert middle == pytest.approx(1e-3, rel=1e-9)


@pytest.mark.parametrize("spacing", ["uniform", "quadratic", *RATIO_SPACINGS])
def test_a_thousand_times(spacing: Spacing):
    times = timesteps(1000, spacing=spacing, schedule=CosineSchedule())
    assert times.shape == (1001,)
    assert times.dtype == torch.float64
    assert (times[0], times[-1]) == (1, 0)
    assert (times.diff() < 0).all()


def test_the_times_of_four_steps():
    assert timesteps(4).tolist() == [1.0, 0.75, 0.5, 0.25, 0.0]
    assert timesteps(2, start=0.8, end=0.2).tolist() == pytest.approx([0.8, 0.5, 0.2])
