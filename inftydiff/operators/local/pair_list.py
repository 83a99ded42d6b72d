r"""The pairs of points that see each other through a kernel's window, row by row.

.. math:: \text{image}(c) = s_c \sum_{e \in \text{row } c} a_e\, T_{k_e} ⊙ v(y_e)

Each *entry* :math:`e` of a row names a point :math:`y_e` that the row's point sees, a *tap*
:math:`k_e` of a kernel's table, and a coefficient :math:`a_e`. On a lattice one entry stands for
each pair of points, with coefficient one; between the nodes of a table a pair has an entry for
each of the :math:`2^d` nodes around its offset, with the hats' values there.

The relation is symmetric: an entry :math:`(c, y, k, a)` has its mirror image
:math:`(y, c, K - 1 - k, a)`. So the transposed sum visits the same rows with the table mirrored,
and needs no scatter.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from inftydiff.operators.local.bilinear import transformed
from inftydiff.operators.local.definition import reach
from inftydiff.operators.matrices import prepared

__all__ = [
    "PairList",
    "joined",
    "lattice_pairs",
    "lattice_windows",
    "listed",
    "row_starts",
    "scattered_pairs",
]

MOST = 2**31 - 1
"""The most rows and entries: they are counted in int32."""

_PIECE = 2**22
"""How many nodes of windows are looked at at once."""

CHUNKS, ROWS = 64, 16
"""The most chunks of rows that the entries of a tap are cut into, and the fewest rows of one."""

BUCKETS, ALONG = 2**62, 2**31
"""The most buckets that scattered points are put into, and along an axis: int64 counts them."""


@final
@dataclass(frozen=True, eq=False)
class PairList:
    """Entries in compressed rows.

    Args:
        row_pointer: where each row begins in the other lists, and after them their length, of shape
            ``(rows + 1,)``, int32.
        column: the row of the point that is seen, of shape ``(entries,)``, int32, ascending in each
            row where the points are in raster order.
        tap: the number of the tap, of shape ``(entries,)``, int32.
        coefficient: the coefficients, of shape ``(entries,)``, float64; none stands for ones.
        taps: the number K of the taps.
    """

    row_pointer: Int[Tensor, "rows_and_one"]
    column: Int[Tensor, "entries"]
    tap: Int[Tensor, "entries"]
    coefficient: Float[Tensor, "entries"] | None
    taps: int

    @property
    def rows(self) -> int:
        """The number of rows."""
        return len(self.row_pointer) - 1

    @prepared
    def row(self) -> Int[Tensor, "entries"]:
        """The row of each entry."""
        counts = self.row_pointer.diff()
        rows = torch.arange(self.rows, device=counts.device)
        return rows.repeat_interleave(counts, output_size=len(self.column))

    @prepared
    def by_row(self) -> list[Tensor]:
        """The lists, as an operator of torch takes them."""
        lists = [self.row_pointer, self.column, self.tap]
        return lists if self.coefficient is None else [*lists, self.coefficient]

    @prepared
    def by_tap(self) -> list[Tensor]:
        """The entries in the order of their taps, for which a loop over these is faster.

        The number of entries of each tap, on the CPU; their rows and columns; and their
        coefficients, if there are any.
        """
        order = self.tap.argsort(stable=True)
        counts = torch.bincount(self.tap, minlength=self.taps).cpu()
        lists = [counts, self.row[order], self.column[order].long()]
        return lists if self.coefficient is None else [*lists, self.coefficient[order]]

    @prepared
    def by_segment(self) -> list[Tensor]:
        """The entries in the order of their taps and of a fixed number of chunks of their rows.

        Where each chunk of each tap begins, and after them the number of entries; the columns and
        rows of the entries, int32; and their coefficients, if there are any.
        """
        chunks = max(1, min(CHUNKS, self.rows // ROWS))
        segment = self.tap.long() * chunks + self.row * chunks // max(1, self.rows)
        segment, order = segment.sort(stable=True)
        begins = torch.arange(self.taps * chunks + 1, device=segment.device)
        start = torch.searchsorted(segment, begins, out_int32=True)
        lists = [start, self.column[order], self.row[order].int()]
        return lists if self.coefficient is None else [*lists, self.coefficient[order]]

    def lists(self, backend: str) -> list[Tensor]:
        """What a backend's kernels need of the entries, as an operator of torch takes it."""
        match backend:
            case "torch" if transformed() and "by_tap" not in vars(self):
                return type(self).by_tap.func(self)  # what a transform makes does not outlive it
            case "torch":
                return self.by_tap
            case "triton":
                return [*self.by_row, *self.by_segment]
        return self.by_row

    @classmethod
    def of(cls, lists: Sequence[Tensor], taps: int) -> "PairList":
        """Put the lists of ``by_row``, and of ``by_segment`` if they follow, together again."""
        rows = len(lists) if len(lists) < 6 else len(lists) // 2
        row_pointer, column, tap, *coefficient = lists[:rows]
        pairs = cls(row_pointer, column, tap, coefficient[0] if coefficient else None, taps)
        if rows < len(lists):
            vars(pairs)["by_segment"] = list(lists[rows:])  # as the cached property would
        return pairs

    def mass(
        self,
        weights: Float[Tensor, "rows"] | None = None,
        window: Float[Tensor, "taps"] | None = None,
    ) -> Float[Tensor, "rows"]:
        """The normaliser of each row, float64: a sum over its entries.

        Args:
            weights: the weights of the points that are seen; none stands for ones.
            window: the window at each tap's offset, of shape ``(taps,)``; none stands for ones.
        """
        seen = torch.ones_like(self.column, dtype=torch.float64)
        if weights is not None:
            seen = weights.double()[self.column]
        if window is not None:
            seen = seen * window.double()[self.tap]
        if self.coefficient is not None:
            seen = seen * self.coefficient
        return torch.segment_reduce(seen, "sum", offsets=self.row_pointer.long(), initial=0.0)


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


def listed(windows: Iterable[Int[Tensor, "rows taps"]]) -> PairList:
    """List what is seen in windows, whose last tap belongs to the first offset.

    Args:
        windows: the row that each row sees at each offset, or −1 where there is none, of some rows
            after the other, int32.
    """
    counts, columns, taps = [], [], []
    for seen in windows:
        there = seen >= 0
        tap = torch.arange(seen.shape[-1] - 1, -1, -1, dtype=torch.int32, device=seen.device)
        counts.append(there.sum(-1))
        columns.append(seen[there])
        taps.append(tap.expand_as(seen)[there])
    column, tap = torch.cat(columns), torch.cat(taps)
    return PairList(row_starts(torch.cat(counts)), column, tap, None, seen.shape[-1])


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
    _check_number(count * points, "points")
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
    _check_number(count * number, "points")
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


def joined(lists: Sequence[PairList]) -> PairList:
    """Put the rows of several lists under each other; their points do not see each other's.

    Args:
        lists: at least one, of one kernel, all with coefficients or all without.
    """
    entries = [0, *accumulate(len(pairs.column) for pairs in lists)]
    rows = [0, *accumulate(pairs.rows for pairs in lists)]
    _check_number(entries[-1], "pairs of points")
    _check_number(rows[-1], "points")
    pointers = [lists[0].row_pointer[:1]]
    pointers += [p.row_pointer[1:] + first for p, first in zip(lists, entries, strict=False)]
    coefficients = [pairs.coefficient for pairs in lists if pairs.coefficient is not None]
    return PairList(
        torch.cat(pointers),
        torch.cat([p.column + first for p, first in zip(lists, rows, strict=False)]),
        torch.cat([pairs.tap for pairs in lists]),
        torch.cat(coefficients) if coefficients else None,
        lists[0].taps,
    )


def row_starts(counts: Int[Tensor, "rows"]) -> Int[Tensor, "rows_and_one"]:
    """Where rows of so many entries begin, and after them the number of entries, int32.

    Raises:
        ValueError: if there are more entries than int32 counts.
    """
    ends = counts.cumsum(0, dtype=torch.int64)
    _check_number(int(ends[-1]), "pairs of points")
    return torch.cat([ends.new_zeros(1), ends]).int()


def _check_number(number: int, things: str) -> None:
    if number > MOST:
        raise ValueError(
            f"A neighbour map lists at most {MOST} {things}; here it would be {number}. Split the "
            "batch, or on a lattice take backend='dense', which lists none."
        )


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
