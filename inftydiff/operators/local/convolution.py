r"""Depthwise convolution on a lattice, with a weight gradient that oneDNN computes fast.

.. math:: (T * v)(c) = \sum_n T_n ⊙ v(c - n), \qquad n \in \{-p, …, p\}^d,

with zeros outside the lattice. Its gradients are the convolution with the mirrored kernel, and the
correlation :math:`\sum_c g(c) ⊙ v(c - n)`.

On a CPU oneDNN's own code for the correlation of depthwise kernels takes at most three columns;
its general code is several times slower than the convolution itself. Wider kernels are therefore
taken in strips of three columns. In a lattice whose rows begin and end in zeros (a *pitched*
lattice) shifting the columns is shifting the memory, and a strip costs no copy.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from torch.nn.grad import conv2d_weight, conv3d_weight

from inftydiff.operators.local.bilinear import bilinear

__all__ = ["convolve", "depthwise", "mix"]

_STRIP = 3
"""The most columns that oneDNN's kernel for depthwise weight gradients takes."""

_PIECE = 2**20
"""About how many values are padded at once."""


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
    apply = (F.conv1d, F.conv2d, F.conv3d)[len(padding) - 1]
    image: Tensor = apply(lattice.movedim(-1, 1), filters, padding=padding, groups=groups)
    return image.movedim(1, -1)


def pitch(width: int, reach: int) -> int:
    """The number of columns of a pitched lattice: one of zeros, the grid's, and enough of zeros."""
    return 1 + width + max(1, reach - 1)


def correlate_pitched(
    grad: Float[Tensor, "batch *shape channels"],
    rows: Float[Tensor, "rows channels"],
    window: tuple[int, ...],
) -> Float[Tensor, "channels *taps"]:
    """The gradient of the convolution in its kernel, on a pitched lattice.

    Args:
        grad: the gradient in the image, of shape ``(batch, *shape, channels)``; along the last axis
            of space it is zero in the first cell, and beyond the grid's width.
        rows: the values that were convolved, zero in the same cells, one row of channels a node;
            before and after them as many rows of zeros as the kernel reaches along its last axis.
        window: the number of taps along each axis, odd.
    """
    if len(window) == 1:
        return correlate_pitched(grad.unsqueeze(1), rows, (1, *window)).squeeze(1)
    reach = window[-1] // 2
    nodes = grad.shape[:-1].numel()
    if len(window) == 3 or grad.device.type != "cpu" or window[-1] <= _STRIP:
        lattice = rows[reach : reach + nodes].view(grad.shape)
        return _gradient(grad, lattice, window).flip(tuple(range(1, len(window) + 1)))
    strips = []
    for first in range(0, window[-1], _STRIP):
        start = min(first, window[-1] - _STRIP)
        shifted = rows[start + 1 : start + 1 + nodes].view(grad.shape)
        strips.append(_gradient(grad, shifted, (window[0], _STRIP))[..., first - start :])
    return torch.cat(strips, -1).flip(1, 2)


def _gradient(grad: Tensor, lattice: Tensor, window: tuple[int, ...]) -> Tensor:
    gradient: Callable[..., Tensor] = conv2d_weight if len(window) == 2 else conv3d_weight
    channels = grad.shape[-1]
    filters = gradient(
        lattice.movedim(-1, 1),
        (channels, 1, *window),
        grad.movedim(-1, 1),
        padding=tuple(taps // 2 for taps in window),
        groups=channels,
    )
    return filters.squeeze(1)


def _image(lattice: Tensor, table: Tensor) -> Tensor:
    return convolve(lattice, table.movedim(-1, 0)).contiguous()


def _gradients(
    grad: Tensor, lattice: Tensor, table: Tensor, of_lattice: bool, of_table: bool
) -> tuple[Tensor | None, Tensor | None]:
    window = tuple(table.shape[:-1])
    mirrored = table.flip(tuple(range(len(window))))
    d_lattice = _image(grad, mirrored) if of_lattice else None
    if not of_table:
        return d_lattice, None
    count = max(1, _PIECE // max(1, lattice.shape[1:].numel()))
    d_table = torch.zeros_like(table).movedim(-1, 0)
    for some, along in zip(lattice.split(count), grad.split(count), strict=True):
        d_table += _correlate(along, some, window)
    return d_lattice, d_table.movedim(0, -1).contiguous()


def _correlate(grad: Tensor, lattice: Tensor, window: tuple[int, ...]) -> Tensor:
    """The gradient of the convolution in its kernel."""
    reach = window[-1] // 2
    width = lattice.shape[-2]
    margin = (0, 0, 1, pitch(width, reach) - width - 1)
    rows = F.pad(F.pad(lattice, margin).flatten(0, -2), (0, 0, reach, reach))
    return correlate_pitched(F.pad(grad, margin), rows, window)


_depthwise = bilinear("depthwise", _image, _gradients)


def depthwise(
    lattice: Float[Tensor, "batch *shape channels"], table: Float[Tensor, "channels *taps"]
) -> Float[Tensor, "batch *shape channels"]:
    """The convolution as an operator of torch, differentiable to every order.

    Args:
        lattice: the values, of shape ``(batch, *shape, channels)`` with one to three axes of space.
        table: the kernel at the offsets −reach to reach, of shape ``(channels, *taps)``.
    """
    return _depthwise(lattice, table.movedim(0, -1))
