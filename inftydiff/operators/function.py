r"""Functions: values on a discretisation, an element of a discretised L².

With the quadrature weights :math:`w_p` of the discretisation, summed over channels,

.. math:: ⟨f, g⟩ = \sum_p w_p \sum_c f_c(x_p)\, g_c(x_p) \approx \int_\Omega f · g.
"""

from dataclasses import dataclass
from typing import final

from jaxtyping import Float
from torch import Tensor

from inftydiff._typing import (
    Scalar,
    check_device,
    check_finite,
    expand_trailing,
    floating,
    instance,
)
from inftydiff.operators._by_value import (
    ByValue,
)
from inftydiff.operators.discretisation import (
    Discretisation,
    Grid,
    Subset,
    described,
    require_discretisation,
)
from inftydiff.operators.domain import (
    Box,
    Domain,
    require_domain,
)

__all__ = ["Function", "require_function", "require_same"]


@final
@dataclass(frozen=True, eq=False)
class Function(ByValue):
    """A function, or a batch of functions, known at the points of a discretisation.

    Addition, subtraction and multiplication by a number (or by a tensor of shape ``(*batch)``, one
    number a sample) act pointwise, and refuse functions on different discretisations. Two functions
    are equal if they have equal values on equal discretisations.

    Args:
        on: where the function is known.
        values: its values, of shape ``(*batch, points, channels)``. If ``on`` has a batch axis, it
            is the last axis of the batch.

    Raises:
        ValueError: if the values' axes are not those of the discretisation.
        TypeError: if the values are no floating-point tensor, or ``on`` is no discretisation.

    Example:
        >>> grid = Grid((4,))
        >>> f = Function(grid, grid.points)
        >>> f.integral().item(), f.inner(f).item()
        (0.5, 0.328125)
    """

    on: Discretisation
    values: Float[Tensor, "*batch points channels"]

    __array_ufunc__ = None
    """numpy leaves products with arrays to the function, which refuses them."""

    def __post_init__(self) -> None:
        expected = require_discretisation(self.on, "Where a function is known").shape_of_points
        floating(self.values, "A function's values", held=False)
        if tuple(self.values.shape[:-1][-len(expected) :]) != expected:
            raise ValueError(
                f"Values on this {type(self.on).__name__} have the shape (*batch, "
                f"{', '.join(map(str, expected))}, channels); got {tuple(self.values.shape)}."
            )

    @property
    def batch(self) -> tuple[int, ...]:
        """The batch axes."""
        return tuple(self.values.shape[:-2])

    @property
    def channels(self) -> int:
        """The number of channels."""
        return self.values.shape[-1]

    @property
    def weights(self) -> Float[Tensor, "*batch points"]:
        """The quadrature weights in the dtype and place of the values."""
        return self.on.weights.to(self.values)

    def inner(self, other: "Function") -> Float[Tensor, "*batch"]:
        r"""The inner product :math:`\sum_p w_p \sum_c f_c(x_p) g_c(x_p)`, of shape ``(*batch)``.

        Raises:
            ValueError: if the other function lives on another discretisation.
        """
        require_same(self, other)
        return ((self.values * other.values).sum(-1) * self.weights).sum(-1)

    def norm(self) -> Float[Tensor, "*batch"]:
        r"""The norm :math:`\sqrt{⟨f, f⟩}`, of shape ``(*batch)``."""
        return self.inner(self).sqrt()

    def integral(self) -> Float[Tensor, "*batch channels"]:
        r"""The integral :math:`\sum_p w_p f(x_p)`, of shape ``(*batch, channels)``."""
        return (self.values * self.weights.unsqueeze(-1)).sum(-2)

    def restrict(self, subset: Subset) -> "Function":
        """The same function at some of its grid's points.

        Raises:
            TypeError: if the subset is another thing.
            ValueError: if the function does not live on the subset's grid, or the subset's batch
                is not the function's.
        """
        instance(subset, Subset, "A function is restricted to what")
        if self.on != subset.grid:
            raise ValueError(
                "A function is restricted to a Subset of its own grid; it lives on "
                f"{described(self.on)} and the subset is taken from {described(subset.grid)}. Take "
                "a subset of the function's grid."
            )
        index = subset.index.to(self.values.device)
        if index.ndim == 1:
            return Function(subset, self.values[..., index, :])
        if self.batch[-1:] not in ((index.shape[0],), (1,), ()):
            raise ValueError(
                f"The subset has {index.shape[0]} samples, the function a batch of {self.batch}. "
                "Give as many of one as of the other, or an index of shape (points,)."
            )
        values = self.values.expand(*self.batch[:-1], index.shape[0], -1, -1)
        index = index.unsqueeze(-1).expand(*values.shape[:-2], -1, self.channels)
        return Function(subset, values.gather(-2, index))

    @staticmethod
    def from_image(image: Float[Tensor, "*shape"], domain: Domain | None = None) -> "Function":
        r"""A picture as a function on a grid of cell centres.

        Args:
            image: channels-first values, by convention in [−1, 1], of shape
                ``(*batch, channels, height, width)``; with a ``domain`` of ``d`` axes, the last
                ``d`` axes are space.
            domain: the box; by default one with square cells whose longest side is 1.

        Raises:
            TypeError: if the picture is no floating-point tensor, or the domain is none.
            ValueError: if a value is NaN or infinite, or an axis is missing or empty.

        Example:
            >>> import torch
            >>> f = Function.from_image(torch.zeros(2, 3, 4, 8))
            >>> tuple(f.values.shape), f.on.domain.lengths
            ((2, 32, 3), (0.5, 1.0))
        """
        floating(image, "A picture's values")
        dim = 2 if domain is None else require_domain(domain, "A picture's domain").dim
        if image.ndim < dim + 1 or 0 in image.shape[image.ndim - dim :]:
            raise ValueError(
                f"A picture has a channel axis and {dim} axes of space, none of them empty; got "
                f"{tuple(image.shape)}."
            )
        check_finite(image, "A picture's values")
        before, shape = image.shape[: image.ndim - dim], tuple(image.shape[image.ndim - dim :])
        if domain is None:
            domain = Box(tuple(n / max(shape) for n in shape))
        grid = Grid(shape, domain)
        return Function(grid, image.reshape(*before, grid.size).mT)

    def to_image(self) -> Float[Tensor, "*shape"]:
        """The values on a grid, channels first, of shape ``(*batch, channels, *grid.shape)``.

        Raises:
            TypeError: if the function does not live on a grid.
        """
        if not isinstance(self.on, Grid):
            raise TypeError(
                f"Only a function on a Grid is a picture; this one lives on {described(self.on)}. "
                "Sample it on a Grid, or interpolate it to one."
            )
        return self.values.mT.reshape(*self.batch, self.channels, *self.on.shape)

    def __add__(self, other: "Function") -> "Function":
        require_same(self, other)
        return Function(self.on, self.values + other.values)

    def __sub__(self, other: "Function") -> "Function":
        require_same(self, other)
        return Function(self.on, self.values - other.values)

    def __mul__(self, scalar: Scalar) -> "Function":
        return Function(self.on, self.values * expand_trailing(scalar, self.values, 2))

    def __rmul__(self, scalar: Scalar) -> "Function":
        return self * scalar

    def __neg__(self) -> "Function":
        return Function(self.on, -self.values)


def require_function(f: Function, name: str) -> Function:
    """Return a function, refusing other things.

    Raises:
        TypeError: if it is none; ``name`` says which it was.
    """
    return instance(f, Function, name, "Pass one, such as Function(grid, values).")


def require_same(f: Function, g: Function) -> None:
    """Refuse two functions that live on different discretisations or devices.

    Raises:
        TypeError: if ``g`` is not a Function.
        ValueError: if their discretisations differ, or the devices of their values, or their
            batches and channels do not go together.
    """
    require_function(g, "What meets a function")
    if f.on is not g.on and f.on != g.on:
        raise ValueError(
            f"The functions live on different discretisations, {described(f.on)} and "
            f"{described(g.on)}. Restrict or interpolate one to where the other lives."
        )
    check_device(
        f.values.device,
        g.values.device,
        "The values of two functions",
        "Move one, or draw it there: a field is read with device=…, whatever its generator's.",
    )
    pairs = zip(reversed(f.values.shape), reversed(g.values.shape), strict=False)
    if f.values.shape != g.values.shape and any(m != n and 1 not in (m, n) for m, n in pairs):
        raise ValueError(
            "Two functions have the same batch and channels, or one of either; got values of shape "
            f"{tuple(f.values.shape)} and {tuple(g.values.shape)}."
        )
