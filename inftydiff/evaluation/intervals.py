r"""Confidence intervals of the distances, by resampling both sets of pictures.

A resample draws as many rows as a set has, with replacement. The interval is

.. math::

    \hat\theta \pm z\,\operatorname{sd}(\theta^*),

the estimate plus and minus the normal quantile times the standard deviation of the estimates of
the resamples. Their mean is not used: a resample of n rows holds about 0.63 n different ones, and
the Fréchet distance, which is larger for smaller sets, is too large for it. An interval therefore
says how the number would vary with other pictures *at these numbers of pictures*; it does not hold
the distance between the laws themselves, which is smaller than the Fréchet distance of any sample.
"""

from dataclasses import dataclass
from statistics import NormalDist
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._typing import generator_for, number, whole
from inftydiff.evaluation.distances import (
    frechet_distance,
    kernel_distance,
    weighted_frechet,
    weighted_kernel,
)

__all__ = ["Distances", "Estimate", "compare"]

MOST_RESAMPLES = 10_000
"""The most resamples of an interval."""


@final
@dataclass(frozen=True)
class Estimate:
    """A number with its confidence interval.

    Args:
        value: the number.
        low: the lower end of the interval.
        high: its upper end.
    """

    value: float
    low: float
    high: float


@final
@dataclass(frozen=True)
class Distances:
    """The distances of two sets of pictures.

    Args:
        frechet: the Fréchet distance.
        kernel: the unbiased kernel distance.
    """

    frechet: Estimate
    kernel: Estimate


def compare(
    first: Float[Tensor, "n d"],
    second: Float[Tensor, "m d"],
    *,
    generator: torch.Generator,
    resamples: int = 100,
    level: float = 0.95,
) -> Distances:
    """Both distances between two sets of features, with confidence intervals.

    A resample takes a tenth of a second at 500 against 1000 pictures of 1280 features, and time
    grows with the cube of the smaller set up to the number of features.

    Args:
        first: one row a picture.
        second: one row a picture, the same features.
        generator: the source of the resamples.
        resamples: how many; the relative error of an interval's width is 1/√(2 · resamples).
        level: the intervals' confidence.

    Raises:
        ValueError: if there are fewer than two resamples, the level is not between 0 and 1, or as
            :func:`~inftydiff.evaluation.distances.frechet_distance`.

    Example:
        >>> g = torch.Generator().manual_seed(0)
        >>> x = torch.randn(50, 3, generator=g)
        >>> found = compare(x, x + 1.0, generator=g)
        >>> round(found.frechet.value, 6), found.frechet.low < 3.0 < found.frechet.high
        (3.0, True)
    """
    generator_for(generator, "compare")
    if whole(resamples, "resamples", most=MOST_RESAMPLES) < 2:
        raise ValueError(f"Intervals take at least 2 resamples; got {resamples}.")
    resamples, level = int(resamples), number(level, "A confidence level")
    if not 0.0 < level < 1.0:
        raise ValueError(f"A confidence level lies between 0 and 1; got {level!r}.")
    frechet, kernel = frechet_distance(first, second), kernel_distance(first, second)
    first, second = first.double(), second.double()
    first_counts = _counts(len(first), resamples, generator).to(first)
    second_counts = _counts(len(second), resamples, generator).to(second)
    frechets = [
        weighted_frechet(first, second, one, other)
        for one, other in zip(first_counts, second_counts, strict=True)
    ]
    kernels = weighted_kernel(first, second, first_counts, second_counts)
    return Distances(
        _estimate(frechet, torch.tensor(frechets, dtype=torch.float64), level),
        _estimate(kernel, kernels, level),
    )


def _counts(rows: int, resamples: int, generator: torch.Generator) -> Float[Tensor, "resamples n"]:
    """Return how often each row is in each resample."""
    drawn = torch.randint(rows, (resamples, rows), generator=generator, device=generator.device)
    counts = torch.zeros(resamples, rows, dtype=torch.float64, device=drawn.device)
    return counts.scatter_add_(1, drawn, torch.ones_like(counts))


def _estimate(value: float, resampled: Float[Tensor, "resamples"], level: float) -> Estimate:
    """The interval of a value whose resamples are known."""
    half = NormalDist().inv_cdf(0.5 + 0.5 * level) * resampled.std().item()
    return Estimate(value, value - half, value + half)
