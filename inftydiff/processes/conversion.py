r"""Schedules to and from diffusers and azula, by their values.

======================================  ============================================================
diffusers, with ``alphas_cumprod``      :math:`\alpha^2 = \bar\alpha_i`, :math:`\sigma^2 = 1 -
                                        \bar\alpha_i` at :math:`t = (i+1)/n`
diffusers, flow matching                :math:`\sigma = u`, :math:`\alpha = 1 - u` with its shift
diffusers, EDM and exploding            :math:`\alpha = 1`, and its noise levels for σ
azula                                   :math:`(\alpha, \sigma)` at the same t
======================================  ============================================================

Neither library is imported: an object is taken for what its attributes say.
"""

import copy
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, cast, final, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from inftydiff._typing import positive, whole
from inftydiff.processes._checks import MOST_STEPS, conforming
from inftydiff.processes.schedule import Schedule, check_schedule, noise_ratio
from inftydiff.processes.schedules import FlowMatchingSchedule, TabulatedSchedule

__all__ = ["AzulaSchedule", "from_azula", "from_diffusers", "to_azula", "to_diffusers"]


@runtime_checkable
class AzulaSchedule(Protocol):
    """The interface that azula asks of a schedule."""

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
    """A scheduler with levels of noise, which are in use where its times are."""

    sigmas: Tensor
    timesteps: Tensor


@runtime_checkable
class _AllLevels(Protocol):
    """A scheduler whose levels at all times stand apart from those it samples at."""

    discrete_sigmas: Tensor


@runtime_checkable
class _Noising(Protocol):
    """A scheduler that says how it adds noise."""

    def add_noise(self, original_samples: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """The state at a time."""


def from_diffusers(scheduler: object) -> Schedule:
    r"""The schedule of a scheduler of diffusers.

    At index i of a table of n, :math:`t = (i+1)/n`, the amplitudes are those of the scheduler's own
    ``add_noise``, in float32 as they are; :math:`\log\alpha^2` is linear in between. They are read
    from the tables that it uses, not from its arguments, so that they are right after its setters
    too. Where a solver with ``alphas_cumprod`` adds noise to an unscaled signal, as Euler's does,
    its states are ours divided by α. Only the amplitudes are taken over: times to sample at, such
    as Karras's, come from :func:`~inftydiff.processes.times.timesteps`.

    Args:
        scheduler: one with ``alphas_cumprod`` (DDPM, DDIM, DPM-Solver, UniPC, Euler), one for flow
            matching (with a ``shift``, or ``use_flow_sigmas`` in its configuration), or one with
            levels of noise alone (EDM, variance-exploding), whose distinct levels
            :math:`0 = \sigma_0 < \dots < \sigma_n` are put at :math:`t = i/n`.

    Raises:
        TypeError: if it is none of these.
        ValueError: if its shift depends on the size of the picture, its levels of noise are not
            those of its shift (after ``set_shift`` and before ``set_timesteps``, or with another
            spacing of flow matching) or not what its ``add_noise`` adds, it has no levels yet, or
            it ends without any signal, as schedulers with ``rescale_betas_zero_snr`` do.

    Example:
        >>> from types import SimpleNamespace
        >>> schedule = from_diffusers(SimpleNamespace(config={"shift": 3.0}))
        >>> schedule
        FlowMatchingSchedule(shift=3.0)
    """
    shift = _shift(scheduler)
    if shift is not None:
        return _flow(scheduler, shift)
    if isinstance(scheduler, _Cumulative):
        return TabulatedSchedule.preserving(scheduler.alphas_cumprod)
    if isinstance(scheduler, _AllLevels | _Levels) and isinstance(scheduler, _Noising):
        return TabulatedSchedule.exploding(_levels(scheduler))
    raise TypeError(
        "A scheduler of diffusers has alphas_cumprod, a shift in its configuration, or sigmas and "
        f"add_noise; got {type(scheduler).__name__}."
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
    advice = "Give one that has alpha(t), sigma(t), and is called for both."
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


def _shift(scheduler: object) -> float | None:
    """The shift that a scheduler of flow matching uses now, or None if it is none of these."""
    config = _arguments(scheduler)
    if config.get("use_flow_sigmas"):
        found = config.get("flow_shift")
        if found is None:
            raise TypeError(
                f"{type(scheduler).__name__} is of flow matching and has no flow_shift: its levels "
                "of noise are those of its own stages. Take FlowMatchingSchedule(shift=…)."
            )
    elif inspect.getattr_static(scheduler, "shift", None) is not None:
        found = cast(Any, scheduler).shift
    else:
        found = config.get("shift")
    if found is not None and config.get("use_dynamic_shifting"):
        raise ValueError(
            f"The shift of this {type(scheduler).__name__} depends on the size of the picture. "
            "Take FlowMatchingSchedule(shift=…) with the one you want, e^mu for its mu."
        )
    return None if found is None else positive(found, f"The shift of {type(scheduler).__name__}")


def _flow(scheduler: object, shift: float) -> FlowMatchingSchedule:
    """The schedule of flow matching with a shift, if the scheduler's levels are spaced by it."""
    if isinstance(scheduler, _Levels) and scheduler.sigmas is not None:
        table = torch.as_tensor(scheduler.sigmas).detach().double().cpu()
        levels = table[: len(scheduler.timesteps)].unique_consecutive()
        # A solver for flow matching has the rising levels of its β until its times are set.
        unset = isinstance(scheduler, _Cumulative) and bool((levels.diff() > 0.0).all())
        if not unset and not _spaced_by(levels, shift):
            raise ValueError(
                f"The levels of noise of this {type(scheduler).__name__}, "
                f"{', '.join(f'{level:.4g}' for level in levels[:3].tolist())}, …, are not those "
                f"of its shift, {shift:g}. If the shift was set, call set_timesteps(…), which "
                "takes it up, before from_diffusers; if it spaces its levels otherwise, take "
                "FlowMatchingSchedule(shift=…) and timesteps(…) with that spacing."
            )
    if isinstance(scheduler, _Cumulative) and isinstance(scheduler, _Noising):
        signal, noise = _added(scheduler)
        if abs(signal + noise - 1.0) > 1e-4:
            raise ValueError(
                f"This {type(scheduler).__name__} has use_flow_sigmas, and its add_noise is not of "
                f"flow matching: it gives α = {signal:.4g} and σ = {noise:.4g}, whose sum is not "
                "1. Take FlowMatchingSchedule(shift=…), or one without use_flow_sigmas."
            )
    return FlowMatchingSchedule(shift)


def _added(scheduler: "_Noising") -> tuple[float, float]:
    """The amplitudes of signal and noise that a scheduler's own ``add_noise`` gives."""
    one, zero = torch.ones(1, 1, dtype=torch.float64), torch.zeros(1, 1, dtype=torch.float64)
    times = cast(_Levels, scheduler).timesteps
    middle = times[len(times) // 2].reshape(1).long()
    own = copy.copy(scheduler)
    signal, noise = own.add_noise(one, zero, middle), own.add_noise(zero, one, middle)
    return signal.item(), noise.item()


def _spaced_by(levels: Float64[Tensor, "n"], shift: float) -> bool:
    """Say whether levels of flow matching fall at equal distances before they are shifted."""
    if len(levels) < 3:
        return True
    before = levels / (shift - (shift - 1.0) * levels)
    even = torch.linspace(float(before[0]), float(before[-1]), len(before), dtype=torch.float64)
    rounding = 1e-5 * max(shift, 1.0 / shift)
    falls = bool((levels.diff() < 0).all())
    return falls and bool((before - even).abs().max() <= rounding)


def _levels(scheduler: "_AllLevels | _Levels") -> Tensor:
    """The levels of noise of a scheduler that leaves the signal as it is."""
    found = scheduler.discrete_sigmas if isinstance(scheduler, _AllLevels) else scheduler.sigmas
    if found is None:
        raise ValueError(
            f"This {type(scheduler).__name__} has no levels of noise yet. Call set_timesteps(…) "
            "before from_diffusers."
        )
    return torch.as_tensor(found)


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
