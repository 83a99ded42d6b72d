"""The local operator at some points of a grid, by way of the whole grid."""

from dataclasses import dataclass
from typing import final

from jaxtyping import Float, Int
from torch import Tensor

from inftydiff.operators.local.form import Form

__all__ = ["EmbeddedForm", "scatter", "take"]


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
class EmbeddedForm(Form):
    """The operator at some points of a grid, by way of the whole grid.

    Args:
        index: the flat numbers of the points, of shape ``(samples, points)``.
        nodes: the number of points of the grid.
        whole: the form on the grid.
    """

    index: Int[Tensor, "samples points"]
    nodes: int
    whole: Form

    def __call__(
        self,
        values: Float[Tensor, "copies *samples points channels"],
        weight: Float[Tensor, "images *window"],
        mass: Float[Tensor, "*samples points"],
    ) -> Float[Tensor, "copies *samples points images"]:
        """Put the values on the grid, apply the kernel there, read it at the points and divide."""
        columns = values.reshape(-1, *values.shape[-2:])
        index = self.index.repeat(len(columns) // len(self.index), 1)
        lattice = scatter(columns, index, self.nodes)
        image = self.whole(lattice, weight, mass.new_ones(self.nodes))
        image = take(image, index)
        return image.view(*values.shape[:-1], image.shape[-1]) / mass.unsqueeze(-1)
