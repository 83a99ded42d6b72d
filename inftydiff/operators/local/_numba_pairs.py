"""The pairs of points of a lattice, found on a CPU by numba.

Each point looks at its window in the lattice of the points' rows: once to count the points there,
and once to list them. The counts are the normaliser on a subset of the reference lattice.
"""

from functools import cache
from typing import Any, no_type_check

import numba
import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from inftydiff.operators.local._numba_kernels import TASK
from inftydiff.operators.local._pair_list import PairList, row_starts
from inftydiff.operators.local._simd import add_to, array_of
from inftydiff.operators.local._thread_pool import run

__all__ = ["window_pairs"]

PIECES = 64
"""How many pieces the points are cut into."""


def window_pairs(
    lattice: Int[Tensor, "nodes"], where: Int[Tensor, "rows"], offsets: Int[Tensor, "taps"]
) -> PairList:
    """List the points in each point's window.

    Args:
        lattice: the row of the point at each node, or −1 where there is none, int32.
        where: the node of each row, int64.
        offsets: the nodes of a window, less the node of its middle, ascending, int64.
    """
    rows, taps = len(where), len(offsets)
    counts = torch.empty(rows, dtype=torch.int32)
    _launch(_count_task(), rows, taps, lattice, where, offsets, counts)
    row_pointer = row_starts(counts)
    entries = int(row_pointer[-1])
    column, tap = (torch.empty(entries, dtype=torch.int32) for _ in range(2))
    _launch(_list_task(), rows, taps, lattice, where, offsets, row_pointer, column, tap)
    return PairList(row_pointer, column, tap, None, taps)


def _launch(task: Any, rows: int, taps: int, *tensors: Tensor) -> None:
    height = -(-rows // PIECES)
    addresses = [x.data_ptr() for x in tensors]
    data = np.array([0, height, rows, taps, *addresses], dtype=np.int64)
    run(task.address, data.ctypes.data)


@cache
@no_type_check
def _count_task():
    whole, wide = np.int32(0), np.int64(0)

    @numba.cfunc(TASK)
    def task(data):
        height, rows, taps = data[1], data[2], data[3]
        lattice, where = array_of(data[4], whole), array_of(data[5], wide)
        offsets, counts = array_of(data[6], wide), array_of(data[7], whole)
        start = add_to(data, 1) * height
        while start < rows:
            for i in range(start, min(start + height, rows)):
                count = 0
                for k in range(taps):
                    count += lattice[where[i] + offsets[k]] >= 0
                counts[i] = count
            start = add_to(data, 1) * height

    return task


@cache
@no_type_check
def _list_task():
    whole, wide = np.int32(0), np.int64(0)

    @numba.cfunc(TASK)
    def task(data):
        height, rows, taps = data[1], data[2], data[3]
        lattice, where = array_of(data[4], whole), array_of(data[5], wide)
        offsets, row_pointer = array_of(data[6], wide), array_of(data[7], whole)
        column, tap = array_of(data[8], whole), array_of(data[9], whole)
        start = add_to(data, 1) * height
        while start < rows:
            for i in range(start, min(start + height, rows)):
                entry, end, k = row_pointer[i], row_pointer[i + 1], taps - 1
                offset = 0
                while entry < end:
                    seen = lattice[where[i] + offsets[offset]]
                    column[entry] = seen
                    tap[entry] = k - offset
                    entry += seen >= 0
                    offset += 1
            start = add_to(data, 1) * height

    return task
