"""The search for the pairs of points that see each other: on a lattice, or in buckets."""

import math
from collections.abc import Iterator
from fractions import Fraction

import torch
from jaxtyping import Float, Int
from torch import Tensor

from inftydiff.operators.local._pair_list import PairList, check_number, listed, row_starts
from inftydiff.operators.local.definition import reach

__all__ = ["lattice_pairs", "lattice_windows", "scattered_pairs"]

_PIECE = 2**22
"""How many nodes of windows are looked at at once."""

BUCKETS, ALONG = 2**62, 2**31
"""The most buckets that scattered points are put into, and along an axis: int64 counts them."""


def lattice_pairs(
    lattice: Int[Tensor, "nodes"], where: Int[Tensor, "rows"], offsets: Int[Tensor, "taps"]
) -> PairList:
    """Find the pairs of points of a grid, with one tap for each offset.

    Args:
        lattice: the row of the point at each node, or −1 where there is none, int32.
        where: the node of each row, int64.
        offsets: the nodes of a window, less the node of its middle, ascending, int64.
    """
    return listed(
        lattice[some.unsqueeze(-1) + offsets]
        for some in where.split(max(1, _PIECE // len(offsets)))
    )


def lattice_windows(
    samples: Int[Tensor, "samples points"],
    grid: tuple[int, ...],
    ratios: tuple[Fraction, ...],
    size: int,
) -> tuple[Int[Tensor, "nodes"], Int[Tensor, "rows"], Int[Tensor, "taps"]]:
    """Lay the points on a lattice with a margin as wide as a window reaches.

    A kernel's tap n takes the value at c - n, so that the last tap belongs to the first offset.

    Args:
        samples: the flat numbers of the points, of shape ``(samples, points)``.
        grid: the grid's number of cells along each axis.
        ratios: the reference cell's side in spacings of the grid, along each axis.
        size: the number of nodes of the kernel's table along each axis.

    Returns:
        The row of the point at each node, or −1 where there is none, int32; the node of each row;
        and the nodes of a window, less the node of its middle, ascending.
    """
    count, points = samples.shape
    check_number(count * points, "points")
    device = samples.device
    where = torch.arange(count, device=device).unsqueeze(-1)
    offsets = torch.zeros(1, dtype=torch.int64, device=device)
    nodes = count
    for cells, ratio, along in zip(grid, ratios, _coordinates(samples, grid), strict=True):
        furthest = reach(size, ratio, cells)
        wide = cells + 2 * furthest
        where = where * wide + along + furthest
        around = torch.arange(-furthest, furthest + 1, device=device)
        offsets = (offsets.unsqueeze(-1) * wide + around).flatten()
        nodes *= wide
    where = where.flatten()
    lattice = torch.full((nodes,), -1, dtype=torch.int32, device=device)
    lattice[where] = torch.arange(count * points, dtype=torch.int32, device=device)
    return lattice, where, offsets


def _coordinates(
    samples: Int[Tensor, "samples points"], grid: tuple[int, ...]
) -> Iterator[Int[Tensor, "samples points"]]:
    for stride in (math.prod(grid[a + 1 :]) for a in range(len(grid))):
        yield samples // stride
        samples = samples % stride


def scattered_pairs(
    points: Float[Tensor, "samples points dim"], size: int, cell: tuple[float, ...]
) -> PairList:
    """Find the pairs of scattered points, with the hats' values at their offsets.

    The points are put into buckets as wide as a window reaches; a point sees none beyond the next
    ones. So the cost is linear in the points, as long as a window has few of them.

    Args:
        points: the points of each sample, of shape ``(samples, points, dim)``.
        size: the number of nodes of the kernel's table along each axis.
        cell: the side lengths of the reference cell.
    """
    count, number, dim = points.shape
    check_number(count * number, "points")
    points, side = points.double(), points.new_tensor(cell, dtype=torch.float64)
    seeing, seen = _near(points, (size // 2 + 1) * side)
    offset = (points.flatten(0, 1)[seeing] - points.flatten(0, 1)[seen]) / side
    below = offset.floor()
    tap = torch.zeros(len(offset), 1, dtype=torch.int64, device=points.device)
    hat = torch.ones(len(offset), 1, dtype=torch.float64, device=points.device)
    inside = torch.ones_like(tap, dtype=torch.bool)
    sides = torch.arange(2, device=points.device)
    for a in range(dim):
        node = below[:, a, None].long() + sides + size // 2
        part = 1 - (offset[:, a, None] - below[:, a, None] - sides).abs()
        known = (node >= 0) & (node < size) & (part > 0)
        tap = (tap.unsqueeze(-1) * size + node.unsqueeze(-2)).flatten(-2)
        hat = (hat.unsqueeze(-1) * part.unsqueeze(-2)).flatten(-2)
        inside = (inside.unsqueeze(-1) & known.unsqueeze(-2)).flatten(-2)
    row, column = (rows.unsqueeze(-1).expand_as(tap)[inside] for rows in (seeing, seen))
    counts = torch.bincount(row, minlength=count * number)
    return PairList(row_starts(counts), column.int(), tap[inside].int(), hat[inside], size**dim)


def _near(
    points: Float[Tensor, "samples points dim"], reach: Float[Tensor, "dim"]
) -> tuple[Int[Tensor, "pairs"], Int[Tensor, "pairs"]]:
    """The rows of points less than ``reach`` from each other along every axis, row by row.

    Buckets are as wide as the reach, or wider where there would be too many of them to count. The
    buckets along the last axis of a row of buckets are neighbours in the order of the buckets,
    so that three of them are one stretch of the points in this order.
    """
    count, number, dim = points.shape
    low, high = points.amin((0, 1)), points.amax((0, 1))
    most = min(ALONG, math.floor((BUCKETS / count) ** (1 / dim))) - 4
    width = ((high - low) / most).maximum(reach)
    bucket = ((points - low) / width).floor().long() + 1
    shape = [count, *(bucket.amax((0, 1)) + 2).tolist()]
    flat = torch.arange(count, device=points.device).unsqueeze(-1).expand(count, number)
    for a in range(dim):
        flat = flat * shape[a + 1] + bucket[..., a]
    flat = flat.flatten()
    order = flat.argsort(stable=True)
    ordered = flat[order]
    stride = shape[-1]
    shifts = torch.zeros(1, dtype=torch.int64, device=points.device)
    for a in range(dim - 1, 0, -1):
        around = stride * torch.arange(-1, 2, device=points.device)
        shifts = (shifts.unsqueeze(-1) + around).flatten()
        stride *= shape[a]
    first = torch.searchsorted(ordered, flat.unsqueeze(-1) + shifts - 1).flatten()
    after = torch.searchsorted(ordered, flat.unsqueeze(-1) + shifts + 1, right=True).flatten()
    lengths = after - first
    starts = (first - lengths.cumsum(0) + lengths).repeat_interleave(lengths)
    seen = order[starts + torch.arange(len(starts), device=points.device)]
    rows = torch.arange(count * number, device=points.device).repeat_interleave(len(shifts))
    seeing = rows.repeat_interleave(lengths)
    columns = points.flatten(0, 1)
    near = ((columns[seeing] - columns[seen]).abs() < reach).all(-1)
    return seeing[near], seen[near]
