r"""The comparison of spectral multipliers: one function, or multiples of each other.

One function can be written in many ways: :math:`1·m = m`, :math:`m_1 m_2 = m_2 m_1`,
:math:`e^{-s^2\lambda/2} e^{-r^2\lambda/2} = e^{-(s^2 + r^2)\lambda/2}`. Each expression is
multiplied out into a sum of terms

.. math:: c\, e^{-a\lambda} \prod_i f_i(\lambda)^{p_i}

with the Bessel factors :math:`(1 + \ell^2\lambda)^{-1}` and what is not known more closely among
the :math:`f_i`. Like terms are added, and two expressions agree if their terms do. Numbers agree to
twelve digits: they went through other roundings.
"""

import math
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from inftydiff._typing import Scalar
from inftydiff.operators.covariance import (
    BesselMultiplier,
    MaternMultiplier,
    SquaredExponentialMultiplier,
)
from inftydiff.operators.multiplier import (
    HeatMultiplier,
    Multiplier,
    ProductMultiplier,
    ScaledMultiplier,
    SumMultiplier,
    UnitMultiplier,
)

__all__ = ["ratio_of", "same_multiplier"]

DIGITS = 1e-12
"""Numbers that differ by less than this, relative to their size, are the same."""

MOST_TERMS = 64
"""A product of more terms is not multiplied out."""


def same_multiplier(first: Multiplier, second: Multiplier) -> bool:
    """Find whether two multipliers are one function, as far as their expressions tell.

    Example:
        >>> from inftydiff import gaussian_mollifier
        >>> from inftydiff.processes.spectra import multiplier_of
        >>> T, wider = gaussian_mollifier(0.3), gaussian_mollifier(0.5)
        >>> same_multiplier(
        ...     multiplier_of(2.0 * (T @ gaussian_mollifier(0.4))), multiplier_of(wider + wider)
        ... )
        True
    """
    if first == second:
        return True
    ratio = ratio_of(first, second)
    return ratio is not None and _close(ratio, 1.0)


def ratio_of(first: Multiplier, second: Multiplier) -> Scalar | None:
    """The number c with ``first = c · second``, or None if the expressions show none.

    Returns:
        A number, or one a sample in a tensor of shape ``(batch,)``, float64. Of two multipliers
        that are zero, one.
    """
    one, two = _expanded(first), _expanded(second)
    if len(one) != len(two):
        return None
    ratio: Scalar | None = None
    for term in one:
        partner = next((other for other in two if term.like(other)), None)
        if partner is None:
            return None
        quotient = _divided(term.scale, partner.scale)
        if quotient is None or (ratio is not None and not _close(quotient, ratio)):
            return None
        ratio = quotient if ratio is None else ratio
    return 1.0 if ratio is None else ratio


@final
@dataclass(frozen=True, eq=False)
class _Term:
    """A number, the rate of an exponential, and factors with their powers."""

    scale: Scalar
    rate: float = 0.0
    factors: tuple[tuple[Multiplier, float], ...] = ()

    def like(self, other: "_Term") -> bool:
        """Say whether the terms differ in their numbers only."""
        if len(self.factors) != len(other.factors) or not _close(self.rate, other.rate):
            return False
        return all(
            any(one == two and _close(power, its) for two, its in other.factors)
            for one, power in self.factors
        )

    def times(self, other: "_Term") -> "_Term":
        factors = list(self.factors)
        for factor, power in other.factors:
            known = next((i for i, (one, _) in enumerate(factors) if one == factor), None)
            if known is None:
                factors.append((factor, power))
            else:
                factors[known] = factor, factors[known][1] + power
        return _Term(self.scale * other.scale, self.rate + other.rate, tuple(factors))


def _expanded(multiplier: Multiplier) -> list[_Term]:
    match multiplier:
        case UnitMultiplier():
            return [_Term(1.0)]
        case HeatMultiplier():
            return [_Term(1.0, 0.5 * multiplier.width**2)]
        case BesselMultiplier():
            unit = BesselMultiplier(1.0, multiplier.length_scale, multiplier.cutoff)
            return [_Term(1.0, 0.0, ((unit, float(multiplier.order)),))]
        case MaternMultiplier():
            return _expanded(multiplier.scaled_bessel)
        case SquaredExponentialMultiplier():
            return _expanded(multiplier.scaled_heat)
        case ScaledMultiplier():
            scale = multiplier.scale
            number = scale.detach().cpu().double() if isinstance(scale, Tensor) else scale
            terms = _expanded(multiplier.multiplier)
            return _added([term.times(_Term(number)) for term in terms])
        case SumMultiplier():
            return _added(_expanded(multiplier.first) + _expanded(multiplier.second))
        case ProductMultiplier():
            one, two = _expanded(multiplier.first), _expanded(multiplier.second)
            if len(one) * len(two) <= MOST_TERMS:
                return _added([term.times(other) for term in one for other in two])
    return [_Term(1.0, 0.0, ((multiplier, 1.0),))]


def _added(terms: list[_Term]) -> list[_Term]:
    """The terms with like ones added, and without those that are zero."""
    sums: list[_Term] = []
    for term in terms:
        known = next((i for i, one in enumerate(sums) if one.like(term)), None)
        if known is None:
            sums.append(term)
        else:
            one = sums[known]
            sums[known] = _Term(one.scale + term.scale, one.rate, one.factors)
    return [term for term in sums if not _close(term.scale, 0.0)]


def _divided(number: Scalar, by: Scalar) -> Scalar | None:
    zero = (by == 0.0).any() if isinstance(by, Tensor) else by == 0.0
    shapes = [number.shape for number in (number, by) if isinstance(number, Tensor)]
    if bool(zero) or len({shape for shape in shapes if shape}) > 1:
        return None
    return number / by


def _close(one: Scalar, two: Scalar) -> bool:
    if not (isinstance(one, Tensor) or isinstance(two, Tensor)):
        return math.isclose(one, two, rel_tol=DIGITS)
    one, two = (torch.as_tensor(number, dtype=torch.float64) for number in (one, two))
    axes = {number.shape for number in (one, two) if number.ndim}
    return len(axes) < 2 and bool(torch.isclose(one, two, rtol=DIGITS, atol=0.0).all())
