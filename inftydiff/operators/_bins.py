r"""Tiles of a grid's nodes, for sums over the points near each node.

The box is cut into tiles of a few nodes a side. What the points of a tile can reach is the tile's
patch: the tile, and as many around it as are needed. Along an axis that is no longer than a patch,
the one tile is the whole axis. Points are put in blocks: some points of one tile, as many in each.
"""

import math
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from inftydiff.operators.discretisation import Grid

__all__ = ["Blocks", "Tiling", "blocks", "tilings"]

LENGTHS = (1, 2, 4, 8, 16, 32, 48, 64, 96, 128)
"""The numbers of points that a block may have."""

OVERHEAD = 32
"""What a block's patch costs beside its points, in points."""


@final
@dataclass(frozen=True)
class Tiling:
    """The tiles along one axis, and their patches.

    Args:
        nodes: the number of nodes along the axis.
        side: the number of nodes a tile.
        tiles: the number of tiles that hold points.
        spans: the number of tiles a patch.
        before: the number of nodes by which a patch begins before its tile.
        periodic: whether the axis' ends are joined.
    """

    nodes: int
    side: int
    tiles: int
    spans: int
    before: int
    periodic: bool

    @property
    def patch(self) -> int:
        """The number of nodes a patch."""
        return self.spans * self.side

    @property
    def covered(self) -> int:
        """The number of tiles that are in patches."""
        return self.tiles + self.spans - 1

    def holding(self, places: Float[Tensor, "*points"]) -> Int[Tensor, "*points"]:
        """The tiles that hold points, which are given in units of the nodes' distance."""
        return (places / self.side).floor().long().clamp(0, self.tiles - 1)

    def reached(self, tiles: Int[Tensor, "blocks"]) -> Int[Tensor, "blocks patch"]:
        """The nodes of the tiles' patches; beyond a side some node, which ``fold`` leaves out."""
        nodes = torch.arange(self.patch, device=tiles.device) - self.before
        nodes = nodes + self.side * tiles.unsqueeze(-1)
        return nodes % self.nodes if self.periodic else nodes.clamp(0, self.nodes - 1)

    def unfold(self, lattice: Tensor, axis: int) -> Tensor:
        """From the nodes to those of all patches: beyond the sides the other end, or zeros."""
        left = lattice.narrow(axis, self.nodes - self.before, self.before)
        right = lattice.narrow(axis, 0, self._after)
        if not self.periodic:
            left, right = torch.zeros_like(left), torch.zeros_like(right)
        return torch.cat([left, lattice, right], axis)

    def fold(self, patches: Tensor, axis: int) -> Tensor:
        """The transpose of ``unfold``."""
        end = self.before + self.nodes
        lattice = patches.narrow(axis, self.before, self.nodes)
        if not self.periodic:
            return lattice
        lattice = lattice.clone()
        left = lattice.narrow(axis, self.nodes - self.before, self.before)
        left.add_(patches.narrow(axis, 0, self.before))
        lattice.narrow(axis, 0, self._after).add_(patches.narrow(axis, end, self._after))
        return lattice

    @property
    def _after(self) -> int:
        return self.covered * self.side - self.before - self.nodes


def tilings(grid: Grid, reach: float, points: int) -> tuple[Tiling, ...]:
    """The tiles with which the products between patches and points cost least.

    Args:
        grid: the nodes.
        reach: how far a point reaches along each axis, in the domain's units.
        points: the number of points.
    """

    def cost(ways: tuple[Tiling, ...]) -> int:
        used = min(points, math.prod(t.tiles for t in ways))
        return (points + OVERHEAD * used) * math.prod(t.patch for t in ways)

    choices = (tuple(_tiling(grid, a, reach, n) for a in range(grid.dim)) for n in (1, 2, 3, 4))
    return min(choices, key=cost)


def _tiling(grid: Grid, a: int, reach: float, parts: int) -> Tiling:
    nodes, periodic = grid.shape[a], grid.domain.boundaries[a] == "periodic"
    before = math.floor(min(reach / grid.spacing[a], nodes) + 0.5 + 1e-9)
    side = max(1, math.ceil(2 * before / parts))
    spans = math.ceil(2 * before / side) + 1
    if (spans + 1) * side >= nodes:
        return Tiling(nodes, nodes, 1, 1, 0, periodic)
    return Tiling(nodes, side, math.ceil(nodes / side), spans, before, periodic)


@final
@dataclass(frozen=True, eq=False)
class Blocks:
    """Points in blocks of one tile and one length; first one block of each tile, then another.

    Args:
        members: the points of each block; the last of a tile's points fills its last block.
        present: whether they are points, rather than fill.
        tiles: the tile of each block.
        places: where each point is among the members.
        ends: where runs of blocks of different tiles start and end.
    """

    members: Int[Tensor, "blocks length"]
    present: Bool[Tensor, "blocks length"]
    tiles: Int[Tensor, "blocks"]
    places: Int[Tensor, "points"]
    ends: tuple[int, ...]


def blocks(tiles: Int[Tensor, "points"], count: int) -> Blocks:
    """Put points in blocks.

    Args:
        tiles: the tile of each point.
        count: the number of tiles.
    """
    order = tiles.argsort(stable=True)
    held = torch.bincount(tiles, minlength=count)
    start = held.cumsum(0) - held
    tile = held.nonzero().squeeze(-1)
    held, start = held[tile], start[tile]

    def number_of(length: int) -> Tensor:
        return (held + length - 1) // length

    length = min(LENGTHS, key=lambda n: int(number_of(n).sum()) * (n + OVERHEAD))
    number = number_of(length)
    which = torch.arange(len(tile), device=tile.device).repeat_interleave(number)
    rank = torch.arange(len(which), device=tile.device) - (number.cumsum(0) - number)[which]
    by_rank = rank.argsort(stable=True)
    which, rank = which[by_rank], rank[by_rank]
    slots = rank.unsqueeze(-1) * length + torch.arange(length, device=tile.device)
    present = slots < held[which].unsqueeze(-1)
    members = order[start[which].unsqueeze(-1) + slots.minimum(held[which].unsqueeze(-1) - 1)]
    places = torch.empty_like(order)
    places[members[present]] = present.flatten().nonzero().squeeze(-1)
    ends = (0, *torch.bincount(rank).cumsum(0).tolist())
    return Blocks(members, present, tile[which], places, ends)
