"""The rates of a schedule are the derivatives of its amplitudes, at both ends too."""

import math

import pytest
import torch
from every_schedule import EVERY, PRESERVING
from hypothesis import given
from hypothesis import strategies as st

from inftydiff.processes.schedule import log_alpha_rate, noise_ratio, noise_variance_rate
from inftydiff.processes.schedules import (
    ConstantSchedule,
    CosineSchedule,
    FlowMatchingSchedule,
    LinearSchedule,
    ShiftedCosineSchedule,
    TabulatedSchedule,
    VarianceExplodingSchedule,
)


def at(*t: float) -> torch.Tensor:
    return torch.tensor(t, dtype=torch.float64)


CLOSED = {
    "constant": (
        ConstantSchedule(),
        lambda t: 500 * math.log(0.992),
        lambda t: -1000 * math.log(0.992),
    ),
    "cosine": (
        CosineSchedule(),
        lambda t: -math.pi / 2.016 * math.tan(math.pi / 2 * (t + 0.008) / 1.008),
        lambda t: math.pi / 1.008 * math.tan(math.pi / 2 * (t + 0.008) / 1.008),
    ),
    "exploding": (
        VarianceExplodingSchedule(0.1, 10.0),
        lambda t: 0.0,
        lambda t: 0.01 * 2 * math.log(100.0) * 100.0 ** (2 * t),
    ),
    "flow": (
        FlowMatchingSchedule(),
        lambda t: -1 / (1 - t),
        lambda t: 2 * t / (1 - t),
    ),
}
"""Schedules, with what α̇/α and g² come to."""


@pytest.mark.parametrize("name", CLOSED)
@given(t=st.one_of(st.just(0.0), st.floats(0.0, 0.99), st.floats(-12.0, -3.0).map(lambda e: 10**e)))
def test_closed_forms(name: str, t: float):
    schedule, drift, variance = CLOSED[name]
    assert log_alpha_rate(schedule, at(t)).item() == pytest.approx(drift(t), rel=1e-9, abs=1e-12)
    found = noise_variance_rate(schedule, at(t)).item()
    assert found == pytest.approx(variance(t), rel=1e-9, abs=1e-11)


@given(i=st.integers(0, 999), share=st.floats(0.05, 0.95))
def test_between_its_times_a_beta_schedule_has_a_constant_rate(i: int, share: float):
    beta = 1e-4 + (0.02 - 1e-4) * i / 999
    t = at((i + share) / 1000)
    found = noise_variance_rate(LinearSchedule(), t).item()
    assert found == pytest.approx(-1000 * math.log1p(-beta), rel=1e-10)
    assert log_alpha_rate(LinearSchedule(), t).item() == pytest.approx(-found / 2, rel=1e-10)


@pytest.mark.parametrize("name", EVERY)
@given(t=st.floats(0.001, 0.95), gap=st.floats(1e-4, 1e-3))
def test_a_rate_is_a_quotient_of_differences(name: str, t: float, gap: float):
    """Between two knots or in a smooth schedule, by Simpson's rule for the rate."""
    schedule = EVERY[name]
    places = at(t, t + gap / 2, t + gap)
    knots = torch.tensor(getattr(schedule, "times", ()), dtype=torch.float64)
    if "linear" in name:
        knots = torch.arange(1001, dtype=torch.float64) / 1000
    if bool(((knots >= t) & (knots <= t + gap)).any()):
        return
    weights = at(1, 4, 1) * gap / 6
    scale = schedule.alpha(places) ** 2
    alpha_rise = schedule.alpha(places).log()[[0, 2]].diff().item()
    ratio_rise = (noise_ratio(schedule, places) ** 2)[[0, 2]].diff().item()
    drift, variance = log_alpha_rate(schedule, places), noise_variance_rate(schedule, places)
    close = {"rel": 1e-4, "abs": 1e-9}
    assert (weights * drift).sum().item() == pytest.approx(alpha_rise, **close)
    assert (weights * variance / scale).sum().item() == pytest.approx(ratio_rise, **close)


@pytest.mark.parametrize("name", PRESERVING)
@given(t=st.floats(0.0, 0.99))
def test_variance_preserving_noise_makes_up_for_the_loss(name: str, t: float):
    """g² = −2 α̇/α."""
    variance = noise_variance_rate(PRESERVING[name], at(t)).item()
    drift = log_alpha_rate(PRESERVING[name], at(t)).item()
    assert variance == pytest.approx(-2 * drift, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("name", EVERY)
def test_rates_are_finite_and_of_one_sign(name: str):
    t = torch.linspace(0, 1, 2001, dtype=torch.float64)
    drift, variance = log_alpha_rate(EVERY[name], t), noise_variance_rate(EVERY[name], t)
    assert variance.isfinite().all()
    assert (variance >= 0).all()
    assert drift.isfinite().all()
    assert drift.max() < 1e-9


def test_flat_pieces_have_no_rate():
    t = at(0.2, 0.9, 1.0)
    for rate in (log_alpha_rate, noise_variance_rate):
        found = rate(EVERY["table with flat pieces"], t)
        assert found.abs().max().item() < 1e-15
    assert noise_variance_rate(ShiftedCosineSchedule(1.0), at(1.0)).item() == 0
    assert noise_variance_rate(CosineSchedule(), at(1.0)).item() == 0


def test_where_only_the_signal_falls_no_noise_enters():
    """σ/α is constant, so that the two terms of g² cancel."""
    table = TabulatedSchedule((0.0, 0.5, 1.0), (1.0, 0.8, 0.2), (0.0, 0.8, 0.2))
    t = torch.linspace(0.51, 1.0, 50, dtype=torch.float64)
    assert noise_variance_rate(table, t).abs().max().item() < 1e-14
    assert log_alpha_rate(table, t).max().item() == pytest.approx(2 * math.log(0.25), rel=1e-12)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, torch.enable_grad])
@pytest.mark.parametrize("rate", [log_alpha_rate, noise_variance_rate])
@pytest.mark.parametrize("name", EVERY)
def test_they_do_not_ask_for_a_gradient_mode(name: str, rate, mode):
    t = at(0.0, 0.3, 1.0)
    expected = rate(EVERY[name], t)
    with mode():
        found = rate(EVERY[name], at(0.0, 0.3, 1.0))
        also = rate(EVERY[name], t)
    assert torch.equal(found, expected)
    assert torch.equal(also, expected)
    assert not found.requires_grad
    assert not t.requires_grad


@pytest.mark.parametrize("rate", [log_alpha_rate, noise_variance_rate])
def test_times_that_want_gradients_are_left_alone(rate):
    t = at(0.3).requires_grad_()
    rate(CosineSchedule(), t)
    assert t.grad is None


@pytest.mark.parametrize("rate", [log_alpha_rate, noise_variance_rate])
def test_shape_and_dtype(rate):
    t = torch.rand(2, 3, generator=torch.Generator().manual_seed(0))
    found = rate(CosineSchedule(), t)
    assert (found.shape, found.dtype) == (t.shape, torch.float32)
    expected = rate(CosineSchedule(), t.double()).float()
    assert torch.equal(found, expected)
    assert rate(CosineSchedule(), t[:0]).shape == (0, 3)
    assert rate(CosineSchedule(), t[0, 0]).shape == ()


class Naive:
    """A variance-preserving schedule of a user, who subtracts from one."""

    def alpha(self, t: torch.Tensor) -> torch.Tensor:
        return torch.exp(-2 * t)

    def sigma(self, t: torch.Tensor) -> torch.Tensor:
        return (1 - self.alpha(t) ** 2).sqrt()


@given(t=st.one_of(st.just(0.0), st.floats(0.0, 1.0), st.floats(-18.0, -6.0).map(lambda e: 10**e)))
def test_a_cancellation_in_sigma_does_not_reach_the_rate(t: float):
    assert noise_variance_rate(Naive(), at(t)).item() == pytest.approx(4.0, rel=1e-9)


class Detached:
    """A schedule that loses its gradients."""

    def alpha(self, t: torch.Tensor) -> torch.Tensor:
        return (1 - 0.5 * t).detach()

    def sigma(self, t: torch.Tensor) -> torch.Tensor:
        return t.detach()


@pytest.mark.parametrize("rate", [log_alpha_rate, noise_variance_rate])
def test_a_schedule_without_gradients_is_refused(rate):
    with pytest.raises(ValueError, match="change with t but carry no gradient"):
        rate(Detached(), at(0.2))


class Broken:
    """A schedule with no derivative anywhere."""

    def alpha(self, t: torch.Tensor) -> torch.Tensor:
        return 1 + 0 * t

    def sigma(self, t: torch.Tensor) -> torch.Tensor:
        return t * torch.nan


def test_a_schedule_without_finite_rates_is_refused():
    with pytest.raises(ValueError, match=r"no finite derivative at or near t = 0.2"):
        noise_variance_rate(Broken(), at(0.2))
