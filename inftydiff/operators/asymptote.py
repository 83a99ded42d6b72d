r"""Asymptotes: what a multiplier becomes at high frequencies.

.. math:: m(\lambda) = c\,\lambda^{-p}\, e^{-a\lambda}\,\bigl(1 + O(\lambda^{-q})\bigr),
          \qquad \lambda \to \infty.

Whether a Gaussian measure lives on functions, and whether two are mutually absolutely continuous,
is decided by these four numbers and the dimension.
"""

import math
from dataclasses import dataclass
from typing import final

from inftydiff._typing import Real, instance, not_negative, number, positive, store

__all__ = ["Asymptote"]

CANCELLED = 1e-9
"""Leading coefficients that add up to less than this, relative to their sizes, cancel."""


@final
@dataclass(frozen=True)
class Asymptote:
    r"""The leading term :math:`c\,\lambda^{-p} e^{-a\lambda}` and how the rest falls behind it.

    Args:
        coefficient: the number :math:`c`; zero if the multiplier vanishes at high frequencies.
        power: the exponent :math:`p`, below zero if the multiplier grows.
        rate: the rate :math:`a ≥ 0` of exponential decay.
        remainder: the exponent :math:`q > 0` of the relative remainder; infinite if it falls faster
            than every power.

    Raises:
        TypeError: if one is no number.
        ValueError: if the coefficient or the power is not finite, the rate is below zero or the
            remainder is not above zero.

    Example:
        >>> heat, bessel = Asymptote(1.0, 0.0, 0.5, math.inf), Asymptote(2.0, 1.0, 0.0, 1.0)
        >>> heat.times(bessel)
        Asymptote(coefficient=2.0, power=1.0, rate=0.5, remainder=1.0)
        >>> heat.plus(bessel) == bessel
        True
    """

    coefficient: Real
    power: Real
    rate: Real
    remainder: Real

    def __post_init__(self) -> None:
        store(self, number, "coefficient", "power", subject="An asymptote's ")
        store(self, not_negative, "rate", subject="An asymptote's ")
        if not (isinstance(self.remainder, float) and self.remainder == math.inf):
            store(self, positive, "remainder", subject="An asymptote's ")

    @property
    def order(self) -> tuple[float, float]:
        """The pair (rate, power): of two multipliers, the one with the smaller pair is larger."""
        return float(self.rate), float(self.power)

    def times(self, other: "Asymptote") -> "Asymptote":
        """The asymptote of the product."""
        instance(other, Asymptote, "The other factor's asymptote")
        return Asymptote(
            self.coefficient * other.coefficient,
            self.power + other.power,
            self.rate + other.rate,
            min(self.remainder, other.remainder),
        )

    def plus(self, other: "Asymptote") -> "Asymptote | None":
        """The asymptote of the sum, or None if the leading terms cancel."""
        instance(other, Asymptote, "The other term's asymptote")
        if self.coefficient == 0.0 or other.coefficient == 0.0:
            return other if self.coefficient == 0.0 else self
        if self.order != other.order:
            large, small = sorted((self, other), key=lambda asymptote: asymptote.order)
            behind = math.inf if small.rate > large.rate else small.power - large.power
            return Asymptote(
                large.coefficient, large.power, large.rate, min(large.remainder, behind)
            )
        total = self.coefficient + other.coefficient
        if abs(total) <= CANCELLED * (abs(self.coefficient) + abs(other.coefficient)):
            return None
        return Asymptote(total, self.power, self.rate, min(self.remainder, other.remainder))

    def scaled(self, scale: Real) -> "Asymptote":
        """The asymptote of a multiple."""
        scale = number(scale, "The scale of an asymptote")
        return Asymptote(scale * self.coefficient, self.power, self.rate, self.remainder)

    def regularised_inverse(self, ratio: Real) -> "Asymptote | None":
        r"""The asymptote of :math:`G/(G^2 + \rho^2)`, or None if :math:`G` grows."""
        ratio = positive(ratio, "The ratio of a regularised inverse", least=1e-150, most=1e150)
        if self.coefficient == 0.0 or self.order > (0.0, 0.0):
            behind = math.inf if self.rate > 0.0 or self.coefficient == 0.0 else 2.0 * self.power
            return Asymptote(
                self.coefficient / ratio**2, self.power, self.rate, min(self.remainder, behind)
            )
        if self.order < (0.0, 0.0):
            return None
        inverse = self.coefficient / (self.coefficient**2 + ratio**2)
        return Asymptote(inverse, 0.0, 0.0, self.remainder)
