"""The report on a set of pictures: its distances from real ones, beside those of real ones.

The *clean floor* is the distance of other real pictures, as many as were judged, from the same
reference: what a perfect model would get. It is printed beside every score, because the Fréchet
distance depends on the numbers of pictures and on the network; no number of this page can be set
beside a published FID.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._typing import floating, instance
from inftydiff.evaluation.intervals import Distances, Estimate, compare

__all__ = ["Scores", "score"]


@final
@dataclass(frozen=True)
class Scores:
    """Distances of pictures from real ones, with all that is needed to compare them.

    Args:
        features: what the features are; :attr:`~inftydiff.evaluation.features.FeatureNetwork.name`.
        count: how many pictures were judged.
        reference: how many real pictures they were compared with.
        resamples: how many resamples the intervals come from.
        level: the intervals' confidence.
        pictures: the distances of the pictures from the reference.
        floor: those of ``count`` other real pictures from the reference.
    """

    features: str
    count: int
    reference: int
    resamples: int
    level: float
    pictures: Distances
    floor: Distances

    def record(self) -> dict[str, Any]:
        """The fields as what JSON can hold, nested like them."""
        return dataclasses.asdict(self)

    def __str__(self) -> str:
        rows = [
            f"{name:<12s}{_cells(row.frechet, 2)}   {_cells(row.kernel, 4)}"
            for name, row in (("pictures", self.pictures), ("clean floor", self.floor))
        ]
        width = (len(rows[0]) - 15) // 2
        return "\n".join(
            [
                f"{self.count} pictures against {self.reference} real ones, {self.features}",
                f"{'':12s}{'Fréchet distance':>{width}s}   {'kernel distance':>{width}s}",
                *rows,
                f"Brackets: {100 * self.level:g} % intervals by {self.resamples} resamples.",
                "Compare with the floor, and at these numbers of pictures only; not with FID.",
            ]
        )


def score(
    pictures: Float[Tensor, "n d"],
    reference: Float[Tensor, "m d"],
    others: Float[Tensor, "k d"],
    *,
    network: str,
    generator: torch.Generator,
    resamples: int = 100,
    level: float = 0.95,
) -> Scores:
    """Judge pictures by their features.

    Args:
        pictures: features of the pictures, one row each.
        reference: features of real pictures.
        others: features of as many other real pictures as there are to judge.
        network: what the features are; :attr:`~inftydiff.evaluation.features.FeatureNetwork.name`.
        generator: the source of the resamples.
        resamples: how many.
        level: the intervals' confidence.

    Raises:
        ValueError: if the pictures and the other real pictures differ in number, or as
            :func:`~inftydiff.evaluation.intervals.compare`.

    Example:
        >>> g = torch.Generator().manual_seed(0)
        >>> draw = lambda n: torch.randn(n, 4, generator=g)
        >>> print(score(draw(60) + 0.5, draw(80), draw(60), network="4 normals", generator=g))
        60 pictures against 80 real ones, 4 normals
                             Fréchet distance                 kernel distance
        pictures       1.00 [   0.31,    1.68]      0.8469 [  -0.0892,    1.7830]
        clean floor    0.21 [  -0.21,    0.63]     -0.0029 [  -0.5040,    0.4982]
        Brackets: 95 % intervals by 100 resamples.
        Compare with the floor, and at these numbers of pictures only; not with FID.
    """
    for x in (pictures, reference, others):
        if floating(x, "Features").ndim != 2:
            raise ValueError(f"Features have the shape (pictures, features); got {tuple(x.shape)}.")
    instance(network, str, "The name of a network")
    if len(others) != len(pictures):
        raise ValueError(
            f"The clean floor takes as many real pictures as are judged; got {len(others)} beside "
            f"{len(pictures)}."
        )

    def apart(one: Float[Tensor, "n d"]) -> Distances:
        return compare(one, reference, generator=generator, resamples=resamples, level=level)

    return Scores(
        features=network,
        count=len(pictures),
        reference=len(reference),
        resamples=resamples,
        level=level,
        pictures=apart(pictures),
        floor=apart(others),
    )


def _cells(estimate: Estimate, digits: int) -> str:
    """A number and its interval, of the same width for all that are below a hundred thousand."""
    wide = digits + 5
    value, low, high = (
        f"{number:{wide}.{digits}f}" for number in (estimate.value, estimate.low, estimate.high)
    )
    return f"{value} [{low}, {high}]"
