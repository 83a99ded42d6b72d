"""Schedules preserve the variance, and keep their relative accuracy at both ends of time."""

import math
from decimal import Decimal, localcontext

import pytest
import torch
from every_schedule import EVERY, PRESERVING
from hypothesis import given
from hypothesis import strategies as st

from inftydiff.processes.schedules import (
    CosineSchedule,
    LinearSchedule,
    ShiftedCosineSchedule,
    SigmoidSchedule,
    VarianceExplodingSchedule,
)
from inftydiff.testing.strategies import KnotSchedule

THREE = Decimal(3)
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


def exact_sigmoid_sigma(t: float) -> float:
    """√(1 − γ(t)) of the sigmoid schedule from −3 to 3 in fifty digits."""
    with localcontext() as context:
        context.prec = 50
        first, last, here = (1 / (1 + (-x).exp()) for x in (-THREE, THREE, 6 * Decimal(t) - THREE))
        return float(((here - first) / (last - first)).sqrt())


def exact_exploding_sigma(t: float) -> float:
    """σ of the variance-exploding schedule from 0.01 to 50 in fifty digits."""
    with localcontext() as context:
        context.prec = 50
        start = Decimal("0.01")
        return float((((50 / start).ln() * 2 * Decimal(t)).exp() - 1).sqrt() * start)


def exact_linear_sigma(t: float) -> float:
    """√(1 − ᾱ(t)) of the linear schedule within its first step, where log ᾱ is linear."""
    with localcontext() as context:
        context.prec = 50
        log = (1 - Decimal("0.0001")).ln() * Decimal(t) * 1000
        return float((1 - log.exp()).sqrt())


@pytest.mark.parametrize("name", PRESERVING)
@given(t=st.floats(0.0, 1.0))
def test_they_preserve_the_variance(name: str, t: float):
    time = torch.tensor(t, dtype=torch.float64)
    power = PRESERVING[name].alpha(time) ** 2 + PRESERVING[name].sigma(time) ** 2
    assert power.item() == pytest.approx(1.0, abs=3e-14)


@given(exponent=st.floats(-12.0, -0.1))
def test_sigma_near_the_start_of_the_cosine_schedule(exponent: float):
    t = 10.0**exponent
    found = CosineSchedule().sigma(torch.tensor(t, dtype=torch.float64)).item()
    assert found == pytest.approx(exact_cosine_sigma(t), rel=1e-12, abs=0)


@given(exponent=st.floats(-12.0, -3.0))
def test_sigma_near_the_start_of_the_linear_schedule(exponent: float):
    t = 10.0**exponent
    found = LinearSchedule().sigma(torch.tensor(t, dtype=torch.float64)).item()
    assert found == pytest.approx(exact_linear_sigma(t), rel=1e-12, abs=0)


@given(exponent=st.floats(-12.0, -0.1))
def test_sigma_near_the_start_of_the_sigmoid_schedule(exponent: float):
    t = 10.0**exponent
    found = SigmoidSchedule().sigma(torch.tensor(t, dtype=torch.float64)).item()
    assert found == pytest.approx(exact_sigmoid_sigma(t), rel=1e-12, abs=0)


@given(exponent=st.floats(-12.0, -0.1))
def test_sigma_near_the_start_of_the_exploding_schedule(exponent: float):
    t = 10.0**exponent
    found = VarianceExplodingSchedule().sigma(torch.tensor(t, dtype=torch.float64)).item()
    assert found == pytest.approx(exact_exploding_sigma(t), rel=1e-12, abs=0)


@given(exponent=st.floats(-12.0, -0.1), shift=st.floats(0.05, 20.0))
def test_sigma_near_the_start_of_the_shifted_cosine_schedule(exponent: float, shift: float):
    t = 10.0**exponent
    ratio = math.tan(0.5 * math.pi * t) / shift
    found = ShiftedCosineSchedule(shift).sigma(torch.tensor(t, dtype=torch.float64)).item()
    assert found == pytest.approx(ratio / math.hypot(1.0, ratio), rel=1e-12, abs=0)


@given(rest=st.floats(-3.5, -1.0).map(lambda e: 10**e))
def test_alpha_near_the_end_of_the_sigmoid_schedule(rest: float):
    found = SigmoidSchedule().alpha(torch.tensor(1 - rest, dtype=torch.float64)).item()
    mirrored = SigmoidSchedule().sigma(torch.tensor(1 - (1 - rest), dtype=torch.float64)).item()
    assert found == pytest.approx(mirrored, rel=1e-12, abs=0)


def test_a_subtraction_from_one_would_not_be_accurate():
    t = torch.tensor(1e-10, dtype=torch.float64)
    naive = (1 - CosineSchedule().alpha(t) ** 2).sqrt().item()
    assert abs(naive / exact_cosine_sigma(1e-10) - 1) > 1e-6


@pytest.mark.parametrize("size", [(), (3,), (64,)])
@pytest.mark.parametrize("name", EVERY)
def test_they_begin_at_the_data_exactly(name: str, size: tuple[int, ...]):
    start = torch.zeros(size, dtype=torch.float64)
    assert torch.equal(EVERY[name].alpha(start), start + 1)
    assert torch.equal(EVERY[name].sigma(start), start)
    assert not EVERY[name].sigma(start).signbit().any()


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
