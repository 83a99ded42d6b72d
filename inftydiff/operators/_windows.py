r"""Products with windows around scattered points, at a cost linear in the points and in the nodes.

The matrix between the nodes :math:`g` of a grid and points :math:`y` is

.. math:: A_{gy} = s_y \prod_a k(|g_a - y_a|), \qquad k(r) = 0 \text{ for } r > R.

The points are put in blocks of one tile each (``tiles``). A block's factors :math:`k` are tables,
and its product is a small dense one between its points and its patch of nodes. A sum over points
adds the patches where they overlap; the transpose cuts them out. No two additions to one place are
done at a time, so that a sum has one order, and is bitwise the same each time.
"""

import functools
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from inftydiff.operators._bins import blocks, tilings
from inftydiff.operators._matrices import Constants, Matrix
from inftydiff.operators.discretisation import Grid

__all__ = ["WindowMatrix", "distances"]

CHUNK = 1 << 19
"""The number of entries of the blocks' dense factors that exist at a time."""


def distances(
    nodes: Float[Tensor, "*batch nodes"], points: Float[Tensor, "*batch points"], grid: Grid, a: int
) -> Float[Tensor, "*batch nodes points"]:
    """Distances along an axis of a grid, the shorter way round where it is periodic."""
    distance = (nodes.unsqueeze(-1) - points.unsqueeze(-2)).abs()
    if grid.domain.boundaries[a] == "periodic":
        distance = distance.minimum(grid.domain.lengths[a] - distance)
    return distance


@final
class WindowMatrix(Matrix):
    r"""The matrix :math:`s_y \prod_a k(|g_a - y_a|)` of the nodes :math:`g` and points :math:`y`.

    Args:
        points: the points, of shape ``(*samples, points, dim)``, where ``samples`` is one axis or
            none.
        scale: the factors :math:`s_y`, of shape ``(*samples, points)``.
        grid: the nodes.
        window: the function :math:`k` of the distance along an axis.
        reach: where the window ends.
    """

    def __init__(
        self,
        points: Float[Tensor, "*samples points dim"],
        scale: Float[Tensor, "*samples points"],
        grid: Grid,
        window: Callable[[Tensor], Tensor],
        reach: float,
    ) -> None:
        size, dim = points.shape[-2:]
        points = points.reshape(-1, size, dim)
        self.samples, self.dim = len(points), dim
        self.tilings = tilings(grid, reach, size)
        self.sides = tuple(t.side for t in self.tilings)
        self.spans = tuple(t.spans for t in self.tilings)
        self.covered = tuple(t.covered for t in self.tilings)
        shape = (self.samples, *(t.tiles for t in self.tilings))
        sample = torch.arange(self.samples, device=points.device).unsqueeze(-1)
        tiles = [t.holding(points[..., a] / grid.spacing[a]) for a, t in enumerate(self.tilings)]
        put = blocks(_ravel([sample, *tiles], shape).flatten(), math.prod(shape))
        sample, *tiles = torch.unravel_index(put.tiles, shape)
        points = points.flatten(0, 1)[put.members]
        tables = []
        for a, t in enumerate(self.tilings):
            nodes = grid.axis(a).to(points)[t.reached(tiles[a])]
            tables.append(window(distances(nodes, points[..., a], grid, a)))
        tables[0] *= (scale.flatten()[put.members] * put.present).unsqueeze(-2)
        self.steps = list(itertools.product(*(range(t.spans) for t in self.tilings)))
        covered = (self.samples, *self.covered)
        patches = [
            _ravel([sample, *(i + s for i, s in zip(tiles, step, strict=True))], covered)
            for step in self.steps
        ]
        self.ends = put.ends
        self._tables = Constants(tables)
        self._index = Constants([put.members, put.places, torch.stack(patches, 1)])

    def prepare(self, values: Float[Tensor, "*batch _ channels"], *, transpose: bool) -> None:
        """Cast the tables."""
        self._tables.like(values)
        self._index.like(values)

    def product(
        self, values: Float[Tensor, "*batch points channels"]
    ) -> Float[Tensor, "*batch nodes channels"]:
        """Sum over the points."""
        members, _, patches = self._index.like(values)
        rows = self._to_rows(values)
        split = self._split(rows.shape[-1])
        tiles = rows.new_zeros(self.samples * math.prod(self.covered), *self.sides, rows.shape[-1])
        for chunk, left, right in self._factors(values, rows.shape[-1]):
            block = rows.index_select(0, members[chunk].flatten()).unflatten(0, (len(left), -1))
            if right is not None:
                block = (right.mT.unsqueeze(-1) * block.unsqueeze(-2)).flatten(-2)
            patch = self._ungrouped(left @ block, split)
            for number, step in enumerate(self.steps):
                at: tuple[slice | int, ...] = (slice(None), *step)
                tiles.index_add_(0, patches[chunk, number], patch[at])
        axes = range(1, self.dim + 1)
        lattice = tiles.unflatten(0, (self.samples, *self.covered))
        lattice = lattice.permute(0, *(i for a in axes for i in (a, a + self.dim)), -1)
        for a, t in enumerate(self.tilings, 1):
            lattice = t.fold(lattice.flatten(a, a + 1), a)
        return self._to_values(lattice.flatten(1, -2), values)

    def transposed_product(
        self, values: Float[Tensor, "*batch nodes channels"]
    ) -> Float[Tensor, "*batch points channels"]:
        """Sum over the nodes."""
        members, places, patches = self._index.like(values)
        rows = self._to_rows(values)
        lattice = rows.reshape(self.samples, *(t.nodes for t in self.tilings), rows.shape[-1])
        for a, t in reversed(list(enumerate(self.tilings, 1))):
            lattice = t.unfold(lattice, a).unflatten(a, (t.covered, t.side))
        axes = range(1, 2 * self.dim + 1)
        tiles = lattice.permute(0, *axes[::2], *axes[1::2], -1).flatten(0, self.dim)
        split = self._split(rows.shape[-1])
        result = rows.new_empty(*members.shape, rows.shape[-1])
        for chunk, left, right in self._factors(values, rows.shape[-1]):
            patch = tiles.index_select(0, patches[chunk].flatten()).unflatten(0, (len(left), -1))
            block = left.mT @ self._grouped(patch, split)
            if right is not None:
                block = block.unflatten(-1, (right.shape[1], -1))
                block = (block * right.mT.unsqueeze(-1)).sum(-2)
            result[chunk] = block
        result = result.flatten(0, 1).index_select(0, places)
        return self._to_values(result.unflatten(0, (self.samples, -1)), values)

    def _to_rows(self, values: Tensor) -> Tensor:
        """All samples' values in one column; copies that share their points are channels."""
        copies = math.prod(values.shape[:-2]) // self.samples
        values = values.reshape(copies, self.samples, *values.shape[-2:])
        return values.permute(1, 2, 0, 3).flatten(2).flatten(0, 1)

    def _to_values(self, results: Tensor, like: Tensor) -> Tensor:
        """Results ``(samples, points, copies and channels)`` in the batch of the values."""
        copies = math.prod(like.shape[:-2]) // self.samples
        results = results.unflatten(-1, (copies, like.shape[-1])).permute(2, 0, 1, 3)
        return results.reshape(*like.shape[:-2], *results.shape[-2:])

    def _factors(
        self, values: Tensor, channels: int
    ) -> Iterator[tuple[slice, Tensor, Tensor | None]]:
        """Some blocks of different tiles at a time, and the products of their tables.

        The second of two products, if there is one, is multiplied with the values.
        """
        tables = self._tables.like(values)
        split = self._split(channels)
        size = max(1, CHUNK // (self._entries(split, channels) * tables[0].shape[-1]))
        for first, last in itertools.pairwise(self.ends):
            for start in range(first, last, size):
                chunk = slice(start, min(start + size, last))
                some = [table[chunk] for table in tables]
                right = self._outer(some[split:], split) if split < self.dim else None
                yield chunk, self._outer(some[:split], 0), right

    def _outer(self, tables: Sequence[Tensor], first: int) -> Tensor:
        """The products of axes' tables, for each tile of the patch and then each of its nodes."""
        count = len(tables)
        shaped = []
        for a, table in enumerate(tables):
            shape = [1] * 2 * count
            shape[a], shape[a + count] = self.spans[first + a], self.sides[first + a]
            shaped.append(table.reshape(len(table), *shape, table.shape[-1]))
        return functools.reduce(torch.mul, shaped).flatten(1, -2)

    def _split(self, channels: int) -> int:
        """The number of axes in the first product with which the two have the fewest entries."""
        entries = [self._entries(split, channels) for split in range(1, self.dim + 1)]
        return 1 + entries.index(min(entries))

    def _entries(self, split: int, channels: int) -> int:
        """The entries a point of the products of tables: of the nodes, then with the channels."""
        patch = [t.patch for t in self.tilings]
        second = math.prod(patch[split:]) * channels if split < self.dim else 0
        return math.prod(patch[:split]) + second

    def _grouped(self, patches: Tensor, split: int) -> Tensor:
        """From the axes' tiles and nodes to those of the first product and those of the second."""
        patches = patches.unflatten(1, self.spans).permute(_groups(split, self.dim))
        return patches.flatten(1 + 2 * split).flatten(1, 2 * split)

    def _ungrouped(self, patches: Tensor, split: int) -> Tensor:
        """The inverse of ``_grouped``, with the axes' tiles apart."""
        groups = _groups(split, self.dim)
        shape = (0, *self.spans, *self.sides)
        patches = patches.reshape(len(patches), *(shape[a] for a in groups[1:-1]), -1)
        return patches.permute([groups.index(a) for a in range(len(groups))])


def _groups(split: int, dim: int) -> list[int]:
    """The order of axes ``(blocks, *tiles, *nodes, channels)`` in two groups of tiles and nodes."""
    axes = [range(split), range(dim, dim + split), range(split, dim), range(dim + split, 2 * dim)]
    return [0, *(1 + a for some in axes for a in some), 2 * dim + 1]


def _ravel(index: Sequence[Int[Tensor, "..."]], shape: Sequence[int]) -> Int[Tensor, "..."]:
    """The row-major number of an index."""
    number = index[0]
    for along, length in zip(index[1:], shape[1:], strict=True):
        number = number * length + along
    return number
