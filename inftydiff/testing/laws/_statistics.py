r"""Monte Carlo comparisons that practically never raise a false alarm.

The empirical covariance :math:`\frac1n\sum_i x_i x_i^T` of :math:`n` centred Gaussian draws differs
from :math:`\Sigma` in one entry by a weighted sum of squares of independent normals less their
means. By the inequality of Laurent and Massart, for any :math:`u > 0`,

.. math:: \left|\tfrac1n\sum_i x_{ip}x_{iq} - \Sigma_{pq}\right| ≤
   \sqrt{2u\,\frac{\Sigma_{pp}\Sigma_{qq} + \Sigma_{pq}^2}{n}} +
   \frac{2u}{n}\sqrt{\Sigma_{pp}\Sigma_{qq}}

but for a probability of at most :math:`2e^{-u}`. With :math:`u` chosen for all entries together a
right covariance passes a round of draws but for one chance in 10⁴. It fails the claim if it fails
three independent rounds: a false alarm has at most the probability 10⁻¹².

References:
    Laurent and Massart, "Adaptive estimation of a quadratic functional by model selection", Annals
    of Statistics 28, 2000, lemma 1.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from inftydiff.testing.laws.law import Claim, at_most

__all__ = ["covariance_of_draws"]

ALARM = 1e-4
"""The most probability with which a right covariance fails a round."""

ROUNDS = 3
"""The number of independent rounds of draws that must fail."""


def covariance_of_draws(draw: Callable[[int], Tensor], covariance: Tensor) -> Claim:
    """The claim that centred Gaussian draws have a covariance.

    Args:
        draw: gives independent draws, of shape ``(draws, points)``, for each number of a round.
        covariance: their covariance, of shape ``(points, points)``.
    """
    covariance = covariance.double().cpu()
    variances = covariance.diagonal()
    sizes = variances.outer(variances).clamp(min=0.0)
    unlikely = math.log(2.0 * covariance.numel() / ALARM)
    for number_of_round in range(ROUNDS):
        draws = draw(number_of_round).double().cpu()
        number = len(draws)
        spread = (2.0 * unlikely * (sizes + covariance.square()) / number).sqrt()
        allowed = spread + 2.0 * unlikely / number * sizes.sqrt()
        rounding = 1e-6 * variances.max().item()
        claim = at_most(
            f"|covariance of {number} draws − covariance| ≤ what chance allows",
            (draws.mT @ draws / number - covariance).abs(),
            torch.clamp(allowed, min=rounding),
        )
        if claim.holds:
            break
    return claim
