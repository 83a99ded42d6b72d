"""A table is met at its knots, keeps its variance, and is β's own interpolation in between."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inftydiff.processes.schedule import noise_ratio
from inftydiff.processes.schedules import (
    ConstantSchedule,
    CosineSchedule,
    FlowMatchingSchedule,
    LinearSchedule,
    TabulatedSchedule,
    VarianceExplodingSchedule,
)
from inftydiff.testing.strategies import seeds

ANY = [CosineSchedule(), FlowMatchingSchedule(2.0), VarianceExplodingSchedule(0.01, 100.0)]


def table_of(schedule, knots: torch.Tensor) -> TabulatedSchedule:
    return TabulatedSchedule(
        tuple(knots.tolist()),
        tuple(schedule.alpha(knots).tolist()),
        tuple(schedule.sigma(knots).tolist()),
    )


def some_times(n: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    times = torch.rand(n + 1, generator=generator, dtype=torch.float64).sort().values
    times[0], times[-1] = 0.0, 1.0
    return times


@pytest.mark.parametrize("schedule", ANY)
@given(n=st.integers(1, 40), seed=seeds())
def test_the_knots_are_met(schedule, n: int, seed: int):
    knots = some_times(n, seed)
    table = table_of(schedule, knots)
    torch.testing.assert_close(table.alpha(knots), schedule.alpha(knots), rtol=1e-13, atol=0)
    torch.testing.assert_close(table.sigma(knots), schedule.sigma(knots), rtol=1e-13, atol=0)


@pytest.mark.thorough
@pytest.mark.parametrize("schedule", [LinearSchedule(), ConstantSchedule()])
@given(t=st.one_of(st.floats(0.0, 1.0), st.floats(-9.0, -3.0).map(lambda e: 10**e)))
def test_tables_of_beta_are_their_schedules(schedule, t: float):
    knots = torch.arange(1001, dtype=torch.float64) / 1000
    time = torch.tensor(t, dtype=torch.float64)
    table = table_of(schedule, knots)
    torch.testing.assert_close(table.alpha(time), schedule.alpha(time), rtol=1e-12, atol=0)
    torch.testing.assert_close(table.sigma(time), schedule.sigma(time), rtol=1e-10, atol=1e-16)


@given(n=st.integers(1, 9), seed=seeds(), t=st.floats(0.0, 1.0))
def test_the_variance_is_preserved_where_the_knots_do(n: int, seed: int, t: float):
    squares = 1 - 0.99 * some_times(n, seed)[1:]
    table = TabulatedSchedule.preserving(squares)
    time = torch.tensor(t, dtype=torch.float64)
    power = table.alpha(time) ** 2 + table.sigma(time) ** 2
    assert power.item() == pytest.approx(1.0, abs=1e-14)
    knots = torch.arange(1, n + 1, dtype=torch.float64) / n
    torch.testing.assert_close(table.alpha(knots) ** 2, squares, rtol=1e-13, atol=0)


@pytest.mark.parametrize("schedule", ANY)
def test_the_error_between_the_knots_is_of_second_order(schedule):
    t = torch.linspace(0.2, 0.9, 500, dtype=torch.float64)
    errors = []
    for n in (50, 100, 200):
        table = table_of(schedule, torch.linspace(0, 1, n + 1, dtype=torch.float64))
        found, exact = noise_ratio(table, t), noise_ratio(schedule, t)
        errors.append((found / exact - 1).abs().max().item())
    assert errors[-1] < 2e-3
    for coarse, fine in pairwise(errors):
        assert coarse / fine == pytest.approx(4.0, rel=0.15)


def test_tables_are_values():
    one, two = (TabulatedSchedule((0, 1), (1, 0.5), (0, 2.0)) for _ in range(2))
    assert one == two
    assert hash(one) == hash(two)
    assert one != TabulatedSchedule((0, 1), (1, 0.5), (0, 3.0))


def test_times_need_not_be_contiguous():
    t = torch.rand(4, 6, generator=torch.Generator().manual_seed(0)).mT[::2]
    table = TabulatedSchedule((0, 1), (1, 0.5), (0, 2.0))
    assert torch.equal(table.sigma(t), table.sigma(t.contiguous()))
