"""The amplitudes are those of the literature's formulas, written out one by one."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inftydiff.processes.schedule import log_snr, noise_ratio
from inftydiff.processes.schedules import (
    ConstantSchedule,
    FlowMatchingSchedule,
    ShiftedCosineSchedule,
    SigmoidSchedule,
    VarianceExplodingSchedule,
)

inner = st.floats(0.02, 0.98)


def at(t: float) -> torch.Tensor:
    return torch.tensor(t, dtype=torch.float64)


def pair(schedule, t: float) -> tuple[float, float]:
    return schedule.alpha(at(t)).item(), schedule.sigma(at(t)).item()


@given(i=st.integers(0, 999), beta=st.floats(1e-4, 0.05))
def test_constant_beta_is_a_product(i: int, beta: float):
    alpha, sigma = pair(ConstantSchedule(beta), (i + 1) / 1000)
    alpha_bar = np.prod(np.full(i + 1, 1 - beta))
    assert alpha**2 == pytest.approx(alpha_bar, rel=1e-11, abs=0)
    assert sigma**2 == pytest.approx(1 - alpha_bar, rel=1e-11, abs=0)


@given(t=inner, shift=st.floats(0.05, 20.0))
def test_shifted_cosine_is_the_log_snr_of_simple_diffusion(t: float, shift: float):
    schedule = ShiftedCosineSchedule(shift)
    expected = -2 * math.log(math.tan(math.pi * t / 2)) + 2 * math.log(shift)
    assert log_snr(schedule, at(t)).item() == pytest.approx(expected, abs=1e-12)
    alpha, sigma = pair(schedule, t)
    assert alpha**2 == pytest.approx(1 / (1 + math.exp(-expected)), rel=1e-12, abs=0)
    assert sigma**2 == pytest.approx(1 / (1 + math.exp(expected)), rel=1e-12, abs=0)


@given(t=inner, start=st.floats(-4.0, 0.0), end=st.floats(0.5, 4.0), tau=st.floats(0.3, 3.0))
def test_sigmoid_is_the_algorithm_of_chen(t: float, start: float, end: float, tau: float):
    def logistic(x: float) -> float:
        return 1 / (1 + math.exp(-x))

    first, last = logistic(start / tau), logistic(end / tau)
    gamma = (last - logistic((t * (end - start) + start) / tau)) / (last - first)
    alpha, sigma = pair(SigmoidSchedule(start, end, tau), t)
    assert (alpha**2, sigma**2) == pytest.approx((gamma, 1 - gamma), rel=1e-11, abs=1e-14)


@given(t=inner)
def test_a_hot_sigmoid_is_linear_in_the_variance(t: float):
    alpha, sigma = pair(SigmoidSchedule(temperature=1e6), t)
    assert (alpha**2, sigma**2) == pytest.approx((1 - t, t), rel=1e-10, abs=0)


@given(t=inner, low=st.floats(1e-3, 0.5), high=st.floats(1.0, 1e3))
def test_exploding_variance_is_that_of_the_geometric_sequence_less_its_start(t, low, high):
    alpha, sigma = pair(VarianceExplodingSchedule(low, high), t)
    geometric = low * (high / low) ** t
    assert alpha == 1.0
    assert sigma**2 == pytest.approx(geometric**2 - low**2, rel=1e-10, abs=0)


@given(t=inner)
def test_flow_matching_is_a_straight_line(t: float):
    assert pair(FlowMatchingSchedule(), t) == (1 - t, t)


@given(t=inner, shift=st.floats(0.1, 10.0))
def test_shifted_flow_is_the_formula_of_stable_diffusion_3(t: float, shift: float):
    schedule = FlowMatchingSchedule(shift)
    u = shift * t / (1 + (shift - 1) * t)
    assert pair(schedule, t) == pytest.approx((1 - u, u), rel=1e-12, abs=0)
    expected = shift * noise_ratio(FlowMatchingSchedule(), at(t)).item()
    assert noise_ratio(schedule, at(t)).item() == pytest.approx(expected, rel=1e-12, abs=0)


@pytest.mark.parametrize(
    ("schedule", "alpha", "sigma"),
    [
        (ConstantSchedule(), 0.992**500, math.sqrt(1 - 0.992**1000)),
        (ShiftedCosineSchedule(0.25), 1e-4, math.sqrt(1 - 1e-8)),
        (SigmoidSchedule(), math.sqrt(1e-9), math.sqrt(1 - 1e-9)),
        (VarianceExplodingSchedule(3.0, 5.0), 1.0, 4.0),
        (FlowMatchingSchedule(), 1e-4, 1.0),
        (FlowMatchingSchedule(4.0), 1e-4, 1.0),
    ],
)
def test_they_end_as_documented(schedule, alpha: float, sigma: float):
    assert pair(schedule, 1.0) == pytest.approx((alpha, sigma), rel=1e-12, abs=0)


@pytest.mark.parametrize(
    ("schedule", "formula"),
    [
        (ShiftedCosineSchedule(0.25), lambda t: 0.25 / torch.hypot(t.new_tensor(0.25), tan(t))),
        (FlowMatchingSchedule(2.0), lambda t: (1 - t) / (1 + t)),
    ],
)
def test_the_floor_is_where_the_formula_falls_below_it(schedule, formula):
    t = torch.linspace(0.99, 1.0, 10_001, dtype=torch.float64)
    exact = formula(t)
    assert 10 < (exact < 1e-4).sum() < 1000
    torch.testing.assert_close(schedule.alpha(t), exact.clamp(min=1e-4), rtol=1e-10, atol=0)


def tan(t: torch.Tensor) -> torch.Tensor:
    return torch.tan(math.pi * t / 2)
