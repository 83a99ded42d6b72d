"""Sums over pairs of points on a CPU, compiled by numba when they are first used.

A row of channels is kept in registers while the row's entries are visited: one load of the table,
one of the value and one multiply-add an entry and vector. The backward pass visits the same rows
with the table mirrored, so that nothing is scattered; each value of the gradient is loaded once,
for both gradients. What the next rows will see is fetched ahead. Gradients of the table are summed
piece by piece: the pieces are fixed, whatever the number of threads, and are added in order.
"""

from array import array
from collections.abc import Callable
from functools import cache, partial
from typing import Any, no_type_check

import numba
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from inftydiff.operators.local._pair_list import PairList
from inftydiff.operators.local._simd import (
    add_to,
    array_of,
    fetch,
    load,
    multiply,
    multiply_add,
    spread,
    store,
    zeros,
)
from inftydiff.operators.local._thread_pool import run

__all__ = ["pair_sum", "pair_sum_gradients"]

BYTES = 64
"""Channels are padded to a multiple of so many bytes, the widest vector of any processor."""

PIECES, ROWS = 64, 128
"""About how many pieces the work is cut into, and the fewest rows of one."""

AHEAD = 16
"""So many rows beyond the last one that a row sees are fetched, since the next rows see them."""

TASK = numba.types.void(numba.types.CPointer(numba.types.int64))
"""A C function of one pointer, to the counter of the pieces, the sizes and the addresses."""


def pair_sum(
    values: Float[Tensor, "*batch points channels"],
    taps: Float[Tensor, "*window channels"],
    pairs: PairList,
    scale: Float[Tensor, "*samples points"],
) -> Float[Tensor, "*batch points channels"]:
    r"""Compute :math:`s_c \sum_e a_e\,T_{k_e} ⊙ v(y_e)` over the entries of each row.

    Args:
        values: float32 or float64 on the CPU, of shape ``(*batch, points, channels)``: any number
            of copies of the rows, one after the other.
        taps: the table, of shape ``(*window, channels)``, in the same dtype.
        pairs: the entries.
        scale: the factor of each row, in the same dtype.
    """
    channels = values.shape[-1]
    values, taps = _padded(values, taps)
    image = torch.empty_like(values)
    _launch(_sum_task, values, taps, pairs, scale, image)
    return _cut(image, channels)


def pair_sum_gradients(
    grad: Float[Tensor, "*batch points channels"],
    values: Float[Tensor, "*batch points channels"],
    taps: Float[Tensor, "*window channels"],
    pairs: PairList,
    scale: Float[Tensor, "*samples points"],
    *,
    of_values: bool = True,
    of_taps: bool = True,
) -> tuple[
    Float[Tensor, "*batch points channels"] | None, Float[Tensor, "*window channels"] | None
]:
    """The gradients of ``pair_sum`` in the values and in the table, those wanted in one pass."""
    channels = grad.shape[-1]
    grad, values, taps = _padded(grad, values, taps)
    d_values = torch.empty_like(values) if of_values else None
    d_taps = values.new_empty(_pieces(values, pairs)[0], *taps.shape) if of_taps else None
    task = partial(_gradients_task, of_values, of_taps)
    _launch(task, values, taps, pairs, scale, grad, d_values, d_taps)
    return (
        None if d_values is None else _cut(d_values, channels),
        None if d_taps is None else _cut(d_taps.sum(0), channels),
    )


def _padded(*tensors: Tensor) -> list[Tensor]:
    """Each contiguous, and with channels of whole vectors."""
    lanes = BYTES // tensors[0].element_size()
    missing = -tensors[0].shape[-1] % lanes
    return [(F.pad(x, (0, missing)) if missing else x).contiguous() for x in tensors]


def _cut(padded: Tensor, channels: int) -> Tensor:
    """What was padded, without the padding."""
    return padded if padded.shape[-1] == channels else padded[..., :channels].contiguous()


def _pieces(values: Tensor, pairs: PairList) -> tuple[int, int]:
    """The number of pieces, and of the rows in each; a piece lies in one copy."""
    rows = pairs.rows
    copies = values.shape[:-1].numel() // rows
    wanted = max(1, min(PIECES // max(copies, 1), rows // ROWS))
    height = max(1, -(-rows // wanted))
    return copies * -(-rows // height), height


def _launch(
    task: Callable[[type, int, bool], Any],
    values: Tensor,
    taps: Tensor,
    pairs: PairList,
    scale: Tensor,
    *arrays: Tensor | None,
) -> None:
    pieces, height = _pieces(values, pairs)
    scalar = np.float64 if values.dtype == torch.float64 else np.float32
    weighted = pairs.coefficient is not None
    coefficient = scale if pairs.coefficient is None else pairs.coefficient.to(values.dtype)
    lists = [pairs.row_pointer, pairs.column, pairs.tap, coefficient, scale]
    tensors = [*(x.contiguous() for x in lists), taps, values, *arrays]
    sizes = [0, pieces, height, pairs.rows, values.shape[-1], pairs.taps]
    data = array("q", [*sizes, *(0 if x is None else x.data_ptr() for x in tensors)])
    lanes = BYTES // values.element_size()
    compiled = task(scalar, lanes, weighted)  # kept alive while its address is in use
    run(compiled.address, data.buffer_info()[0])


@cache
@no_type_check
def _sum_task(scalar, lanes, weighted):
    """The C function that draws pieces of the image and computes them."""
    whole, real = np.int32(0), scalar(0)
    four, two, one = (_row_sum(n * lanes, weighted) for n in (4, 2, 1))

    @numba.cfunc(TASK)
    def task(data):
        pieces, height, rows, width = data[1], data[2], data[3], data[4]
        row_pointer, column = array_of(data[6], whole), array_of(data[7], whole)
        tap, coefficient = array_of(data[8], whole), array_of(data[9], real)
        scale, taps = array_of(data[10], real), array_of(data[11], real)
        values, image = array_of(data[12], real), array_of(data[13], real)
        entries = (row_pointer, column, tap, coefficient, scale)
        each = (rows + height - 1) // height
        piece = add_to(data, 1)
        while piece < pieces:
            first = (piece // each) * rows * width
            start = (piece % each) * height
            for i in range(start, min(start + height, rows)):
                c = 0
                while c + 4 * lanes <= width:
                    four(i, entries, taps, values, image, width, first + c, c)
                    c += 4 * lanes
                if c + 2 * lanes <= width:
                    two(i, entries, taps, values, image, width, first + c, c)
                    c += 2 * lanes
                if c < width:
                    one(i, entries, taps, values, image, width, first + c, c)
            piece = add_to(data, 1)

    return task


@cache
@no_type_check
def _row_sum(lanes, weighted):
    """One row of scale[i] · Σ coefficient[e] · taps[tap[e]] · values[column[e]]."""

    @numba.njit(error_model="numpy")
    def row(i, entries, taps, values, image, width, place, c):
        row_pointer, column, tap, coefficient, scale = entries
        total = zeros(values, lanes)
        begin, end = row_pointer[i], row_pointer[i + 1]
        if begin < end:
            fetch(values, place + (column[end - 1] + AHEAD) * width, lanes)
        for e in range(begin, end):
            value = load(values, place + column[e] * width, lanes)
            if weighted:
                value = multiply(value, spread(coefficient[e], lanes))
            total = multiply_add(load(taps, c + tap[e] * width, lanes), value, total)
        store(multiply(total, spread(scale[i], lanes)), image, place + i * width)

    return row


@cache
@no_type_check
def _gradients_task(of_values, of_taps, scalar, lanes, weighted):
    """The C function that draws pieces of the gradients and computes them."""
    whole, real = np.int32(0), scalar(0)
    wanted = of_values, of_taps
    four, two, one = (_row_gradients(n * lanes, weighted, *wanted) for n in (4, 2, 1))

    @numba.cfunc(TASK)
    def task(data):
        pieces, height, rows, width = data[1], data[2], data[3], data[4]
        row_pointer, column = array_of(data[6], whole), array_of(data[7], whole)
        tap, coefficient = array_of(data[8], whole), array_of(data[9], real)
        scale, taps = array_of(data[10], real), array_of(data[11], real)
        values, grad = array_of(data[12], real), array_of(data[13], real)
        d_values, d_taps = array_of(data[14], real), array_of(data[15], real)
        entries = (row_pointer, column, tap, coefficient, scale)
        arrays = (taps, values, grad, d_values, d_taps)
        size = data[5] * width
        each = (rows + height - 1) // height
        piece = add_to(data, 1)
        while piece < pieces:
            first = (piece // each) * rows * width
            start = (piece % each) * height
            sums = piece * size
            if of_taps:
                for c in range(0, size, lanes):
                    store(zeros(taps, lanes), d_taps, sums + c)
            for i in range(start, min(start + height, rows)):
                c = 0
                while c + 4 * lanes <= width:
                    four(i, entries, arrays, width, size, first + c, c, sums)
                    c += 4 * lanes
                if c + 2 * lanes <= width:
                    two(i, entries, arrays, width, size, first + c, c, sums)
                    c += 2 * lanes
                if c < width:
                    one(i, entries, arrays, width, size, first + c, c, sums)
            piece = add_to(data, 1)

    return task


@cache
@no_type_check
def _row_gradients(lanes, weighted, of_values, of_taps):
    """One row of the gradients: the row's own entries, with the taps in reverse order."""

    @numba.njit(error_model="numpy")
    def row(i, entries, arrays, width, size, place, c, sums):
        row_pointer, column, tap, coefficient, scale = entries
        taps, values, grad, d_values, d_taps = arrays
        own = load(values, place + i * width, lanes)
        total = zeros(values, lanes)
        begin, end = row_pointer[i], row_pointer[i + 1]
        if begin < end:
            fetch(grad, place + (column[end - 1] + AHEAD) * width, lanes)
        if of_taps:
            fetch(values, place + (i + AHEAD) * width, lanes)
        for e in range(begin, end):
            factor = scale[column[e]]
            if weighted:
                factor *= coefficient[e]
            along = load(grad, place + column[e] * width, lanes)
            along = multiply(along, spread(factor, lanes))
            k = c + size - (tap[e] + 1) * width
            total = multiply_add(load(taps, k, lanes), along, total)
            if of_taps:
                store(multiply_add(own, along, load(d_taps, sums + k, lanes)), d_taps, sums + k)
        if of_values:
            store(total, d_values, place + i * width)

    return row
