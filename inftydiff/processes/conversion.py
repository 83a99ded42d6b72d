r"""Schedules to and from diffusers and azula, by their values.

======================================  ============================================================
diffusers, with ``alphas_cumprod``      :math:`\alpha^2 = \bar\alpha_i`, :math:`\sigma^2 = 1 -
                                        \bar\alpha_i` at :math:`t = (i+1)/n`
diffusers, flow matching                :math:`\sigma = u`, :math:`\alpha = 1 - u` with its shift
diffusers, EDM                          :math:`\alpha = 1`, and its noise levels for σ
azula                                   :math:`(\alpha, \sigma)` at the same t
======================================  ============================================================

Neither library is imported: an object is taken for what its attributes say.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, final, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from inftydiff._typing import whole
from inftydiff.processes.checks import MOST_STEPS, conforming
from inftydiff.processes.schedule import Schedule, check_schedule, noise_ratio
from inftydiff.processes.schedules import FlowMatchingSchedule, TabulatedSchedule

__all__ = ["AzulaSchedule", "from_azula", "from_diffusers", "to_azula", "to_diffusers"]


@runtime_checkable
class AzulaSchedule(Protocol):
    """What azula asks of a schedule."""

    def alpha(self, t: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        """The amplitude of the signal, shaped like ``t``."""

    def sigma(self, t: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        """The amplitude of the noise, shaped like ``t``."""

    def __call__(
        self, t: Float[Tensor, "*batch"]
    ) -> tuple[Float[Tensor, "*batch"], Float[Tensor, "*batch"]]:
        """Both amplitudes."""


@runtime_checkable
class _Configured(Protocol):
    """A scheduler of diffusers, which keeps its arguments."""

    @property
    def config(self) -> object:
        """The arguments."""


@runtime_checkable
class _Cumulative(Protocol):
    """A scheduler with cumulative products of 1 − β."""

    alphas_cumprod: Tensor


@runtime_checkable
class _Levels(Protocol):
    """A scheduler with levels of noise, and a signal left as it is."""

    sigmas: Tensor


def from_diffusers(scheduler: object) -> Schedule:
    r"""The schedule of a scheduler of diffusers.

    Index i of a table of n is :math:`t = (i+1)/n`; :math:`\log\alpha^2` is linear in between. The
    values are the scheduler's own, which are in float32. Only the amplitudes are taken over; times
    to sample at, such as Karras's, come from :func:`~inftydiff.processes.times.steps`.

    Args:
        scheduler: one with ``alphas_cumprod`` (DDPM, DDIM, DPM-Solver, UniPC, Euler, whose states
            are ours divided by α), one for flow matching (``shift`` or ``use_flow_sigmas`` in its
            configuration), or one of EDM (``sigmas`` alone), whose distinct levels
            :math:`0 = \sigma_0 < \dots < \sigma_n` are put at :math:`t = i/n`.

    Raises:
        TypeError: if it is none of these.
        ValueError: if its shift depends on the size of the picture, or it ends without any signal,
            as schedulers with ``rescale_betas_zero_snr`` do.

    Example:
        >>> from types import SimpleNamespace
        >>> schedule = from_diffusers(SimpleNamespace(config={"shift": 3.0}))
        >>> schedule
        FlowMatchingSchedule(shift=3.0)
    """
    config = _arguments(scheduler)
    if config.get("use_dynamic_shifting"):
        raise ValueError(
            f"The shift of this {type(scheduler).__name__} depends on the size of the picture. "
            "Take FlowMatchingSchedule(shift=…) with the one you want, e^mu for its mu."
        )
    shift = config.get("flow_shift" if config.get("use_flow_sigmas") else "shift")
    if shift is not None:
        return FlowMatchingSchedule(shift)
    if isinstance(scheduler, _Cumulative):
        return TabulatedSchedule.preserving(scheduler.alphas_cumprod)
    if isinstance(scheduler, _Levels):
        levels = torch.cat([torch.zeros(1), scheduler.sigmas.detach().cpu()]).double().unique()
        times = torch.linspace(0.0, 1.0, len(levels), dtype=torch.float64)
        return TabulatedSchedule(
            tuple(times.tolist()), (1.0,) * len(levels), tuple(levels.tolist())
        )
    raise TypeError(
        "A scheduler of diffusers has alphas_cumprod, a shift in its configuration, or sigmas; "
        f"got {type(scheduler).__name__}."
    )


def to_diffusers(schedule: Schedule, steps: int = 1000) -> Float64[np.ndarray, "steps"]:
    r"""The β of a schedule, to be given to a scheduler of diffusers as ``trained_betas``.

    .. math:: \beta_i = 1 - \frac{\bar\alpha_i}{\bar\alpha_{i-1}}, \qquad
              \bar\alpha_i = \frac{\alpha^2}{\alpha^2 + \sigma^2}
              \quad\text{at } t = \frac{i+1}{n},

    with :math:`\bar\alpha_{-1} = 1`. A variance-preserving schedule has
    :math:`\bar\alpha = \alpha^2`. Of any other, β give the variance-preserving one with the same
    noise-to-signal ratio, whose states are :math:`x_t/\sqrt{\alpha^2 + \sigma^2}`.

    Args:
        schedule: the schedule.
        steps: their number :math:`n`, ``num_train_timesteps``.

    Raises:
        ValueError: if the number is not a whole one of at least 1.

    Example:
        >>> from inftydiff.processes.schedules import LinearSchedule
        >>> to_diffusers(LinearSchedule())[[0, -1]].round(12).tolist()
        [0.0001, 0.02]
    """
    number = whole(steps, "The number of steps", most=MOST_STEPS)
    times = torch.arange(number + 1, dtype=torch.float64) / number
    lost = torch.log1p(noise_ratio(schedule, times) ** 2)
    return (-torch.expm1(-lost.diff())).clamp(min=0.0).numpy()


def from_azula(schedule: AzulaSchedule) -> Schedule:
    r"""The schedule of azula with the same :math:`\alpha(t)` and :math:`\sigma(t)`.

    Most of azula's begin at a :math:`\sigma(0) = \sigma_{\min} > 0`. The values are kept as they
    are, so that a run down to t = 0 ends with that much noise left in it.

    Args:
        schedule: a schedule of azula, or any object with its interface.

    Example:
        >>> from inftydiff.processes.schedules import FlowMatchingSchedule
        >>> schedule = FlowMatchingSchedule(2.0)
        >>> from_azula(to_azula(schedule)) is schedule
        True
    """
    advice = "It has alpha(t), sigma(t), and is called for both."
    conforming(schedule, AzulaSchedule, "A schedule of azula", advice)
    return schedule.schedule if isinstance(schedule, _Paired) else _Unpaired(schedule)


def to_azula(schedule: Schedule) -> AzulaSchedule:
    r"""A schedule with azula's interface: ``schedule(t)`` is :math:`(\alpha(t), \sigma(t))`.

    It can stand wherever azula's denoisers and samplers take a schedule, though it is no instance
    of azula's base class.

    Args:
        schedule: the schedule.

    Example:
        >>> from inftydiff.processes.schedules import FlowMatchingSchedule
        >>> to_azula(FlowMatchingSchedule())(torch.tensor(0.25))
        (tensor(0.7500), tensor(0.2500))
    """
    check_schedule(schedule)
    return schedule.schedule if isinstance(schedule, _Unpaired) else _Paired(schedule)


def _arguments(scheduler: object) -> Mapping[str, Any]:
    if isinstance(scheduler, _Configured) and isinstance(scheduler.config, Mapping):
        return scheduler.config
    return {}


@final
@dataclass(frozen=True)
class _Paired:
    """A schedule of ours with azula's interface."""

    schedule: Schedule

    def alpha(self, t: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        return self.schedule.alpha(t)

    def sigma(self, t: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        return self.schedule.sigma(t)

    def __call__(
        self, t: Float[Tensor, "*batch"]
    ) -> tuple[Float[Tensor, "*batch"], Float[Tensor, "*batch"]]:
        return self.alpha(t), self.sigma(t)


@final
@dataclass(frozen=True)
class _Unpaired:
    """A schedule of azula, in float64 inside."""

    schedule: AzulaSchedule

    def alpha(self, t: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        return self.schedule(t.double())[0].to(t.dtype)

    def sigma(self, t: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        return self.schedule(t.double())[1].to(t.dtype)
