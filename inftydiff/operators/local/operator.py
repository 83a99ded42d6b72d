r"""The local operator on values and on functions.

.. math:: (K v)(c) = \frac{\sum_y w_y\, \kappa(c - y) ⊙ v(y)}{\sum_y w_y\, \chi(c - y)}

as in ``reference``. Its adjoint in the weighted inner product is the sum
with the mirrored kernel, without the normaliser after it and with the normaliser before it:

.. math:: (K^* g)(y) = \sum_c w_c\, \kappa(c - y) ⊙ \frac{g(c)}{\mu(c)}, \qquad
   \mu(c) = \sum_y w_y\, \chi(c - y),

and with the transposed matrices, where the kernel is one of matrices.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._typing import (
    flag,
    floating,
    instance,
    shown,
)
from inftydiff.operators._by_value import (
    ByValue,
)
from inftydiff.operators.function import Function
from inftydiff.operators.linear import Argument, LinearOperator
from inftydiff.operators.local._bilinear import exact
from inftydiff.operators.local._implementation import is_depthwise
from inftydiff.operators.local.definition import check_reflecting, odd, sides
from inftydiff.operators.local.neighbour_map import Neighbours, neighbours

__all__ = ["LocalOperator", "local_operator"]

_PIECE = 2**20
"""About how many values are computed with at once where autograd does not keep them."""

_LANES = 16
"""Channels are taken apart in multiples of a vector's float32 lanes."""


def local_operator(
    values: Float[Tensor, "*batch points channels"],
    weight: Float[Tensor, "*channels_and_window"],
    neighbours: Neighbours,
) -> Float[Tensor, "*batch points images"]:
    r"""Apply the local operator to values at the points of a neighbour map.

    Half-precision values are computed with in float32, and automatic mixed precision is off.

    Args:
        values: the function's values, of shape ``(*batch, points, channels)``; if the map has one
            set of points a sample, the last axis of the batch is theirs.
        weight: the kernel's table :math:`\kappa_j`: depthwise, of shape ``(channels, *window)``, or
            mixing the channels, of shape ``(images, channels, *window)``.
        neighbours: the map, from ``neighbours``.

    Returns:
        The image, shaped like the values but for the number of channels, and in their dtype. Where
        no weight is in reach it is zero.

    Raises:
        ValueError: if the values' points or channels, or the table's window, are not as expected,
            or they are not all on the map's device.
        TypeError: if the values or the table are not of a floating-point dtype.

    Example:
        >>> from inftydiff import Grid
        >>> from inftydiff.operators.local import neighbours
        >>> near = neighbours(Grid((4,)), size=3, cell=1 / 4)
        >>> local_operator(torch.tensor([[0.0], [3.0], [6.0], [9.0]]), torch.ones(1, 3), near).T
        tensor([[1.5000, 3.0000, 6.0000, 7.5000]])
    """
    _check(values, weight, neighbours)
    return _apply(values, weight, neighbours)


@exact
def _apply(values: Tensor, weight: Tensor, near: Neighbours) -> Tensor:
    dtype = torch.float64 if values.dtype == torch.float64 else torch.float32
    weight, scale = weight.to(dtype), near.scale(dtype)
    if torch.is_grad_enabled() or near.backend != "dense":
        return near.form(values.to(dtype), weight, scale).to(values.dtype)
    return _in_pieces(values, weight, scale, near)


def _in_pieces(values: Tensor, weight: Tensor, scale: Tensor, near: Neighbours) -> Tensor:
    """The image in the dtype of the values, where autograd keeps nothing of the way there."""
    depthwise = is_depthwise(weight, len(near.cell))
    outer = values.shape[: values.ndim - 1 - scale.ndim]
    copies = values.reshape(outer.numel(), *scale.shape, values.shape[-1])

    def piece(some: slice, few: slice) -> Tensor:
        part = copies[some][..., few if depthwise else slice(None)].to(weight)
        return near.form(part, weight[few], scale).to(copies.dtype)

    (some, few), *others = _pieces(copies, len(weight) if depthwise else 0)
    first = piece(some, few)
    if not others:
        return first.view(*values.shape[:-1], len(weight))
    image = first.new_empty(*copies.shape[:-1], len(weight))  # with vmap's axes, as a piece has
    image[some][..., few] = first
    for some, few in others:
        image[some][..., few] = piece(some, few)
    return image.view(*values.shape[:-1], len(weight))


def _pieces(copies: Tensor, channels: int) -> Iterator[tuple[slice, slice]]:
    """Copies and channels to take together, so that memory is used again and not asked for.

    Args:
        copies: the values of all copies.
        channels: how many channels can be taken apart, or zero.
    """
    points = copies.shape[1:-1].numel()
    count = max(1, _PIECE // max(1, points * copies.shape[-1]))
    width = max(_LANES, _PIECE // max(1, points) // _LANES * _LANES)
    for copy in range(0, max(1, len(copies)), count):
        if channels == 0:
            yield slice(copy, copy + count), slice(None)
        for channel in range(0, channels, width):
            yield slice(copy, copy + count), slice(channel, channel + width)


def _check(values: Tensor, weight: Tensor, neighbours: Neighbours) -> None:
    instance(neighbours, Neighbours, "The neighbour map", "Make one by neighbours(…).")
    for tensor in (values, weight):
        if not isinstance(tensor, Tensor):
            raise TypeError(
                f"The local operator takes values and a kernel that are tensors; got "
                f"{shown(tensor)}."
            )
    if not (values.is_floating_point() and weight.is_floating_point()):
        raise TypeError(
            "The local operator takes values and a kernel of floating-point dtypes; got values of "
            f"{values.dtype} and a kernel of {weight.dtype}. Convert them first; of a complex "
            "function take the real and the imaginary part as channels."
        )
    if values.is_meta or weight.is_meta:
        raise TypeError("The local operator reads values; got a tensor on meta, which has none.")
    mass = neighbours.mass
    if values.shape[-1 - mass.ndim : -1] != mass.shape:
        raise ValueError(
            f"Values at these points have the shape (*batch, {', '.join(map(str, mass.shape))}, "
            f"channels); got {tuple(values.shape)}."
        )
    if not values.device == weight.device == mass.device:
        raise ValueError(
            "Values, kernel and neighbour map live on one device; got values on "
            f"{values.device}, the kernel on {weight.device} and the map on "
            f"{mass.device}. A map is built where neighbours(..., device=…) says."
        )
    dim = len(neighbours.cell)
    window = (neighbours.size,) * dim
    if weight.shape[-dim:] != window or weight.ndim not in (dim + 1, dim + 2):
        shape = ", ".join(map(str, window))
        raise ValueError(
            f"The neighbour map is made for a kernel of shape (channels, {shape}), or (images, "
            f"channels, {shape}) to mix the channels; got {tuple(weight.shape)}."
        )
    channels = weight.shape[weight.ndim - dim - 1]
    if channels != values.shape[-1]:
        raise ValueError(
            f"The kernel has {channels} channels, the values have {values.shape[-1]}; they must "
            "agree. Give a kernel of as many channels."
        )


@final
@dataclass(frozen=True, eq=False)
class LocalOperator(ByValue, LinearOperator):
    r"""The local operator as a linear operator on functions.

    It acts on grids, on subsets of grids and on scattered points, by the backend that is fastest
    there.

    Args:
        weight: the kernel's table :math:`\kappa_j`, of shape ``(channels, *window)``, or, if it
            mixes the channels, ``(images, channels, *window)``.
        cell: the side lengths of the reference cell in the domain's units; one number stands for
            every axis.
        mixing: whether the table mixes the channels.

    Raises:
        TypeError: if the table is no floating-point tensor, or the sides are no numbers.
        ValueError: if the table has not one odd size on each axis, or the cell other axes.

    Example:
        >>> from inftydiff import Function, Scattered
        >>> mean = LocalOperator(torch.ones(1, 3), 0.1)
        >>> points = torch.tensor([[0.1], [0.2], [0.9]])
        >>> f = Function(Scattered(points), torch.tensor([[1.0], [2.0], [7.0]]))
        >>> mean(f).values.T
        tensor([[1.5000, 1.5000, 7.0000]])
    """

    weight: Float[Tensor, "channels *window"]
    cell: float | tuple[float, ...]
    mixing: bool = False

    def __post_init__(self) -> None:
        flag(self.mixing, "Whether a kernel mixes")
        floating(self.weight, "A kernel's table")
        window = tuple(self.weight.shape[2 if self.mixing else 1 :])
        if not window or len(set(window)) > 1:
            shape = "(images, channels, *window)" if self.mixing else "(channels, *window)"
            raise ValueError(
                f"A kernel's table has the shape {shape} with one size on each axis; got "
                f"{tuple(self.weight.shape)}. With mixing=True it is (images, channels, *window)."
            )
        odd(window[0])
        object.__setattr__(self, "cell", sides(self.cell, len(window)))

    def __call__(self, f: Argument) -> Argument:
        """Apply the operator to a function.

        Raises:
            TypeError: if the argument is a random field, or no function.
            ValueError: if the function has another number of channels or of axes, or its domain is
                no box with reflecting sides.
        """
        if not isinstance(f, Function):
            raise _no_function(f)
        near = _near(f, self)
        return Function(f.on, local_operator(f.values, self.weight.to(f.values.device), near))

    @property
    def adjoint(self) -> LinearOperator:
        """The adjoint in the weighted inner product."""
        return _Adjoint(self)


@final
@dataclass(frozen=True)
class _Adjoint(LinearOperator):
    operator: LocalOperator

    def __call__(self, f: Argument) -> Argument:
        if not isinstance(f, Function):
            raise _no_function(f)
        near = _near(f, self.operator)
        mass = near.mass.to(f.values).unsqueeze(-1)
        divided = f.values / torch.where(mass > 0, mass, 1.0)
        weight = self.operator.weight.to(f.values.device)
        mirrored = weight.flip(tuple(range(-len(near.cell), 0)))
        if self.operator.mixing:
            mirrored = mirrored.transpose(0, 1)
        return Function(f.on, local_operator(divided, mirrored, near) * mass)

    @property
    def adjoint(self) -> LinearOperator:
        return self.operator


def _no_function(f: object) -> TypeError:
    return TypeError(
        f"A local operator acts on point values, hence on a Function; got {shown(f)}. "
        "Read a random field on a discretisation first."
    )


def _near(f: Function, operator: LocalOperator) -> Neighbours:
    check_reflecting(f.on.domain)
    size = operator.weight.shape[-1]
    return neighbours(f.on, size=size, cell=operator.cell, device=f.values.device)
