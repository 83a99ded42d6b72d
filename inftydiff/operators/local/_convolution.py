r"""Depthwise convolution on a lattice, with a weight gradient that oneDNN computes fast.

.. math:: (T * v)(c) = s_c \sum_n T_n ⊙ v(c - n), \qquad n \in \{-p, …, p\}^d,

with zeros outside the lattice. Its gradients are the convolution of :math:`s ⊙ g` with the mirrored
kernel, and the correlation :math:`\sum_y s_{y+n}\,g(y + n) ⊙ v(y)`. They are taken piece by piece,
some rows of the lattice at a time, so that their memory is used again and not asked for.

On a CPU oneDNN's own code for the correlation of depthwise kernels takes at most three columns;
its general code is several times slower than the convolution itself. Wider kernels are therefore
taken in strips of three columns. In a lattice whose rows begin and end in zeros (a *pitched*
lattice) shifting the columns is shifting the memory, and a strip costs no copy.
"""

from collections.abc import Callable, Iterator, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from torch.nn.grad import conv2d_weight, conv3d_weight

from inftydiff.operators.local._bilinear import bilinear

__all__ = ["convolve", "depthwise", "mix"]

_STRIP = 3
"""The most columns that oneDNN's kernel for depthwise weight gradients takes."""

PIECE = {"cpu": 2**21}
"""About how many values the gradients are computed from at once, where that is to be few."""

TOGETHER = 2**18
"""About how many values of several samples are taken at once there: more would be memory that is
asked for and given back by each call."""

STRIPE = 2**18
"""About how many values a window's rows hold, where a convolution takes some columns at once: in
float32 1 MiB, which stays in a processor's second cache."""

MANY = 2**28
"""About how many values are taken at once on other devices."""

COLUMNS = 2**25
"""The most numbers that a convolution in float64 on a CPU may lay out at once."""


def convolve(
    lattice: Float[Tensor, "batch *shape channels"],
    table: Float[Tensor, "channels *taps"],
    margin: tuple[int, ...] | None = None,
) -> Float[Tensor, "batch *image channels"]:
    """The convolution of a lattice with a kernel, on the lattice and a margin around it.

    Args:
        lattice: the values, of shape ``(batch, *shape, channels)`` with one to three axes of space.
        table: the kernel at the offsets −reach to reach, of shape ``(channels, *taps)``.
        margin: how many cells beyond either end of the lattice the image has; by default none.
    """
    margin = (0,) * (table.ndim - 1) if margin is None else margin
    if len(margin) == 1:
        return convolve(lattice.unsqueeze(1), table.unsqueeze(1), (0, *margin)).squeeze(1)
    return mix(lattice, table.unsqueeze(1), margin, groups=len(table))


def mix(
    lattice: Float[Tensor, "batch *shape channels"],
    table: Float[Tensor, "images channels_each *taps"],
    margin: tuple[int, ...],
    *,
    groups: int,
) -> Float[Tensor, "batch *image images"]:
    """The convolution with a matrix of kernels, group by group of channels.

    Args:
        lattice: the values, of shape ``(batch, *shape, channels)`` with one to three axes of space.
        table: the kernels at the offsets −reach to reach, of shape
            ``(images, channels / groups, *taps)``.
        margin: how many cells beyond either end of the lattice the image has.
        groups: how many groups of channels there are, which are not mixed with each other.
    """
    filters = table.flip(tuple(range(2, table.ndim)))
    padding = tuple(taps // 2 + more for taps, more in zip(table.shape[2:], margin, strict=True))
    return _apply(lattice, filters, padding, groups)


def depthwise(
    lattice: Float[Tensor, "batch *shape channels"],
    table: Float[Tensor, "channels *taps"],
    scale: Float[Tensor, "*shape"] | None = None,
) -> Float[Tensor, "batch *shape channels"]:
    """The convolution as an operator of torch, differentiable to every order in its first two.

    Args:
        lattice: the values, of shape ``(batch, *shape, channels)`` with one to three axes of space.
        table: the kernel at the offsets −reach to reach, of shape ``(channels, *taps)``.
        scale: a factor for each node of the image.
    """
    return _depthwise(lattice, table, [] if scale is None else [scale])


def _image(lattice: Tensor, table: Tensor, scale: Sequence[Tensor]) -> Tensor:
    stripes = list(_stripes(lattice, table))
    if len(stripes) == 1:
        image = convolve(lattice, table).contiguous()
    else:
        image = torch.empty_like(lattice, memory_format=torch.contiguous_format)
        for columns, around in stripes:
            part = convolve(lattice[:, :, around].contiguous(), table)
            start = columns.start - around.start
            image[:, :, columns] = part[:, :, start : start + columns.stop - columns.start]
    for factor in scale:
        image.mul_(factor.unsqueeze(-1))
    return image


def _stripes(lattice: Tensor, table: Tensor) -> Iterator[tuple[slice, slice]]:
    """Columns to convolve together, and those that their window sees.

    A convolution reads a row of the lattice once for every row of its window. Rows of many columns
    and channels, such as a refined grid's phases make, would be read from memory each time.
    """
    columns = lattice.shape[2] if table.ndim == 3 and lattice.device.type == "cpu" else 1
    row = max(1, table.shape[1] * lattice.shape[-1])  # of the window, one column wide
    wide = columns * row > 4 * STRIPE
    reach = table.shape[-1] // 2
    width = max(1, 8 * reach, STRIPE // row if wide else columns)
    for start in range(0, max(1, columns), width):
        stop = min(start + width, columns)
        yield slice(start, stop), slice(max(0, start - reach), min(columns, stop + reach))


def _gradients(
    grad: Tensor,
    lattice: Tensor,
    table: Tensor,
    scale: Sequence[Tensor],
    of_lattice: bool,
    of_table: bool,
) -> tuple[Tensor | None, Tensor | None]:
    window = tuple(table.shape[1:])
    wanted = of_lattice, of_table
    if len(window) == 1:
        factors = [factor[None] for factor in scale]
        ends = grad.unsqueeze(1), lattice.unsqueeze(1)
        flat = _gradients(*ends, table.unsqueeze(1), factors, *wanted)
        d_lattice, d_table = (None if x is None else x.squeeze(1) for x in flat)
        return d_lattice, d_table
    filters = table.unsqueeze(1)
    d_lattice = lattice.new_empty(lattice.shape) if of_lattice else None
    d_table = table.new_zeros(table.shape) if of_table else None
    reach = window[0] // 2
    inner = (..., slice(1, 1 + lattice.shape[-2]), slice(None))
    for samples, rows in _pieces(lattice, reach):
        around = slice(max(0, rows.start - reach), min(lattice.shape[1], rows.stop + reach))
        place = slice(around.start - rows.start + reach, around.stop - rows.start + reach)
        along, memory = _pitched(grad[samples, around], place, rows, reach, window[-1] // 2)
        for factor in scale:
            along[:, place][inner].mul_(factor[around].unsqueeze(-1))
        if d_lattice is not None:
            padding = (0, *(taps // 2 for taps in window[1:]))
            image = _apply(along, filters, padding, len(filters))
            d_lattice[samples, rows] = image[inner]
        if d_table is not None:
            there = slice(0, rows.stop - rows.start)
            values, _ = _pitched(lattice[samples, rows], there, rows, 0, window[-1] // 2)
            d_table += _correlation(memory, along, values, window)
    return d_lattice, d_table


def _pieces(lattice: Tensor, reach: int) -> Iterator[tuple[slice, slice]]:
    """Whole samples, or some rows of one sample, in turn."""
    samples, height = lattice.shape[:2]
    piece = PIECE.get(lattice.device.type, MANY)
    together = min(piece, TOGETHER) if lattice.device.type in PIECE else piece
    count = max(1, together // max(1, lattice.shape[1:].numel()))
    rows = max(1, 8 * reach, piece // max(1, count * lattice.shape[2:].numel()))
    for sample in range(0, samples, count):
        for start in range(0, height, rows):
            yield slice(sample, sample + count), slice(start, min(start + rows, height))


def _pitched(
    values: Tensor, place: slice, rows: slice, margin: int, reach: int
) -> tuple[Tensor, Tensor]:
    """Some rows of a lattice as a pitched lattice, and the memory that it lies in.

    Args:
        values: the rows that are known, of shape ``(batch, rows, *shape, channels)``.
        place: where they belong among the rows of the result; the others are zero.
        rows: the rows of the piece.
        margin: how many rows the result has above and below them.
        reach: how far the columns will be shifted; the memory begins and ends with so many zeros.
    """
    batch, _, *shape, channels = values.shape
    width = 1 + shape[-1] + max(1, reach - 1)
    extent = (batch, rows.stop - rows.start + 2 * margin, *shape[:-1], width)
    nodes = torch.Size(extent).numel()
    memory = values.new_zeros(reach + nodes + reach, channels)
    lattice = memory[reach : reach + nodes].view(*extent, channels)
    lattice[:, place, ..., 1 : 1 + shape[-1], :] = values
    return lattice, memory


def _apply(
    lattice: Tensor, filters: Tensor, padding: tuple[int, ...], groups: int
) -> Float[Tensor, "batch *image images"]:
    """The correlation with filters, which is the convolution with the mirrored ones.

    In float64 on a CPU torch lays out all taps of every node, and some rows are taken at a time.
    """
    apply = (F.conv1d, F.conv2d, F.conv3d)[len(padding) - 1]
    values, (first, *others) = lattice.movedim(-1, 1), padding
    taps = filters.shape[2]
    rows = values.shape[2] + 2 * first - taps + 1
    laid_out = lattice.shape[0] * filters[0].numel() * lattice.shape[2:-1].numel()
    some = max(1, COLUMNS // max(1, laid_out))
    if lattice.dtype != torch.float64 or lattice.device.type != "cpu" or some >= rows:
        return apply(values, filters, padding=padding, groups=groups).movedim(1, -1)
    values = F.pad(values, [0, 0] * len(others) + [first, first])
    pieces = (values[:, :, start : start + some + taps - 1] for start in range(0, rows, some))
    parts = [apply(piece, filters, padding=(0, *others), groups=groups) for piece in pieces]
    return torch.cat(parts, 2).movedim(1, -1)


def _correlation(
    memory: Tensor, along: Tensor, values: Tensor, window: tuple[int, ...]
) -> Float[Tensor, "channels *taps"]:
    """The gradient of the convolution in its kernel, from pitched lattices.

    Args:
        memory: the memory of ``along``.
        along: the gradient in the image, with a margin of rows.
        values: the values that were convolved, without it.
        window: the number of taps along each axis, odd.
    """
    if len(window) == 3 or memory.device.type != "cpu" or window[-1] <= _STRIP:
        return _gradient(along, values, window)
    nodes = along.shape[:-1].numel()
    strips = []
    for first in range(0, window[-1], _STRIP):
        start = min(first, window[-1] - _STRIP)
        shifted = memory[start + 1 : start + 1 + nodes].view(along.shape)
        strips.append(_gradient(shifted, values, (window[0], _STRIP))[..., first - start :])
    return torch.cat(strips, -1)


def _gradient(along: Tensor, values: Tensor, window: tuple[int, ...]) -> Tensor:
    gradient: Callable[..., Tensor] = conv2d_weight if len(window) == 2 else conv3d_weight
    channels = values.shape[-1]
    filters = gradient(
        along.movedim(-1, 1),
        (channels, 1, *window),
        values.movedim(-1, 1),
        padding=(0, *(taps // 2 for taps in window[1:])),
        groups=channels,
    )
    return filters.squeeze(1)


_depthwise = bilinear("depthwise", _image, _gradients, rest=", Tensor[] scale")
