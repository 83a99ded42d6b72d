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
"""

import math

import numpy as np
import torch
from torch import Tensor

from inftydiff.operators.basis import eigenbasis
from inftydiff.operators.domain import Domain
from inftydiff.operators.multiplier import Multiplier

__all__ = ["squared_sum"]

BELOW_ZERO = {"reflecting": 0.5, "periodic": 0.0, "absorbing": -0.5}
"""What an axis adds to half the sum over all whole wave numbers, in units of the term at zero."""

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
    basis, dim = eigenbasis(domain), domain.dim
    if dim == 0:
        return float(multiplier(basis.eigenvalues(())).square())
    distances = [
        (2.0 if boundary == "periodic" else 1.0) * math.pi / length
        for length, boundary in zip(domain.lengths, domain.boundaries, strict=True)
    ]
    wave = max(FEWEST * max(distances), (MODES * math.prod(distances)) ** (1.0 / dim))
    eigenvalues = basis.eigenvalues(basis.counts(wave))
    total = (_weight(eigenvalues.sqrt(), wave) * multiplier(eigenvalues).square()).sum().item()
    terms = np.ones(1)
    for length, boundary in zip(domain.lengths, domain.boundaries, strict=True):
        terms = np.convolve(terms, [BELOW_ZERO[boundary], length / (2.0 * math.pi)])
    for s in range(1, dim + 1):
        sphere = 2.0 * math.pi ** (0.5 * s) / math.gamma(0.5 * s)
        total += float(terms[s]) * sphere * _integral(multiplier, wave, s)
    return total


def _weight(waves: Tensor, last: float) -> Tensor:
    return 0.5 * torch.erfc(12.0 * (waves / last - 0.5))


def _integral(multiplier: Multiplier, wave: float, s: int) -> float:
    r"""The integral of :math:`(1 - w)\,m(\omega^2)^2\,\omega^{s-1}` over all ω > 0."""
    ends = np.concatenate([np.linspace(0.0, 1.0, 17), 2.0 ** np.arange(1, OCTAVES + 1)])
    nodes, weights = np.polynomial.legendre.leggauss(32)
    widths = np.diff(ends)[:, None] * wave
    waves = torch.from_numpy(ends[:-1, None] * wave + 0.5 * widths * (1.0 + nodes)).flatten()
    values = (1.0 - _weight(waves, wave)) * multiplier(waves.square()).square() * waves ** (s - 1)
    total = (torch.from_numpy(0.5 * widths * weights).flatten() * values).sum().item()
    tail = multiplier.asymptote
    if tail is None or tail.rate > 0.0 or tail.coefficient == 0.0:
        return total
    excess = 4.0 * tail.power - s
    last = math.exp(-excess * math.log(wave * 2.0**OCTAVES))
    return total + tail.coefficient**2 * last / excess
