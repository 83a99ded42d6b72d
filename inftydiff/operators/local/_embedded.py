"""The local operator at some points of a grid, by way of the whole grid."""

from dataclasses import dataclass
from typing import final

from jaxtyping import Float, Int
from torch import Tensor

from inftydiff.operators.local._implementation import Form

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
        index: the flat numbers of the points on the grids of all samples, one after the other, of
            shape ``(rows,)``.
        samples: the number of samples.
        nodes: the number of points of the grid.
        whole: the form on the grid.
    """

    index: Int[Tensor, "rows"]
    samples: int
    nodes: int
    whole: Form

    def __call__(
        self,
        values: Float[Tensor, "*batch points channels"],
        weight: Float[Tensor, "images *window"],
        scale: Float[Tensor, "*samples points"],
    ) -> Float[Tensor, "*batch points images"]:
        """Put the values on the grid, apply the kernel there, read it at the points and scale."""
        copies = values.shape[:-1].numel() // len(self.index)
        column = values.reshape(copies, len(self.index), values.shape[-1])
        nodes = self.samples * self.nodes
        grids = scatter(column, self.index, nodes)
        grids = grids.view(copies * self.samples, self.nodes, values.shape[-1])
        image = self.whole(grids, weight, scale.new_ones(self.nodes))
        image = take(image.reshape(copies, nodes, len(weight)), self.index)
        return image.view(*values.shape[:-1], image.shape[-1]) * scale.unsqueeze(-1)
