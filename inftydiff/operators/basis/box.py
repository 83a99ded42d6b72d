r"""The eigenbasis of a domain: products of one eigenfunction an axis.

.. math:: \varphi_k(x) = \prod_a \varphi^{(a)}_{k_a}(x_a), \qquad
          -\Delta\varphi_k = \lambda_k\varphi_k, \qquad \lambda_k = \sum_a \omega_{k_a}^2.

A box has the cosine basis on its reflecting axes, the Fourier basis on its periodic ones and the
sine basis on its absorbing ones. A point has no axis, and one mode, the constant one with the
eigenvalue 0. The transforms cost :math:`O(N\log N)`, for any numbers of cells, and the derivative
of each is the other.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from inftydiff._typing import (
    check_size,
    device_of,
    entries,
    floating,
    instance,
    integers,
    number,
    whole,
)
from inftydiff.operators.basis._cosine import CosineBasis
from inftydiff.operators.basis._fourier import FourierBasis
from inftydiff.operators.basis._sine import SineBasis
from inftydiff.operators.basis.axis import AxisBasis, Device
from inftydiff.operators.domain import Domain, require_domain

__all__ = ["Eigenbasis", "eigenbasis"]

BASES: dict[str, type[CosineBasis] | type[FourierBasis] | type[SineBasis]] = {
    "reflecting": CosineBasis,
    "periodic": FourierBasis,
    "absorbing": SineBasis,
}


PIECE = 1 << 20
"""About how many values are transformed at a time, where they belong to several functions."""


def eigenbasis(domain: Domain) -> "Eigenbasis":
    """The Laplacian's orthonormal eigenfunctions on a domain.

    Args:
        domain: a box, or the point.

    Raises:
        TypeError: if the domain is another thing.

    Example:
        >>> from inftydiff.operators import Box
        >>> basis = eigenbasis(Box((1.0, 1.0), boundary=("reflecting", "absorbing")))
        >>> basis.eigenvalues((2, 2)) / torch.pi**2
        tensor([[1., 4.],
                [2., 5.]], dtype=torch.float64)
    """
    require_domain(domain, "The domain of an eigenbasis")
    lengths = zip(domain.boundaries, domain.lengths, strict=True)
    return Eigenbasis(tuple(BASES[name](float(length)) for name, length in lengths))


@final
@dataclass(frozen=True)
class Eigenbasis:
    r"""The products :math:`\varphi_k` of the eigenfunctions of the axes.

    Numbers of modes ``counts`` are given one an axis; coefficients have the modes on their last
    axes, one axis of modes for each axis of space.

    Args:
        axes: the eigenfunctions along each axis.

    Raises:
        TypeError: if an axis is no :class:`~inftydiff.operators.basis.AxisBasis`; where a method is
            given what is no tensor of floating-point numbers, or no numbers of modes or cells.
        ValueError: of a method, if those numbers are not one an axis, below one, or too many for a
            machine.
    """

    axes: tuple[AxisBasis, ...]

    def __post_init__(self) -> None:
        axes = entries(self.axes, "The axes of an eigenbasis")
        for axis in axes:
            instance(axis, AxisBasis, "An axis of an eigenbasis", "Take eigenbasis(domain).")
        object.__setattr__(self, "axes", axes)

    @property
    def dim(self) -> int:
        """The number of axes."""
        return len(self.axes)

    def eigenvalues(self, counts: Sequence[int], device: Device = None) -> Float[Tensor, "*modes"]:
        r"""The eigenvalues :math:`\lambda_k`, of shape ``counts``, in float64."""
        counts = self._checked(counts, "numbers of modes")
        if device is not None and not isinstance(device, torch.device):
            device = device_of(device, "The device of eigenvalues")
        total = torch.zeros((), dtype=torch.float64, device=device)
        for axis, count in zip(self.axes, counts, strict=True):
            total = total.unsqueeze(-1) + axis.waves(count, device).square()
        return total

    def counts(self, wave: float) -> tuple[int, ...]:
        """How many modes of each axis have a wave number of at most ``wave``."""
        wave = number(wave, "A wave number", least=0)
        return tuple(axis.count(wave) for axis in self.axes)

    def analysis(self, values: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        r"""The coefficients of point values at cell centres in the grid-orthonormal basis.

        They keep the sum of squares; :math:`\sqrt{h}` times them, with :math:`h` the cell volume,
        are the coefficients in L².

        Args:
            values: values on a grid, whose last axes are those of space; half precision is
                computed in float32.

        Returns:
            Coefficients of the same shape and dtype, differentiable.

        Raises:
            ValueError: if there are fewer axes than the domain has.

        Example:
            >>> from inftydiff.operators import Box
            >>> eigenbasis(Box((1.0,), boundary="periodic")).analysis(torch.ones(4)).abs()
            tensor([2., 0., 0., 0.])
        """
        return self._transform(values, False)

    def synthesis(self, coefficients: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """The inverse, and the transpose, of :meth:`analysis`."""
        return self._transform(coefficients, True)

    def modes(
        self,
        points: Float[Tensor, "*points dim"],
        counts: Sequence[int],
        numbers: Int[Tensor, "modes"] | None = None,
    ) -> Float[Tensor, "*points modes"]:
        r"""The values :math:`\varphi_k(x_p)`, orthonormal in L².

        Args:
            points: any points of the domain, of shape ``(*points, dim)``.
            counts: the number of modes of each axis.
            numbers: which of the ``prod(counts)`` modes, in row-major order; by default all.

        Returns:
            A matrix of shape ``(*points, modes)``.

        Example:
            >>> from inftydiff.operators import Box
            >>> eigenbasis(Box((1.0,))).modes(torch.tensor([[0.0], [0.5]]), (3,))
            tensor([[ 1.0000e+00,  1.4142e+00,  1.4142e+00],
                    [ 1.0000e+00, -6.1817e-08, -1.4142e+00]])
        """
        counts = self._checked(counts, "numbers of modes")
        self._check(math.prod(floating(points, "Points").shape[-1:]), "coordinates a point")
        values = points.new_ones(*points.shape[:-1], 1)
        if numbers is None:
            for a, (axis, count) in enumerate(zip(self.axes, counts, strict=True)):
                along = axis.modes(points[..., a], count)
                values = (values.unsqueeze(-1) * along.unsqueeze(-2)).flatten(-2)
            return values
        rest = integers(numbers, "The numbers of modes").to(points.device)
        if rest.ndim != 1 or bool(((rest < 0) | (rest >= math.prod(counts))).any()):
            raise ValueError(
                f"The numbers of modes are a list from 0 to {math.prod(counts) - 1}; got the shape "
                f"{tuple(rest.shape)}, or one beyond."
            )
        values = values.expand(*points.shape[:-1], len(rest))
        for a in reversed(range(self.dim)):
            along = self.axes[a].modes(points[..., a], counts[a])
            values = values * along[..., rest % counts[a]]
            rest = rest // counts[a]
        return values

    def fold(
        self, coefficients: Float[Tensor, "*modes"], shape: Sequence[int]
    ) -> Float[Tensor, "*folded"]:
        r"""The coefficients on a grid of a function with any number of modes.

        With :math:`c_k` the coefficients of :math:`f = \sum_k c_k\varphi_k` in L², the synthesis of
        the folded ones, divided by the root of the cell volume, is :math:`f` at the cell centres.
        Missing modes are filled with zeros.

        Args:
            coefficients: the coefficients :math:`c_k`, with the modes on the last axes.
            shape: the number of cells of each axis.

        Example:
            >>> from inftydiff.operators import Box
            >>> eigenbasis(Box((1.0,))).fold(torch.tensor([1.0, 2.0, 5.0, 4.0]), (2,))
            tensor([ 1., -2.])
        """
        return self._fold(coefficients, shape, 1)

    def fold_variance(
        self, variances: Float[Tensor, "*modes"], shape: Sequence[int]
    ) -> Float[Tensor, "*folded"]:
        """The variances of the folded coefficients, if the coefficients are independent.

        Args:
            variances: the variances of the coefficients, with the modes on the last axes.
            shape: the number of cells of each axis.

        Example:
            >>> from inftydiff.operators import Box
            >>> eigenbasis(Box((1.0,))).fold_variance(torch.ones(5), (2,))
            tensor([3., 2.])
        """
        return self._fold(variances, shape, 2)

    def _fold(self, coefficients: Tensor, shape: Sequence[int], power: int) -> Tensor:
        shape = self._checked(shape, "numbers of cells")
        self._check_values(coefficients)
        for a, (axis, cells) in enumerate(zip(self.axes, shape, strict=True)):
            moved = coefficients.movedim(a - self.dim, -1)
            count = moved.shape[-1]
            number, factor = axis.images(count, cells, coefficients.device)
            folded = moved.new_zeros(*moved.shape[:-1], cells)
            folded = folded.index_add(-1, number, moved * factor.pow(power).to(moved))
            coefficients = folded.movedim(-1, a - self.dim)
        return coefficients

    def _transform(self, values: Tensor, inverse: bool) -> Tensor:
        self._check_values(values)
        half = values.dtype in (torch.float16, torch.bfloat16)
        result = _transform(values.float() if half else values, self.axes, inverse)
        return result.to(values.dtype)

    def _check(self, number: int, what: str) -> None:
        if number != self.dim:
            raise ValueError(f"The domain has {self.dim} axes; got {number} {what}.")

    def _checked(self, numbers: Sequence[int], what: str) -> tuple[int, ...]:
        """Numbers of modes or cells, one an axis."""
        found = tuple(whole(n, f"One of the {what}") for n in entries(numbers, f"The {what}"))
        self._check(len(found), what)
        check_size(math.prod(found), "Modes and cells")
        return found

    def _check_values(self, values: Tensor) -> None:
        if floating(values, "Values and coefficients", held=False).ndim < self.dim:
            raise ValueError(
                f"The domain has {self.dim} axes; got values of shape {tuple(values.shape)}."
            )


def _transform(values: Tensor, axes: tuple[AxisBasis, ...], inverse: bool) -> Tensor:
    result: Tensor = _Transform.apply(values, axes, inverse)  # type: ignore[no-untyped-call]
    return result


def _along(axis: AxisBasis, values: Tensor, inverse: bool) -> Tensor:
    transform = axis.transform(values.shape[-1], values)
    return transform.synthesis(values) if inverse else transform.analysis(values)


class _Transform(torch.autograd.Function):
    """The transform along the last axes, whose derivative is its inverse.

    Each axis is transformed when it is the last in memory, and then brought to the front. That, and
    the way back at the end, are transpositions of a matrix, the fastest way to move an axis. The
    functions of a batch are taken a few at a time, so that memory is used again and not asked for.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(values: Tensor, axes: tuple[AxisBasis, ...], inverse: bool) -> Tensor:
        if not axes or not values.numel():
            return values.clone(memory_format=torch.contiguous_format)
        space = values.shape[values.ndim - len(axes) :]
        size, later = math.prod(space), math.prod(space[1:])
        result = torch.empty_like(values, memory_format=torch.contiguous_format)
        count = max(1, PIECE // size)
        for part, out in zip(
            values.reshape(-1, size).split(count), result.view(-1, size).split(count), strict=True
        ):
            for axis, n in zip(reversed(axes[1:]), reversed(space[1:]), strict=True):
                part = _along(axis, part.reshape(-1, n), inverse).mT.contiguous()
            part = _along(axes[0], part.reshape(-1, space[0]), inverse)
            out.view(-1, later).copy_(part.reshape(later, -1).mT)
        return result

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        _, ctx.axes, ctx.inverse = inputs

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return _transform(gradient, ctx.axes, not ctx.inverse), None, None
