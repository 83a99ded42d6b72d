r"""The local operator on values and on functions.

.. math:: (K v)(c) = \frac{\sum_y w_y\, \kappa(c - y) ⊙ v(y)}{\sum_y w_y\, \chi(c - y)}

as in ``reference``. Its adjoint in the weighted inner product is the sum
with the mirrored kernel, without the normaliser after it and with the normaliser before it:

.. math:: (K^* g)(y) = \sum_c w_c\, \kappa(c - y) ⊙ \frac{g(c)}{\mu(c)}, \qquad
   \mu(c) = \sum_y w_y\, \chi(c - y).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff.operators.discretisation import Scattered
from inftydiff.operators.function import Function
from inftydiff.operators.linear import Argument, LinearOperator
from inftydiff.operators.local.definition import (
    check_reflecting,
    odd,
    reference,
    sides,
    window_mass,
)
from inftydiff.operators.local.neighbour_map import Neighbours, neighbours

__all__ = ["LocalOperator", "local_operator"]

_PIECE = 2**20
"""About how many values are computed with at once where autograd does not keep them."""

_LANES = 16
"""Channels are taken apart in multiples of a vector's float32 lanes."""


def local_operator(
    values: Float[Tensor, "*batch points channels"],
    weight: Float[Tensor, "channels *window"],
    neighbours: Neighbours,
) -> Float[Tensor, "*batch points channels"]:
    r"""Apply the local operator to values at the points of a neighbour map.

    Half-precision values are computed with in float32, and automatic mixed precision is off.

    Args:
        values: the function's values, of shape ``(*batch, points, channels)``; if the map has one
            set of points a sample, the last axis of the batch is theirs.
        weight: the kernel's table :math:`\kappa_j`, of shape ``(channels, *window)``.
        neighbours: the map, from ``neighbours``.

    Returns:
        The image, shaped like the values and in their dtype.

    Raises:
        ValueError: if the values' points or channels, or the table's window, are not as expected.

    Example:
        >>> from inftydiff import Grid
        >>> from inftydiff.operators.local import neighbours
        >>> near = neighbours(Grid((4,)), size=3, cell=1 / 4)
        >>> local_operator(torch.tensor([[0.0], [3.0], [6.0], [9.0]]), torch.ones(1, 3), near).T
        tensor([[1.5000, 3.0000, 6.0000, 7.5000]])
    """
    _check(values, weight, neighbours)
    dtype = torch.promote_types(values.dtype, torch.float32)
    samples = neighbours.mass.shape[:-1]
    batch = values.reshape(-1, *samples, *values.shape[-2:])
    with torch.autocast(values.device.type, enabled=False):
        mass = neighbours.mass.to(dtype).unsqueeze(-1)
        weight = weight.to(dtype)
        if torch.is_grad_enabled():
            parts = batch.to(dtype).unbind() if samples else (batch.to(dtype),)
            totals = [neighbours.numerator(part, weight) for part in parts]
            images = [total / _like(mass, total) for total in totals]
            whole = images[0] if len(images) == 1 else torch.cat(images)
            return whole.reshape(values.shape).to(values.dtype)
        image = torch.empty_like(batch, memory_format=torch.contiguous_format)
        for some, few in _pieces(batch, len(samples)):
            part = batch[some][..., few].to(dtype)
            total = neighbours.numerator(part, weight[few])
            out = image[some][..., few].view(total.shape)
            torch.div(total, _like(mass, total), out=out)
    return image.view(values.shape)


def _like(mass: Tensor, total: Tensor) -> Tensor:
    """The normaliser, its points on the axes that the numerator has them on."""
    return mass.view(*mass.shape[:-2], *total.shape[1:-1], 1)


def _pieces(batch: Tensor, samples: int) -> Iterator[tuple[int | slice, slice]]:
    """Samples and channels to take together, so that memory is used again and not asked for."""
    points, channels = batch.shape[-2:]
    if samples:
        yield from ((sample, slice(None)) for sample in range(len(batch)))
        return
    count = max(1, _PIECE // (points * channels))
    width = max(_LANES, _PIECE // points // _LANES * _LANES)
    for sample in range(0, len(batch), count):
        for channel in range(0, channels, width):
            yield slice(sample, sample + count), slice(channel, channel + width)


def _check(values: Tensor, weight: Tensor, neighbours: Neighbours) -> None:
    expected = tuple(neighbours.mass.shape)
    if tuple(values.shape[:-1][-len(expected) :]) != expected:
        raise ValueError(
            f"Values at these points have the shape (*batch, {', '.join(map(str, expected))}, "
            f"channels); got {tuple(values.shape)}."
        )
    window = (neighbours.size,) * len(neighbours.cell)
    if tuple(weight.shape[1:]) != window:
        raise ValueError(
            f"The neighbour map is made for a kernel of shape (channels, "
            f"{', '.join(map(str, window))}); got {tuple(weight.shape)}."
        )
    if len(weight) != values.shape[-1]:
        raise ValueError(
            f"The kernel has {len(weight)} channels, the values have {values.shape[-1]}; they must "
            "agree."
        )


@final
@dataclass(frozen=True, eq=False)
class LocalOperator(LinearOperator):
    r"""The local operator as a linear operator on functions.

    It acts on a grid and on a subset of one by the fast forms, and on scattered points by the
    definition, in :math:`O(N^2)`.

    Args:
        weight: the kernel's table :math:`\kappa_j`, of shape ``(channels, *window)``.
        cell: the side lengths of the reference cell in the domain's units; one number stands for
            every axis.

    Raises:
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

    def __post_init__(self) -> None:
        window = tuple(self.weight.shape[1:])
        if not window or len(set(window)) > 1:
            raise ValueError(
                "A kernel's table has the shape (channels, *window) with one size on each axis; "
                f"got {tuple(self.weight.shape)}."
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
        check_reflecting(f.on.domain)
        return _apply(f, self.weight, self.cell)

    @property
    def adjoint(self) -> LinearOperator:
        """The adjoint in the weighted inner product."""
        return _Adjoint(self)


@final
@dataclass(frozen=True, eq=False)
class _Adjoint(LinearOperator):
    operator: LocalOperator

    def __call__(self, f: Argument) -> Argument:
        if not isinstance(f, Function):
            raise _no_function(f)
        check_reflecting(f.on.domain)
        weight, cell = self.operator.weight, self.operator.cell
        mass = _mass(f, weight.shape[-1], cell).to(f.values).unsqueeze(-1)
        divided = Function(f.on, f.values / torch.where(mass > 0, mass, 1.0))
        mirrored = weight.flip(tuple(range(1, weight.ndim)))
        return Function(f.on, _apply(divided, mirrored, cell).values * mass)

    @property
    def adjoint(self) -> LinearOperator:
        return self.operator


def _no_function(f: object) -> TypeError:
    return TypeError(
        f"A local operator acts on point values, hence on a Function; got {type(f).__name__}. "
        "Read a random field on a discretisation first."
    )


def _apply(f: Function, weight: Tensor, cell: float | tuple[float, ...]) -> Function:
    weight = weight.to(f.values.device)
    if isinstance(f.on, Scattered):
        image = reference(f.values, weight, f.on.points, f.on.weights, cell)
        return Function(f.on, image.to(f.values))
    near = neighbours(f.on, size=weight.shape[-1], cell=cell, device=f.values.device)
    return Function(f.on, local_operator(f.values, weight, near))


def _mass(
    f: Function, size: int, cell: float | tuple[float, ...]
) -> Float[Tensor, "*samples points"]:
    if isinstance(f.on, Scattered):
        return window_mass(f.on.points, f.on.weights, size, cell)
    return neighbours(f.on, size=size, cell=cell, device=f.values.device).mass
