r"""Noise schedules: the amplitudes in :math:`x_t = \alpha(t)\,S x_0 + \sigma(t)\,N\xi`.

A schedule is any object with ``alpha(t)`` and ``sigma(t)`` for :math:`t \in [0, 1]`, shaped like
:math:`t`. A process asks for :math:`\alpha(0) = 1`, :math:`\sigma(0) = 0`, :math:`\alpha > 0` and a
:math:`\sigma/\alpha` that does not fall; not for :math:`\alpha^2 + \sigma^2 = 1`, which is called
variance preserving. Index :math:`i` of a library with 1000 steps is :math:`t = (i+1)/1000`.

The functions here are of any schedule. They compute in float64, whatever the gradient mode, and
return the dtype of their argument.
"""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._components import declare
from inftydiff._typing import floating
from inftydiff.processes._checks import conforming

__all__ = [
    "Schedule",
    "check_schedule",
    "check_times",
    "log_alpha_rate",
    "log_snr",
    "noise_ratio",
    "noise_variance_rate",
    "time_at_ratio",
]

HALVINGS = 62
"""The number of halvings of a bisection from all floating-point numbers in [0, 1] to one."""

SLACK = 1e-12
"""The relative distance beyond the range at which a ratio is still taken for its end."""

NUDGES = (0.0, 1e-12, 1e-9, 1e-6)
"""The distances from t at which a derivative is taken if it is not finite at t, nearest first."""


@runtime_checkable
class Schedule(Protocol):
    """The interface that a process asks of a schedule.

    Times outside [0, 1] are not refused by the amplitudes, which are formulas; the functions here,
    processes, samplers and losses refuse them.
    """

    def alpha(self, t: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        """The amplitude of the signal, shaped like ``t``."""

    def sigma(self, t: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        """The amplitude of the noise, shaped like ``t``."""


declare("schedule", Schedule)


def check_times(t: Tensor, name: str = "Times") -> None:
    """Refuse what are no floating-point numbers in [0, 1].

    Raises:
        TypeError: if the times are no floating-point tensor.
        ValueError: if a time is outside [0, 1] or NaN.
    """
    floating(t, name)
    if not bool(((t >= 0.0) & (t <= 1.0)).all()):
        raise ValueError(f"{name} lie in [0, 1]; got {t.min().item():g} to {t.max().item():g}.")


def check_schedule(schedule: Schedule) -> Schedule:
    """Return ``schedule``, refusing what has no amplitudes.

    Raises:
        TypeError: if it has no ``alpha(t)`` and ``sigma(t)``.
    """
    return conforming(schedule, Schedule, "A schedule", "Pass CosineSchedule(), say.")


def noise_ratio(schedule: Schedule, t: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    r"""The noise-to-signal ratio :math:`\sigma(t)/\alpha(t)` of amplitudes, 0 at the start.

    Args:
        schedule: the schedule.
        t: times in [0, 1].

    Raises:
        ValueError: if a time lies outside [0, 1].

    Example:
        >>> from inftydiff.processes.schedules import FlowMatchingSchedule
        >>> noise_ratio(FlowMatchingSchedule(), torch.tensor([0.0, 0.5, 0.75])).tolist()
        [0.0, 1.0, 3.0]
    """
    check_schedule(schedule)
    check_times(t)
    return _ratio(schedule, t.double()).to(t.dtype)


def log_snr(schedule: Schedule, t: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    r"""The log signal-to-noise ratio :math:`\log(\alpha(t)^2/\sigma(t)^2)`, infinite at the start.

    Args:
        schedule: the schedule.
        t: times in [0, 1].

    Raises:
        ValueError: if a time lies outside [0, 1].

    Example:
        >>> from inftydiff.processes.schedules import FlowMatchingSchedule
        >>> log_snr(FlowMatchingSchedule(), torch.tensor([0.0, 0.5])).tolist()
        [inf, 0.0]
    """
    check_schedule(schedule)
    check_times(t)
    time = t.double()
    return (2.0 * (schedule.alpha(time).log() - schedule.sigma(time).log())).to(t.dtype)


def time_at_ratio(schedule: Schedule, ratio: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    r"""The earliest time at which :math:`\sigma/\alpha` has reached a ratio, to the last digit.

    Args:
        schedule: the schedule; it may be flat for a while.
        ratio: ratios between those of the schedule at t = 0 and t = 1.

    Raises:
        ValueError: if a ratio is out of that range or NaN.

    Example:
        >>> from inftydiff.processes.schedules import FlowMatchingSchedule
        >>> time_at_ratio(FlowMatchingSchedule(), torch.tensor([0.0, 1.0, 3.0])).tolist()
        [0.0, 0.5, 0.75]
    """
    check_schedule(schedule)
    floating(ratio, "Ratios")
    with torch.no_grad():
        wanted = ratio.double()
        first, last = torch.zeros_like(wanted), torch.ones_like(wanted)
        least, most = _ratio(schedule, first), _ratio(schedule, last)
        if not bool(((wanted >= least * (1.0 - SLACK)) & (wanted <= most * (1.0 + SLACK))).all()):
            raise ValueError(
                f"The ratio σ/α of this schedule runs from {least.flatten()[0].item():g} to "
                f"{most.flatten()[0].item():g}; got {ratio.min().item():g} to "
                f"{ratio.max().item():g}."
            )
        wanted = wanted.clamp(least, most)
        first = first.view(torch.int64)  # floating-point numbers above zero are ordered as these
        last = torch.where(wanted <= least, first, last.view(torch.int64))
        for _ in range(HALVINGS):
            middle = first + (last - first) // 2
            reached = _ratio(schedule, middle.view(torch.float64)) >= wanted
            first, last = torch.where(reached, first, middle), torch.where(reached, middle, last)
        return last.view(torch.float64).to(ratio.dtype)


def log_alpha_rate(schedule: Schedule, t: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    r"""The rate :math:`\dot\alpha/\alpha`, the drift of the signal, by automatic differentiation.

    Args:
        schedule: the schedule, written with differentiable operations.
        t: times in [0, 1].

    Raises:
        ValueError: if a time lies outside [0, 1], or the schedule cannot be differentiated.

    Example:
        >>> from inftydiff.processes.schedules import FlowMatchingSchedule
        >>> log_alpha_rate(FlowMatchingSchedule(), torch.tensor([0.0, 0.5])).tolist()
        [-1.0, -2.0]
    """
    check_schedule(schedule)
    return _nudged(lambda time: _rate(lambda s: schedule.alpha(s).log(), time), t)


def noise_variance_rate(schedule: Schedule, t: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    r"""The variance of the noise that enters in a unit of time.

    .. math:: g(t)^2 = \frac{d\sigma^2}{dt} - 2\,\frac{\dot\alpha}{\alpha}\,\sigma^2
              = \alpha^2\,\frac{d}{dt}\frac{\sigma^2}{\alpha^2} ≥ 0,

    by automatic differentiation: :math:`dx = \frac{\dot\alpha}{\alpha} x\,dt + g N\,dw` has the
    marginals of the schedule. Where the derivative of σ is infinite, as at t = 0 of every
    variance-preserving schedule, the value is that of the nearest time where it is finite, 10⁻¹²
    later as a rule. At the knots of a table it is the rate of the piece after the knot.

    Args:
        schedule: the schedule, written with differentiable operations.
        t: times in [0, 1].

    Raises:
        ValueError: if a time lies outside [0, 1], or the schedule cannot be differentiated.

    Example:
        >>> from inftydiff.processes.schedules import FlowMatchingSchedule
        >>> noise_variance_rate(FlowMatchingSchedule(), torch.tensor([0.0, 0.5])).tolist()
        [0.0, 2.0]
    """
    check_schedule(schedule)

    def rate(time: Tensor) -> Tensor:
        growth = _rate(lambda s: schedule.sigma(s) ** 2, time)
        lost = 2.0 * _rate(lambda s: schedule.alpha(s).log(), time) * schedule.sigma(time) ** 2
        return (growth - lost).clamp(min=0.0)

    return _nudged(rate, t)


def _ratio(schedule: Schedule, t: Tensor) -> Tensor:
    return schedule.sigma(t) / schedule.alpha(t)


def _nudged(rate: Callable[[Tensor], Tensor], t: Tensor) -> Tensor:
    check_times(t)
    with torch.inference_mode(False), torch.no_grad():
        time = t.detach().double().clone()
        inward = torch.where(time < 0.5, 1.0, -1.0)
        found = torch.full_like(time, torch.nan)
        for nudge in NUDGES:
            missing = ~found.isfinite()
            if bool(missing.any()):
                found = torch.where(missing, rate(time + nudge * inward), found)
        if not bool(found.isfinite().all()):
            raise ValueError(
                "The schedule has no finite derivative at or near "
                f"t = {time[~found.isfinite()].flatten()[0].item():g}. Choose another time, or a "
                "smooth schedule."
            )
    return found.to(t.dtype)


def _rate(amplitude: Callable[[Tensor], Tensor], t: Tensor) -> Tensor:
    with torch.enable_grad():
        time = t.clone().requires_grad_()
        value = amplitude(time)
        if value.requires_grad:
            (rate,) = torch.autograd.grad(value.sum(), time)
            return rate
    if value.numel() and not bool((value == amplitude(torch.full_like(t, 0.5))).all()):
        raise ValueError(
            "The schedule's amplitudes change with t but carry no gradient. Write them with "
            "operations of torch, outside of torch.no_grad."
        )
    return torch.zeros_like(t)
