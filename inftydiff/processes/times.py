r"""The times of a sampling run, spaced equally in one coordinate or another.

With the noise-to-signal ratio :math:`r = \sigma/\alpha` of the schedule, :math:`n` steps go through
:math:`n + 1` times at equal distances in

=============  =================================================================================
``uniform``    :math:`t`
``quadratic``  :math:`\sqrt t`
``angle``      :math:`\arctan r`, the angle of a variance-preserving schedule
``log_snr``    :math:`\log r`
``karras``     :math:`r^{1/7}`
=============  =================================================================================

The coordinates of ``log_snr`` and ``karras`` have no end or hardly any: where :math:`r` falls below
a least ratio, the steps but one lead down to that ratio and the last one to the end; where it
begins above a greatest ratio, the equal steps are counted from the greatest, and the first of them
begins at the start.

References:
    Song, Meng and Ermon, "Denoising diffusion implicit models", ICLR 2021, appendix D.2
    (quadratic); Lu et al., "DPM-Solver", NeurIPS 2022, section 3.4 (log-SNR); Karras et al.,
    "Elucidating the design space of diffusion-based generative models", NeurIPS 2022, eq. (5).
"""

import math
from collections.abc import Callable
from typing import Literal, NamedTuple, Protocol, get_args, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._typing import Real, choice, number, whole
from inftydiff.processes._checks import MOST_STEPS
from inftydiff.processes.schedule import Schedule, check_schedule, noise_ratio, time_at_ratio

__all__ = ["Spaced", "Spacing", "recommended_timesteps", "timesteps"]

Spacing = Literal["uniform", "quadratic", "log_snr", "karras", "angle"]
"""The coordinate in which times are spaced equally."""

KARRAS_POWER = 7.0

LEAST_TIME = 1e-3
"""The time at which the schedule has its least ratio, unless one is given."""

GREATEST_RATIO = 1e3


class _Coordinate(NamedTuple):
    """A coordinate of the ratio, and the ratio at it."""

    of: Callable[[Tensor], Tensor]
    back: Callable[[Tensor], Tensor]


COORDINATES: dict[str, _Coordinate] = {
    "angle": _Coordinate(torch.arctan, torch.tan),
    "log_snr": _Coordinate(torch.log, torch.exp),
    "karras": _Coordinate(lambda r: r ** (1 / KARRAS_POWER), lambda c: c**KARRAS_POWER),
}


@runtime_checkable
class Spaced(Protocol):
    """The attributes by which a solver tells the times that suit it."""

    @property
    def spacing(self) -> Spacing:
        """The recommended spacing."""


def timesteps(
    n: int,
    *,
    spacing: Spacing = "uniform",
    start: Real = 1.0,
    end: Real = 0.0,
    schedule: Schedule | None = None,
    least_ratio: Real | None = None,
    greatest_ratio: Real = GREATEST_RATIO,
) -> Float[Tensor, "times"]:
    r"""The times of ``n`` steps, from ``start`` down to ``end``, of shape ``(n + 1,)``, float64.

    Args:
        n: the number of steps, which is the number of denoiser calls of solvers that ask once a
            step.
        spacing: the coordinate with equal distances, see above.
        start: the first time.
        end: the last time.
        schedule: the schedule, needed for ``"log_snr"``, ``"karras"`` and ``"angle"``.
        least_ratio: for ``"log_snr"`` and ``"karras"``: the σ/α below which the last step begins.
            By default that at t = 10⁻³ (or half the start, if this is earlier) where σ is 0 at the
            end, and none otherwise.
        greatest_ratio: for the same: the largest σ/α that equal distances are counted from.

    Returns:
        The times, strictly decreasing, the first and the last of them exactly as given.

    Raises:
        ValueError: unless n ≥ 1 and 0 ≤ end < start ≤ 1, if the spacing is unknown or lacks the
            schedule, if the schedule's σ/α does not differ between start and end, or if the least
            ratio is not above 0 and below the greatest and that at the start.

    Example:
        >>> timesteps(4).tolist()
        [1.0, 0.75, 0.5, 0.25, 0.0]
        >>> timesteps(4, spacing="quadratic").tolist()
        [1.0, 0.5625, 0.25, 0.0625, 0.0]
        >>> from inftydiff.processes.schedules import VarianceExplodingSchedule
        >>> schedule = VarianceExplodingSchedule(0.01, 100.0)
        >>> times = timesteps(3, spacing="log_snr", schedule=schedule, least_ratio=1.0)
        >>> noise_ratio(schedule, times).round(decimals=3).tolist()
        [100.0, 10.0, 1.0, 0.0]
    """
    count = whole(n, "The number of steps", most=MOST_STEPS)
    choice(spacing, get_args(Spacing), "The spacing")
    start, end = number(start, "The start"), number(end, "The end")
    if schedule is not None:
        check_schedule(schedule)
    if least_ratio is not None:
        least_ratio = number(least_ratio, "The least ratio")
    if not (isinstance(greatest_ratio, float) and greatest_ratio == math.inf):
        greatest_ratio = number(greatest_ratio, "The greatest ratio")
    if not 0.0 <= end < start <= 1.0:
        raise ValueError(f"Times run down, 0 ≤ end < start ≤ 1; got start {start} and end {end}.")
    if spacing == "uniform":
        return torch.linspace(start, end, count + 1, dtype=torch.float64)
    if spacing == "quadratic":
        times = _between(math.sqrt(start), math.sqrt(end), count) ** 2
    elif schedule is None:
        raise ValueError(f"The spacing {spacing!r} is one of σ/α; pass schedule=….")
    else:
        first, last = _ratio(schedule, start), _ratio(schedule, end)
        if not last < first:
            raise ValueError(
                f"The schedule's σ/α is {first:g} at both ends, t = {start} and {end}; there is "
                "nothing to sample between them. Choose other ends, or another schedule."
            )
        ends = _Ends(first, last, False)
        if spacing != "angle":
            ends = _narrowed(ends, schedule, float(start), least_ratio, greatest_ratio)
        times = _by_ratio(COORDINATES[spacing], schedule, ends, count)
    times[0], times[-1] = start, end
    if not bool((times[1:] < times[:-1]).all()):
        raise ValueError(
            f"{count} steps from t = {start} to {end} do not fit: the spacing {spacing!r} puts "
            "some of them at the same time. Take fewer, or another spacing."
        )
    return times


def recommended_timesteps(
    n: int,
    solver: Spaced,
    schedule: Schedule,
    *,
    start: Real = 1.0,
    end: Real = 0.0,
) -> Float[Tensor, "times"]:
    """The times of ``n`` steps in the spacing that a solver recommends, as :func:`timesteps`.

    Args:
        n: the number of steps.
        solver: a solver with a class attribute ``spacing``.
        schedule: the schedule of the process.
        start: the first time.
        end: the last time.

    Raises:
        TypeError: if the solver recommends no spacing.
        ValueError: as :func:`timesteps`.

    Example:
        >>> from types import SimpleNamespace
        >>> from inftydiff.processes.schedules import FlowMatchingSchedule
        >>> recommended_timesteps(2, SimpleNamespace(spacing="quadratic"), FlowMatchingSchedule())
        tensor([1.0000, 0.2500, 0.0000], dtype=torch.float64)
    """
    if isinstance(solver, type) or not isinstance(solver, Spaced):
        raise TypeError(
            f"{type(solver).__name__} recommends no spacing. Give the class an attribute spacing, "
            "or choose one by timesteps(n, spacing=…)."
        )
    check_schedule(schedule)
    return timesteps(n, spacing=solver.spacing, start=start, end=end, schedule=schedule)


class _Ends(NamedTuple):
    """The ratios between which distances are equal, and whether one step more leads to the end."""

    first: float
    last: float
    one_more: bool


def _narrowed(
    ends: _Ends, schedule: Schedule, start: float, least: Real | None, greatest: Real
) -> _Ends:
    first = ends.first if 0.0 < greatest <= ends.last else min(float(greatest), ends.first)
    if least is None:
        least = ends.last if ends.last > 0.0 else _ratio(schedule, min(LEAST_TIME, 0.5 * start))
    last = max(ends.last, float(least))
    if not (least > 0.0 and last < first):
        raise ValueError(
            "The least ratio σ/α lies above 0 and below both the greatest and the one at the "
            f"start; got {least:g}, {greatest:g} and {ends.first:g}."
        )
    return _Ends(first, last, last > ends.last)


def _by_ratio(coordinate: _Coordinate, schedule: Schedule, ends: _Ends, number: int) -> Tensor:
    first, last = coordinate.of(torch.tensor([ends.first, ends.last], dtype=torch.float64)).tolist()
    places = _between(first, last, max(1, number - ends.one_more))
    times = time_at_ratio(schedule, coordinate.back(places).clamp(ends.last, ends.first))
    if len(times) == number + 1:
        return times
    return torch.cat([times, times.new_zeros(1)])


def _between(first: float, last: float, number: int) -> Tensor:
    return torch.linspace(first, last, number + 1, dtype=torch.float64)


def _ratio(schedule: Schedule, t: Real) -> float:
    return noise_ratio(schedule, torch.tensor(t, dtype=torch.float64)).item()
