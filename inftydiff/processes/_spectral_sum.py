r"""The sum of a function of the Laplacian over all its eigenvalues.

With a smooth weight :math:`w(\omega)` that falls from one to zero, the low part
:math:`\sum_k w\,m^2(\lambda_k)` of a trace is summed, and the high part, :math:`(1 - w)\,m^2`, is
an integral: by Poisson's summation formula

.. math::
   \sum_k f(\omega_k) \approx \prod_a \Bigl(b_a + \frac{L_a}{2\pi}\int d\omega_a\Bigr) f, \qquad
   b_a = \tfrac12,\ 0,\ -\tfrac12

on a reflecting, periodic and absorbing axis (:math:`b_a` stands for that multiple of :math:`f` at
:math:`\omega_a = 0`), with an error that falls faster than every power of the number of modes
summed, for functions that are smooth on the scale of the eigenvalues' distances.

The weight falls on the scale of the largest distance, that of the shortest side, and below it a
thin box has very many modes of its long sides. So their part of the low sum is found likewise: for
each mode :math:`\mu` of the shortest side, the sum of :math:`w\,m^2(\mu + \lambda)` over the
modes :math:`\lambda` of the other sides.
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import torch
from torch import Tensor

from inftydiff.operators.asymptote import Asymptote
from inftydiff.operators.basis import eigenbasis
from inftydiff.operators.domain import Box, Domain
from inftydiff.operators.multiplier import Multiplier

__all__ = ["squared_sum"]

Spectrum: TypeAlias = Callable[[Tensor], Tensor]
"""A function of eigenvalues of any shape, entry by entry."""

BELOW_ZERO = {"reflecting": 0.5, "periodic": 0.0, "absorbing": -0.5}
"""The number of terms at zero that an axis adds to half the sum over all whole wave numbers."""

AT_ONCE = 1 << 18
"""Up to how many modes are summed at once."""

MODES = 1 << 14
"""About how many modes are summed at least."""

FEWEST = 24.0
"""Up to which wave number they are summed at least, in units of the largest distance of two."""

OCTAVES = 60
"""Up to how many doublings of the highest summed wave number the integral is done by quadrature."""


def squared_sum(multiplier: Multiplier, domain: Domain) -> float:
    r"""The sum :math:`\sum_k m(\lambda_k)^2`, where it converges.

    Args:
        multiplier: the function :math:`m`, without a cut-off and with a known asymptote.
        domain: where the Laplacian's eigenvalues are taken.

    Example:
        >>> from inftydiff.operators import Box
        >>> from inftydiff.operators.covariance import BesselMultiplier
        >>> expected = 0.5 * math.pi / math.tanh(0.5 * math.pi)
        >>> abs(squared_sum(BesselMultiplier(1.0), Box((math.pi,), "periodic")) - expected) < 1e-12
        True
    """
    if domain.dim == 0:
        return float(multiplier(eigenbasis(domain).eigenvalues(())).square())
    sides = zip(domain.lengths, domain.boundaries, strict=True)
    total = _sum(
        lambda eigenvalues: multiplier(eigenvalues).square(),
        sorted((_Side(float(length), boundary) for length, boundary in sides), key=_distance),
        MODES,
        multiplier.asymptote,
    )
    return max(0.0, total)


class _Side(NamedTuple):
    """One axis of a box: its length and its boundary condition."""

    length: float
    boundary: str


def _distance(side: _Side) -> float:
    """The distance of two wave numbers of an axis."""
    return (2.0 if side.boundary == "periodic" else 1.0) * math.pi / side.length


def _sum(f: Spectrum, sides: Sequence[_Side], modes: int, tail: Asymptote | None) -> float:
    """The sum of f(λ) over the eigenvalues of a box with these sides, the longest first.

    Args:
        f: the summand, of any eigenvalues.
        sides: the sides, by the distances of their wave numbers.
        modes: about how many are summed at least.
        tail: the asymptote of the root of the summand, if it is no sum's low part.
    """
    distances, dim = [_distance(side) for side in sides], len(sides)
    wave = max(FEWEST * distances[-1], (modes * math.prod(distances)) ** (1.0 / dim))

    def low(eigenvalues: Tensor) -> Tensor:
        return _weight(eigenvalues.sqrt(), wave) * f(eigenvalues)

    basis = eigenbasis(Box(*zip(*sides, strict=True)))
    counts = basis.counts(wave)
    if dim == 1 or math.prod(counts) <= AT_ONCE:
        total = low(basis.eigenvalues(counts)).sum().item()
    else:
        shifts = basis.axes[-1].waves(counts[-1]).square().tolist()
        total = _sum(functools.partial(_shifted, low, shifts), sides[:-1], 1, None)
    terms = np.ones(1)
    for side in sides:
        terms = np.convolve(terms, [BELOW_ZERO[side.boundary], side.length / (2.0 * math.pi)])
    for s, integral in enumerate(_integrals(f, wave, dim, tail), start=1):
        sphere = 2.0 * math.pi ** (0.5 * s) / math.gamma(0.5 * s)
        total += float(terms[s]) * sphere * integral
    return total


def _shifted(f: Spectrum, shifts: Sequence[float], eigenvalues: Tensor) -> Tensor:
    total = torch.zeros_like(eigenvalues)
    for shift in shifts:
        total += f(eigenvalues + shift)
    return total


def _weight(waves: Tensor, last: float) -> Tensor:
    return 0.5 * torch.erfc(12.0 * (waves / last - 0.5))


def _integrals(f: Spectrum, wave: float, most: int, tail: Asymptote | None) -> list[float]:
    r"""The integrals of :math:`(1 - w)\,f(\omega^2)\,\omega^{s-1}` over ω > 0, s = 1, 2, …."""
    points, weights = (wave * part for part in _rule())
    values = weights * (1.0 - _weight(points, wave)) * f(points.square())
    totals = [(values * points ** (s - 1)).sum().item() for s in range(1, most + 1)]
    if tail is None or tail.rate > 0.0 or tail.coefficient == 0.0:
        return totals
    for s in range(1, most + 1):
        excess = 4.0 * tail.power - s
        last = math.exp(-excess * math.log(wave * 2.0**OCTAVES))
        totals[s - 1] += tail.coefficient**2 * last / excess
    return totals


@functools.cache
def _rule() -> tuple[Tensor, Tensor]:
    """Gauss–Legendre points and weights, in panels that end at powers of two above one."""
    ends = np.concatenate([np.linspace(0.0, 1.0, 17), 2.0 ** np.arange(1, OCTAVES + 1)])
    nodes, weights = np.polynomial.legendre.leggauss(32)
    widths = np.diff(ends)[:, None]
    points = torch.from_numpy(ends[:-1, None] + 0.5 * widths * (1.0 + nodes)).flatten()
    return points, torch.from_numpy(0.5 * widths * weights).flatten()
