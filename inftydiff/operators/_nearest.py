"""The points nearest to each node of a grid, without the distances to all points.

The points are put in cells of a few points each. The candidates of a node are the points of its own
cell and of those around it: every point that is nearer than the ends of these cells is among them.
Nodes with too few such candidates look again among cells of twice the side, up to the whole box.
For points of even density that is linear in the points and in the nodes.
"""

import math
from collections.abc import Iterator
from typing import final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from inftydiff.operators._windows import distances
from inftydiff.operators.discretisation import Grid

__all__ = ["nearest"]

CHUNK = 1 << 18
"""The number of candidates that are looked at at a time."""

SLACK = 1e-9
"""By how much a neighbour must be nearer than the ends of the cells, relatively: for rounding."""


def nearest(
    points: Float[Tensor, "samples points dim"],
    present: Bool[Tensor, "samples points"],
    grid: Grid,
    k: int,
) -> tuple[Int[Tensor, "samples nodes k"], Float[Tensor, "samples nodes k"]]:
    """The nearest points that are there, and the squares of their distances; nearest first.

    Args:
        points: the points of each sample.
        present: which of them are there, at least ``k`` in each sample.
        grid: the nodes.
        k: the number of neighbours.
    """
    samples = len(points)
    columns = torch.empty(samples * grid.size, k, dtype=torch.int64, device=points.device)
    squares = torch.empty(samples * grid.size, k, dtype=points.dtype, device=points.device)
    left = torch.arange(len(columns), device=points.device)
    cells = _cells(grid.domain.lengths, int(present.sum()) / samples, (k + 1) / 2)
    while len(left):
        search = _Cells(points, present, grid, cells)
        again = []
        for some in left.split(max(1, CHUNK // 3**grid.dim)):
            for nodes, index, square, radius in search.candidates(some, at_least=k):
                best = square.topk(k, dim=-1, largest=False)
                columns[nodes] = index.gather(-1, best.indices)
                squares[nodes] = best.values
                again.append(nodes[~(best.values[:, -1] <= radius.square() * (1 - SLACK))])
        left = torch.cat(again)
        cells = tuple((n + 1) // 2 for n in cells)
    return columns.unflatten(0, (samples, -1)), squares.unflatten(0, (samples, -1))


def _cells(lengths: tuple[float, ...], points: float, each: float) -> tuple[int, ...]:
    """The cells along each axis: nearly cubes of ``each`` points, one if the axis is shorter."""
    cells = [1] * len(lengths)
    axes = sorted(range(len(lengths)), key=lambda a: lengths[a])
    for number, a in enumerate(axes):
        longer = axes[number:]
        side = (math.prod(lengths[b] for b in longer) * each / points) ** (1 / len(longer))
        cells[a] = max(1, int(lengths[a] / side))
        points /= cells[a]
    return tuple(cells)


@final
class _Cells:
    """The points in cells, and for each node the cells around it.

    Args:
        points: the points of each sample.
        present: which of them are there.
        grid: the nodes.
        cells: the number of cells along each axis.
    """

    def __init__(self, points: Tensor, present: Tensor, grid: Grid, cells: tuple[int, ...]) -> None:
        self.grid, self.shape, self.size = grid, (len(points), *cells), points.shape[1]
        there = present.flatten().nonzero().squeeze(-1)
        cell = there // self.size
        for a, count in enumerate(cells):
            along = points[..., a].flatten()[there] * (count / grid.domain.lengths[a])
            cell = cell * count + along.long().clamp(max=count - 1)
        self.members = there[cell.argsort(stable=True)]
        self.held = torch.bincount(cell, minlength=math.prod(self.shape))
        self.first = self.held.cumsum(0) - self.held
        self.points = points.flatten(0, 1)
        self.around = [self._around(a) for a in range(grid.dim)]

    def _around(self, a: int) -> tuple[Tensor, Tensor, Tensor]:
        """The three cells around each node of an axis, whether they are, and where they end."""
        count, grid = self.shape[a + 1], self.grid
        periodic = grid.domain.boundaries[a] == "periodic"
        nodes = grid.axis(a).to(self.points)
        steps = torch.arange(3, device=nodes.device)
        if count <= 3 and periodic:
            all_cells = steps.expand(len(nodes), 3)
            return (
                all_cells.clamp(max=count - 1),
                all_cells < count,
                nodes.new_full(nodes.shape, math.inf),
            )
        side = grid.domain.lengths[a] / count
        cells = (nodes / side).long().clamp(max=count - 1).unsqueeze(-1) + steps - 1
        below, above = nodes - cells[:, 0] * side, (cells[:, 2] + 1) * side - nodes
        if periodic:
            return cells % count, torch.ones_like(cells, dtype=torch.bool), below.minimum(above)
        below = below.masked_fill(cells[:, 0] <= 0, math.inf)
        above = above.masked_fill(cells[:, 2] >= count - 1, math.inf)
        inside = (cells >= 0) & (cells < count)
        return cells.clamp(0, count - 1), inside, below.minimum(above)

    def candidates(
        self, nodes: Int[Tensor, "nodes"], *, at_least: int
    ) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor]]:
        """Some of the nodes at a time, with the points in the cells around them.

        Yields:
            The nodes; the numbers of the points in their samples and the squares of their
            distances, which are infinite for fill; and how far from a node no point is missed.
        """
        sample, *along = torch.unravel_index(nodes, (self.shape[0], *self.grid.shape))
        cells, inside = sample.unsqueeze(-1), torch.ones_like(nodes, dtype=torch.bool).unsqueeze(-1)
        radius = self.points.new_full(nodes.shape, math.inf)
        for (around, real, reach), i, count in zip(self.around, along, self.shape[1:], strict=True):
            cells = (cells.unsqueeze(-1) * count + around[i].unsqueeze(-2)).flatten(-2)
            inside = (inside.unsqueeze(-1) & real[i].unsqueeze(-2)).flatten(-2)
            radius = radius.minimum(reach[i])
        held = self.held[cells] * inside
        ends = held.cumsum(-1)
        begins = self.first[cells] - (ends - held)
        order = ends[:, -1].argsort(descending=True)
        while len(order):
            most = max(at_least, int(ends[order[0], -1]))
            now, order = order.tensor_split([max(1, CHUNK // most)])
            slots = torch.arange(most, device=nodes.device).expand(len(now), -1).contiguous()
            last = ends[now]
            which = torch.searchsorted(last, slots, right=True).clamp(max=last.shape[-1] - 1)
            fill = slots >= last[:, -1:]
            index = self.members[(slots + begins[now].gather(-1, which)).masked_fill(fill, 0)]
            squares = self.points.new_zeros(())
            for a, i in enumerate(along):
                node = self.grid.axis(a).to(self.points)[i[now]].unsqueeze(-1)
                distance = distances(node, self.points[index, a], self.grid, a).squeeze(-2)
                squares = squares + distance.square()
            yield nodes[now], index % self.size, squares.masked_fill(fill, math.inf), radius[now]
