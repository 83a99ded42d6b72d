"""The local operator at some points of a grid, by way of the numerator of the whole grid."""

from dataclasses import dataclass
from typing import final

from jaxtyping import Float, Int
from torch import Tensor

from inftydiff.operators.local.numerator import Numerator

__all__ = ["EmbeddedNumerator", "scatter", "take"]


def scatter(
    values: Float[Tensor, "batch points channels"],
    index: Int[Tensor, "*samples points"],
    nodes: int,
) -> Float[Tensor, "batch nodes channels"]:
    """The values at their nodes of a lattice, and zero at the others."""
    where = index.expand(len(values), -1).unsqueeze(-1).expand_as(values)
    lattice = values.new_zeros(len(values), nodes, values.shape[-1])
    return lattice.scatter(1, where, values)


def take(
    lattice: Float[Tensor, "batch nodes channels"], index: Int[Tensor, "*samples points"]
) -> Float[Tensor, "batch points channels"]:
    """The values at some nodes of a lattice."""
    where = index.expand(len(lattice), -1).unsqueeze(-1).expand(-1, -1, lattice.shape[-1])
    return lattice.gather(1, where)


@final
@dataclass(frozen=True, eq=False)
class EmbeddedNumerator(Numerator):
    """The numerator at some points of a grid, by way of the whole grid.

    Args:
        index: the flat numbers of the points, of shape ``(points,)`` or ``(batch, points)``.
        nodes: the number of points of the grid.
        whole: the numerator on the grid.
    """

    index: Int[Tensor, "*samples points"]
    nodes: int
    whole: Numerator

    def __call__(
        self,
        values: Float[Tensor, "batch points channels"],
        weight: Float[Tensor, "channels *window"],
    ) -> Float[Tensor, "batch points channels"]:
        """Put the values on the grid, take its numerator, and read it at the points."""
        image = self.whole(scatter(values, self.index, self.nodes), weight)
        return take(image.flatten(1, -2), self.index)
