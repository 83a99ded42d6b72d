"""Monte Carlo comparisons, at six standard deviations."""

import torch
from torch import Tensor

from inftydiff.testing.laws.law import Claim, at_most

__all__ = ["covariance_of_draws"]

DEVIATIONS = 6.0


def covariance_of_draws(draws: Tensor, covariance: Tensor) -> Claim:
    r"""The claim that centred Gaussian draws have a covariance.

    The empirical :math:`\frac1n\sum_i x_i x_i^T` has entries of variance :math:`(\Sigma_{pp}
    \Sigma_{qq} + \Sigma_{pq}^2)/n`.

    Args:
        draws: independent draws, of shape ``(draws, points)``.
        covariance: their covariance, of shape ``(points, points)``.
    """
    draws, covariance = draws.double().cpu(), covariance.double().cpu()
    variances = covariance.diagonal()
    spread = (variances.outer(variances) + covariance.square()).div(len(draws)).sqrt()
    excess = (draws.mT @ draws / len(draws) - covariance).abs()
    rounding = 1e-6 * variances.max()
    return at_most(
        f"|covariance of {len(draws)} draws − covariance| ≤ {DEVIATIONS:g} standard deviations",
        excess,
        torch.clamp(DEVIATIONS * spread, min=rounding.item()),
    )
