r"""The sigmoid schedule, which is variance preserving, :math:`\alpha^2 + \sigma^2 = 1`."""

import math
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._components import component
from inftydiff._typing import Real, floating, number, positive, store

__all__ = ["SigmoidSchedule"]

LEAST_SQUARE = 1e-9
"""The floor of α², as in the paper."""

STEEPEST = 500.0
"""The largest argument of the logistic function, well within the range of float64."""


@component("schedule", "sigmoid")
@final
@dataclass(frozen=True)
class SigmoidSchedule:
    r"""The sigmoid schedule.

    With the logistic function :math:`S` and :math:`u(t) = (a + (b - a)\,t)/\tau`,

    .. math:: \alpha(t)^2 = \max\left(\frac{S(u(1)) - S(u(t))}{S(u(1)) - S(u(0))},\
              10^{-9}\right),

    so that :math:`\alpha(0) = 1` and :math:`\alpha(1) = 3.16·10^{-5}`. A high temperature makes
    :math:`\alpha^2` linear in time; a low one keeps the ends of time nearly noiseless and nearly
    signal-free.

    Args:
        start: :math:`a`, the argument at t = 0.
        end: :math:`b`, the argument at t = 1.
        temperature: :math:`\tau`, which divides both.

    Raises:
        ValueError: unless start < end and the temperature is above zero, or if an argument divided
            by the temperature exceeds 500.

    Example:
        >>> t = torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64)
        >>> SigmoidSchedule().alpha(t).square().round(decimals=12).tolist()
        [1.0, 0.5, 1e-09]

    References:
        Jabri, Fleet and Chen, "Scalable adaptive computation for iterative generation", ICML 2023;
        Chen, "On the importance of noise scheduling for diffusion models", 2023, algorithm 1.
    """

    start: Real = -3.0
    end: Real = 3.0
    temperature: Real = 1.0

    def __post_init__(self) -> None:
        store(self, number, "start", "end", subject="A sigmoid schedule's ")
        object.__setattr__(self, "temperature", positive(self.temperature, "A temperature"))
        steepest = STEEPEST * self.temperature
        if not -steepest <= self.start < self.end <= steepest:
            raise ValueError(
                f"A sigmoid schedule runs from its start up to its end, neither more than "
                f"{STEEPEST:g} temperatures from 0; got start {self.start}, end {self.end} and "
                f"temperature {self.temperature}."
            )

    def alpha(self, t: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        """The amplitude of the signal, shaped like ``t``."""
        floating(t, "Times")
        kept = self._share(1.0 - t.double(), t.double(), self.start)
        return kept.clamp(min=LEAST_SQUARE).sqrt().to(t.dtype)

    def sigma(self, t: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        """The amplitude of the noise, shaped like ``t``."""
        floating(t, "Times")
        lost = self._share(t.double(), t.double(), self.end)
        return lost.clamp(max=1.0 - LEAST_SQUARE).sqrt().to(t.dtype)

    def _share(self, part: Tensor, t: Tensor, end: Real) -> Tensor:
        r"""The share of the logistic function's rise that falls in a part of time at one side.

        Without cancellation, by :math:`S(a) - S(b) =
        \sinh\frac{a-b}2 / (2\cosh\frac a2\cosh\frac b2)`.
        """
        rise = 0.5 * (self.end - self.start) / self.temperature
        at = 0.5 * (self.start + (self.end - self.start) * t) / self.temperature
        far = math.cosh(0.5 * end / self.temperature)
        return torch.sinh(rise * part) / math.sinh(rise) * (far / torch.cosh(at))
