r"""A schedule from a table of amplitudes.

Between the knots of the table

.. math:: \log\alpha^2 \quad\text{and}\quad \log\left(1 + \sigma^2/\alpha^2\right)

are linear in time. This keeps :math:`\alpha > 0`, a :math:`\sigma/\alpha` that does not fall, and
:math:`\alpha^2 + \sigma^2 = 1` where the knots have it; the interpolation of
:class:`~inftydiff.processes.schedules.beta.LinearSchedule` is the case of β given at 1000 times.
"""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._components import component
from inftydiff._typing import Real, entries, floating, number

__all__ = ["TabulatedSchedule"]


LONGEST_TABLE = 10**6
"""The most knots of a table."""


@component("schedule", "tabulated")
@final
@dataclass(frozen=True)
class TabulatedSchedule:
    r"""A schedule through any table of amplitudes.

    Args:
        times: the knots, rising from 0 to 1.
        alphas: the amplitudes of the signal at the knots, above 0; the first is 1.
        sigmas: the amplitudes of the noise at the knots; the first is 0, the others are above it.

    Raises:
        ValueError: unless there are two knots or more, as many of each, in these ranges, and
            σ/α does not fall from one knot to the next.

    Example:
        >>> schedule = TabulatedSchedule((0.0, 0.5, 1.0), (1.0, 0.8, 0.6), (0.0, 0.6, 0.8))
        >>> t = torch.tensor([0.5, 0.75], dtype=torch.float64)
        >>> (schedule.alpha(t) ** 2 + schedule.sigma(t) ** 2).round(decimals=12).tolist()
        [1.0, 1.0]
    """

    times: tuple[Real, ...]
    alphas: tuple[Real, ...]
    sigmas: tuple[Real, ...]

    def __post_init__(self) -> None:
        for name in ("times", "alphas", "sigmas"):
            kept = entries(getattr(self, name), f"A table's {name}", most=LONGEST_TABLE)
            checked = tuple(number(value, f"A table's {name}") for value in kept)
            object.__setattr__(self, name, checked)
        numbers = (len(self.times), len(self.alphas), len(self.sigmas))
        if min(numbers) < 2 or len(set(numbers)) > 1:
            raise ValueError(
                "A table has two knots or more, with as many times as alphas and sigmas; got "
                f"{numbers[0]}, {numbers[1]} and {numbers[2]}."
            )
        if (self.times[0], self.times[-1]) != (0.0, 1.0) or not _rises(self.times):
            raise ValueError(f"A table's times rise from 0 to 1; got {_short(self.times)}.")
        if self.alphas[0] != 1.0 or self.sigmas[0] != 0.0:
            raise ValueError(
                "A table begins at the data, α = 1 and σ = 0 at t = 0; got "
                f"α = {self.alphas[0]:g} and σ = {self.sigmas[0]:g}. Add that knot, or divide the "
                "table by its first α."
            )
        for name, values in (("α", self.alphas), ("σ", self.sigmas[1:])):
            bad = next((v for v in values if not (v > 0.0 and math.isfinite(v))), None)
            if bad is not None:
                raise ValueError(
                    f"A table's {name} must be finite and above 0; got {bad}. A schedule that ends "
                    "without any signal needs a small floor there, such as 1e-4."
                )
        ratios = [s / a for s, a in zip(self.sigmas, self.alphas, strict=True)]
        for i, (before, after) in enumerate(pairwise(ratios)):
            if not before <= after:
                raise ValueError(
                    f"σ/α must not fall in a table; got {before:g} and then {after:g}, at "
                    f"t = {self.times[i]:g} and {self.times[i + 1]:g}."
                )

    @staticmethod
    def preserving(alpha_bars: Float[Tensor, "steps"]) -> "TabulatedSchedule":
        r"""The variance-preserving schedule with these :math:`\alpha^2`.

        Args:
            alpha_bars: :math:`\bar\alpha_i = \prod_{j≤i}(1-\beta_j)` at :math:`t = (i+1)/n`, of
                shape ``(n,)``.

        Raises:
            ValueError: unless they lie between 0 and 1 and do not rise.

        Example:
            >>> schedule = TabulatedSchedule.preserving(torch.tensor([0.75, 0.5, 0.25]))
            >>> end = torch.ones(1, dtype=torch.float64)
            >>> schedule.sigma(end).square().round(decimals=12).tolist()
            [0.75]
        """
        floating(alpha_bars, "The table of ᾱ")
        if alpha_bars.ndim != 1 or not len(alpha_bars):
            raise ValueError(
                f"A table of ᾱ has the shape (steps,), one step or more; got "
                f"{tuple(alpha_bars.shape)}."
            )
        squares = alpha_bars.detach().double().cpu()
        if not bool(((squares > 0.0) & (squares < 1.0)).all()):
            raise ValueError(
                f"ᾱ lies between 0 and 1; got {squares.min().item():g} to "
                f"{squares.max().item():g}. A schedule that ends without any signal needs a small "
                "floor there, such as 1e-8."
            )
        times = torch.arange(1, len(squares) + 1, dtype=torch.float64) / len(squares)
        return TabulatedSchedule(
            (0.0, *times.tolist()),
            (1.0, *squares.sqrt().tolist()),
            (0.0, *(1.0 - squares).sqrt().tolist()),
        )

    @staticmethod
    def exploding(levels: Float[Tensor, "steps"]) -> "TabulatedSchedule":
        r"""The schedule with :math:`\alpha = 1` and these levels of noise.

        Args:
            levels: numbers of 0 or more, in any order. The distinct ones and zero,
                :math:`0 = \sigma_0 < \dots < \sigma_n`, are put at :math:`t = i/n`.

        Raises:
            ValueError: if one is negative, infinite or NaN, or there is none above zero.

        Example:
            >>> TabulatedSchedule.exploding(torch.tensor([80.0, 2.0, 2.0, 0.0])).sigmas
            (0.0, 2.0, 80.0)
        """
        rising = levels.detach().double().cpu().flatten()
        if not bool(((rising >= 0.0) & rising.isfinite()).all()):
            raise ValueError(
                "Levels of noise are finite numbers of 0 or more; got "
                f"{_short(tuple(rising.tolist()))}."
            )
        rising = torch.cat([torch.zeros(1, dtype=torch.float64), rising]).unique()
        if len(rising) < 2:
            raise ValueError("A schedule has a level of noise above 0; got none.")
        times = torch.linspace(0.0, 1.0, len(rising), dtype=torch.float64)
        return TabulatedSchedule(
            tuple(times.tolist()), (1.0,) * len(rising), tuple(rising.tolist())
        )

    def alpha(self, t: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        """The amplitude of the signal, shaped like ``t``."""
        floating(t, "Times")
        log_square, _ = self._logarithms(t)
        return (0.5 * log_square).exp().to(t.dtype)

    def sigma(self, t: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        """The amplitude of the noise, shaped like ``t``."""
        floating(t, "Times")
        log_square, log_total = self._logarithms(t)
        return ((0.5 * log_square).exp() * torch.expm1(log_total).sqrt()).to(t.dtype)

    def _logarithms(self, t: Tensor) -> tuple[Tensor, Tensor]:
        time = t.double()
        knots, alphas, sigmas = torch.tensor(
            [self.times, self.alphas, self.sigmas], dtype=torch.float64, device=t.device
        )
        found = torch.searchsorted(knots, time.detach().contiguous(), right=True)
        below = (found - 1).clamp(0, len(self.times) - 2)
        weight = (time - knots[below]) / (knots[below + 1] - knots[below])
        logs = torch.stack([2.0 * alphas.log(), torch.log1p((sigmas / alphas) ** 2)])
        log_square, log_total = torch.lerp(logs[:, below], logs[:, below + 1], weight)
        return log_square, log_total


def _rises(values: tuple[Real, ...]) -> bool:
    return all(before < after for before, after in pairwise(values))


def _short(values: tuple[Real, ...]) -> str:
    if len(values) <= 8:
        return ", ".join(f"{v:g}" for v in values)
    return f"{_short(values[:3])}, …, {_short(values[-3:])}"
