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

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from inftydiff.operators._matrices import prepared
from inftydiff.operators.local._bilinear import transformed

__all__ = ["PairList", "check_number", "joined", "listed", "row_starts"]

MOST = 2**31 - 1
"""The most rows and entries: they are counted in int32."""

CHUNKS, ROWS = 64, 16
"""The most chunks of rows that the entries of a tap are cut into, and the fewest rows of one."""


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


def joined(lists: Sequence[PairList]) -> PairList:
    """Put the rows of several lists under each other; their points do not see each other's.

    Args:
        lists: at least one, of one kernel, all with coefficients or all without.
    """
    entries = [0, *accumulate(len(pairs.column) for pairs in lists)]
    rows = [0, *accumulate(pairs.rows for pairs in lists)]
    check_number(entries[-1], "pairs of points")
    check_number(rows[-1], "points")
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
    check_number(int(ends[-1]), "pairs of points")
    return torch.cat([ends.new_zeros(1), ends]).int()


def check_number(number: int, things: str) -> None:
    """Refuse more rows or entries than a map lists.

    Raises:
        ValueError: if there are more of them than int32 counts.
    """
    if number > MOST:
        raise ValueError(
            f"A neighbour map lists at most {MOST} {things}; here it would be {number}. Split the "
            "batch, or on a lattice take backend='dense', which lists none."
        )
