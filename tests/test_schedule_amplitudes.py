"""Schedules preserve the variance, and keep their relative accuracy at both ends of time."""

import math
from decimal import Decimal, localcontext

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inftydiff import CosineSchedule, LinearSchedule
from inftydiff.testing.strategies import KnotSchedule

OURS = [CosineSchedule(), LinearSchedule()]
PI = Decimal("3.14159265358979323846264338327950288419716939937511")


def cosine(x: Decimal) -> Decimal:
    """The cosine's power series."""
    term, total, n = Decimal(1), Decimal(1), 0
    while abs(term) > Decimal(10) ** -48:
        n += 2
        term *= -x * x / (n * (n - 1))
        total += term
    return total


def exact_cosine_sigma(t: float) -> float:
    """√(1 − α(t)²) of the cosine schedule in fifty digits."""
    with localcontext() as context:
        context.prec = 50
        offset = Decimal("0.008")
        angle = PI / 2 / (1 + offset)
        ratio = cosine(angle * (Decimal(t) + offset)) / cosine(angle * offset)
        return float((1 - ratio * ratio).sqrt())


def exact_linear_sigma(t: float) -> float:
    """√(1 − ᾱ(t)) of the linear schedule within its first step, where log ᾱ is linear."""
    with localcontext() as context:
        context.prec = 50
        log = (1 - Decimal("0.0001")).ln() * Decimal(t) * 1000
        return float((1 - log.exp()).sqrt())


@pytest.mark.parametrize("schedule", OURS)
@given(t=st.floats(0.0, 1.0))
def test_they_preserve_the_variance(schedule, t: float):
    time = torch.tensor(t, dtype=torch.float64)
    power = schedule.alpha(time) ** 2 + schedule.sigma(time) ** 2
    assert power.item() == pytest.approx(1.0, abs=1e-14)


@given(exponent=st.floats(-12.0, -0.1))
def test_sigma_near_the_start_of_the_cosine_schedule(exponent: float):
    t = 10.0**exponent
    found = CosineSchedule().sigma(torch.tensor(t, dtype=torch.float64)).item()
    assert found == pytest.approx(exact_cosine_sigma(t), rel=1e-12)


@given(exponent=st.floats(-12.0, -3.0))
def test_sigma_near_the_start_of_the_linear_schedule(exponent: float):
    t = 10.0**exponent
    found = LinearSchedule().sigma(torch.tensor(t, dtype=torch.float64)).item()
    assert found == pytest.approx(exact_linear_sigma(t), rel=1e-12)


def test_a_subtraction_from_one_would_not_be_accurate():
    t = torch.tensor(1e-10, dtype=torch.float64)
    naive = (1 - CosineSchedule().alpha(t) ** 2).sqrt().item()
    assert abs(naive / exact_cosine_sigma(1e-10) - 1) > 1e-6


@pytest.mark.parametrize("schedule", OURS)
def test_they_begin_at_the_data_exactly(schedule):
    start = torch.zeros(3, dtype=torch.float64)
    assert torch.equal(schedule.alpha(start), start + 1)
    assert torch.equal(schedule.sigma(start), start)


def test_alpha_between_the_knots_of_the_linear_schedule_is_a_geometric_mean():
    t = (torch.arange(999, dtype=torch.float64) + 1) / 1000
    knots = LinearSchedule().alpha(torch.cat([t, t[-1:] + 1e-3]))
    middle = LinearSchedule().alpha(t + 5e-4)
    torch.testing.assert_close(middle, (knots[:-1] * knots[1:]).sqrt(), rtol=1e-12, atol=0)


@given(alphas=st.lists(st.floats(0.2, 0.99), min_size=1, max_size=4), t=st.floats(0.0, 1.0))
def test_the_random_schedules_of_the_tests_preserve_the_variance(alphas, t: float):
    knots = [math.prod(alphas[:i], start=1.0) for i in range(len(alphas) + 1)]
    schedule = KnotSchedule(tuple(knots))
    time = torch.tensor(t, dtype=torch.float64)
    power = schedule.alpha(time) ** 2 + schedule.sigma(time) ** 2
    assert power.item() == pytest.approx(1.0, abs=1e-14)
