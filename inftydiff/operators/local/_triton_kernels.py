r"""Sums over pairs of points on a CUDA device, compiled by Triton when they are first used.

For the image :math:`u(c) = s_c \sum_e a_e\,T_{k_e} ⊙ v(y_e)` and its cotangent :math:`g` the
symmetry of the entries gives

.. math::

    \bar v(c) = \sum_e a_e\,s_{y_e}\,T_{K-1-k_e} ⊙ g(y_e), \qquad
    \bar T_{K-1-k} = \sum_c \sum_{e\,:\,k_e = k} a_e\,s_{y_e}\,g(y_e) ⊙ v(c).

One program computes the image of a block of rows and of channels in one copy, entry after entry of
all its rows at once; the first gradient is the same sum with the table mirrored. The gradient of
the table is cut into the taps and a fixed number of chunks of the rows: one program adds up the
entries of one tap in one chunk, and the chunks are added afterwards. Nothing is added atomically,
so that a device gives the same bits each time.

Tensors on the CPU are taken only where ``TRITON_INTERPRET=1`` is set before Triton is imported.
"""

from typing import no_type_check

import torch
import triton
import triton.language as tl
from jaxtyping import Float
from torch import Tensor

from inftydiff.operators.local._pair_list import PairList

__all__ = ["pair_sum", "pair_sum_gradients"]

TILE = 1024
"""The number of values that a program keeps in registers: its rows, or entries, times channels."""

WIDTH = 64
"""The most channels of one program."""


def pair_sum(
    values: Float[Tensor, "copies rows channels"],
    taps: Float[Tensor, "taps channels"],
    pairs: PairList,
    scale: Float[Tensor, "rows"] | None,
) -> Float[Tensor, "copies rows channels"]:
    r"""Compute :math:`s_c \sum_e a_e\,T_{k_e} ⊙ v(y_e)` over the entries of each row.

    Args:
        values: float32 or float64 on the device, of shape ``(copies, rows, channels)``.
        taps: the table, of shape ``(taps, channels)``, in the same dtype.
        pairs: the entries.
        scale: the factor of each row, in the same dtype; none stands for ones.
    """
    return _rows(values.contiguous(), taps.contiguous(), pairs, scale, None)


def pair_sum_gradients(
    grad: Float[Tensor, "copies rows channels"],
    values: Float[Tensor, "copies rows channels"],
    taps: Float[Tensor, "taps channels"],
    pairs: PairList,
    scale: Float[Tensor, "rows"] | None,
    *,
    of_values: bool = True,
    of_taps: bool = True,
) -> tuple[Float[Tensor, "copies rows channels"] | None, Float[Tensor, "taps channels"] | None]:
    """The gradients of ``pair_sum`` in the values and in the table.

    Args:
        grad: the gradient in the image, of the shape of the values.
        values: float32 or float64 on the device, of shape ``(copies, rows, channels)``.
        taps: the table, of shape ``(taps, channels)``, in the same dtype.
        pairs: the entries.
        scale: the factor of each row, in the same dtype; none stands for ones.
        of_values: whether the gradient in the values is wanted.
        of_taps: whether the gradient in the table is wanted.
    """
    grad, values, mirrored = (x.contiguous() for x in (grad, values, taps.flip(0)))
    return (
        _rows(grad, mirrored, pairs, None, scale) if of_values else None,
        _taps(grad, values, pairs, scale) if of_taps else None,
    )


def _rows(
    values: Float[Tensor, "copies rows channels"],
    taps: Float[Tensor, "taps channels"],
    pairs: PairList,
    seeing: Float[Tensor, "rows"] | None,
    seen: Float[Tensor, "rows"] | None,
) -> Float[Tensor, "copies rows channels"]:
    """The sum over each row, with a factor of the row that sees and one of the row that is seen."""
    image = torch.empty_like(values)
    if values.numel() == 0:
        return image
    copies, rows, channels = values.shape
    width = _width(channels)
    height = TILE // width
    grid = (copies * triton.cdiv(rows, height), triton.cdiv(channels, width))
    lists = [x.contiguous() for x in (pairs.row_pointer, pairs.column, pairs.tap)]
    factors = [x if x is None else x.contiguous() for x in (pairs.coefficient, seeing, seen)]
    with torch.cuda.device_of(values):
        _rows_kernel[grid](
            *(image, values, taps, *lists, *factors),
            *(rows, channels, height, width),
            enable_fp_fusion=True,
        )
    return image


def _taps(
    grad: Float[Tensor, "copies rows channels"],
    values: Float[Tensor, "copies rows channels"],
    pairs: PairList,
    scale: Float[Tensor, "rows"] | None,
) -> Float[Tensor, "taps channels"]:
    """The gradient of the table."""
    copies, rows, channels = values.shape
    if values.numel() == 0:
        return values.new_zeros(pairs.taps, channels)
    start, column, row, *coefficient = pairs.by_segment
    chunks = (len(start) - 1) // pairs.taps
    factor = None if scale is None else scale[column]
    if coefficient:
        weight = coefficient[0].to(values.dtype)
        factor = weight if factor is None else weight * factor
    width = _width(channels)
    sums = values.new_empty(pairs.taps, chunks, channels)
    grid = (pairs.taps * chunks, triton.cdiv(channels, width))
    with torch.cuda.device_of(values):
        _taps_kernel[grid](
            *(sums, grad, values, start, row, column, factor),
            *(copies, rows, channels, TILE // width, width),
            enable_fp_fusion=True,
        )
    return sums.sum(1).flip(0)


def _width(channels: int) -> int:
    """The number of channels of one program, a power of two."""
    return min(WIDTH, triton.next_power_of_2(channels))


@triton.jit
@no_type_check
def _rows_kernel(
    image,
    values,
    taps,
    row_pointer,
    column,
    tap,
    coefficient,
    seeing,
    seen,
    rows,
    channels,
    HEIGHT: tl.constexpr,
    WIDTH: tl.constexpr,
):
    """One block of rows and of channels, in one copy."""
    blocks = tl.cdiv(rows, HEIGHT)
    copy = (tl.program_id(0) // blocks).to(tl.int64)
    row = tl.program_id(0) % blocks * HEIGHT + tl.arange(0, HEIGHT)
    channel = tl.program_id(1) * WIDTH + tl.arange(0, WIDTH)
    inside, wanted = row < rows, channel < channels
    first = tl.load(row_pointer + row, mask=inside, other=0)
    last = tl.load(row_pointer + row + 1, mask=inside, other=0)
    plane = copy * rows * channels
    total = tl.zeros((HEIGHT, WIDTH), dtype=image.dtype.element_ty)
    for step in range(0, tl.max(last - first, axis=0)):
        entry = first + step
        there = entry < last
        mask = there[:, None] & wanted[None, :]
        y = tl.load(column + entry, mask=there, other=0).to(tl.int64)
        k = tl.load(tap + entry, mask=there, other=0)
        weight = tl.load(taps + k[:, None] * channels + channel[None, :], mask=mask, other=0)
        value = tl.load(
            values + plane + y[:, None] * channels + channel[None, :], mask=mask, other=0
        )
        if coefficient is not None:
            a = tl.load(coefficient + entry, mask=there, other=0).to(total.dtype)
            weight = weight * a[:, None]
        if seen is not None:
            s = tl.load(seen + y, mask=there, other=0)
            weight = weight * s[:, None]
        total += weight * value
    if seeing is not None:
        total *= tl.load(seeing + row, mask=inside, other=0)[:, None]
    place = plane + row.to(tl.int64)[:, None] * channels + channel[None, :]
    tl.store(image + place, total, mask=inside[:, None] & wanted[None, :])


@triton.jit
@no_type_check
def _taps_kernel(
    sums,
    grad,
    values,
    start,
    row,
    column,
    factor,
    copies,
    rows,
    channels,
    HEIGHT: tl.constexpr,
    WIDTH: tl.constexpr,
):
    """One tap in one chunk of rows, and one block of channels, in all copies."""
    segment = tl.program_id(0)
    channel = tl.program_id(1) * WIDTH + tl.arange(0, WIDTH)
    wanted = channel < channels
    last = tl.load(start + segment + 1)
    total = tl.zeros((HEIGHT, WIDTH), dtype=sums.dtype.element_ty)
    for first in range(tl.load(start + segment), last, HEIGHT):
        entry = first + tl.arange(0, HEIGHT)
        there = entry < last
        mask = there[:, None] & wanted[None, :]
        c = tl.load(row + entry, mask=there, other=0).to(tl.int64)
        y = tl.load(column + entry, mask=there, other=0).to(tl.int64)
        along = grad + y[:, None] * channels + channel[None, :]
        own = values + c[:, None] * channels + channel[None, :]
        product = tl.zeros((HEIGHT, WIDTH), dtype=sums.dtype.element_ty)
        for copy in range(0, copies):
            plane = tl.cast(copy, tl.int64) * rows * channels
            product += tl.load(along + plane, mask=mask, other=0) * tl.load(
                own + plane, mask=mask, other=0
            )
        if factor is not None:
            product *= tl.load(factor + entry, mask=there, other=0)[:, None]
        total += product
    place = segment.to(tl.int64) * channels + channel
    tl.store(sums + place, tl.sum(total, axis=0), mask=wanted)
