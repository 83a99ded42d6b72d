r"""Linear operators between functions, and their algebra.

An operator :math:`A` maps a function to a function and has an adjoint in the weighted inner
product,
:math:`⟨A f, g⟩ = ⟨f, A^* g⟩`. Sums, multiples and compositions are operators:

.. math:: (A + B)^* = A^* + B^*, \qquad (cA)^* = cA^*, \qquad (A B)^* = B^* A^*.

Spectral operators act on a random field as well, *before* it is read at any points: a mollified
noise has point values although the white noise behind it has none. ``Field`` is what an operator
needs to know of such a field.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from numbers import Real
from typing import Any, TypeVar, final

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._components import component, declare
from inftydiff._typing import (
    STRONGEST,
    Scalar,
    instance,
    kind_of,
    scalar,
    shown,
)
from inftydiff.operators._by_value import (
    ByValue,
)
from inftydiff.operators.discretisation import Discretisation, Grid
from inftydiff.operators.function import Function
from inftydiff.operators.multiplier import Multiplier

__all__ = [
    "Composition",
    "Field",
    "Identity",
    "LinearOperator",
    "Scaled",
    "Sum",
    "require_operator",
]


class Field(ABC):
    """A random function given by its coefficients in an eigenbasis, not yet read anywhere."""

    @abstractmethod
    def __call__(
        self,
        on: Discretisation,
        *,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> Function:
        """Read the field's values on a discretisation."""

    @abstractmethod
    def covariance(
        self, on: Discretisation, other: Discretisation | None = None
    ) -> Float[Tensor, "*batch points others"]:
        """The covariance matrix of one channel's values on a discretisation, in float64.

        Args:
            on: where the values of the rows are read.
            other: where those of the columns are read; by default the same.
        """

    @abstractmethod
    def mode_variances(self, grid: Grid) -> Float[Tensor, "*batch_shape"]:
        r"""The variances of the field's coefficients on a grid, in float64.

        The coefficients are :math:`\sqrt{h}` times the analysis of the values, with :math:`h` the
        cell volume; they are independent.

        Returns:
            A tensor of the grid's shape, or ``(batch, *shape)`` if they differ by sample.
        """

    @abstractmethod
    def samples(self, first: int, count: int) -> "Field":
        """Some of the samples, as a field that makes these alone.

        Args:
            first: the number of the first one in this batch.
            count: how many.
        """

    @abstractmethod
    def filtered(self, multiplier: Multiplier) -> "Field":
        """The image of the field under the spectral operator with this multiplier."""

    @abstractmethod
    def __add__(self, other: Any) -> "Field":
        """The sum of two images of one draw."""

    @abstractmethod
    def __mul__(self, scalar: Any) -> "Field":
        """The field times a number, or times one number a sample."""


Argument = TypeVar("Argument", Function, Field)


class LinearOperator(ABC):
    """A linear map from functions to functions, composed with ``@``, ``+``, ``-`` and scalar ``*``.

    A subclass defines ``__call__`` and ``adjoint``. One that is not spectral refuses a random field
    by a ``TypeError``.
    """

    __array_ufunc__ = None
    """numpy leaves products with arrays to the operator, which refuses them."""

    @abstractmethod
    def __call__(self, f: Argument) -> Argument:
        """Apply the operator.

        Args:
            f: a ``Function``, or (spectral operators only) a random field.

        Raises:
            TypeError: if the operator is not spectral and the argument is a random field.
        """

    @property
    @abstractmethod
    def adjoint(self) -> "LinearOperator":
        """The adjoint in the weighted inner product."""

    @final
    def __matmul__(self, other: "LinearOperator") -> "LinearOperator":
        return Composition(self, other)

    @final
    def __add__(self, other: "LinearOperator") -> "LinearOperator":
        return Sum(self, other)

    @final
    def __sub__(self, other: "LinearOperator") -> "LinearOperator":
        return Sum(self, Scaled(-1.0, other))

    @final
    def __mul__(self, scalar: Scalar) -> "LinearOperator":
        return Scaled(scalar, self)

    @final
    def __rmul__(self, scalar: Scalar) -> "LinearOperator":
        return Scaled(scalar, self)

    @final
    def __neg__(self) -> "LinearOperator":
        return Scaled(-1.0, self)


declare("operator", LinearOperator)


def require_operator(operator: LinearOperator, name: str) -> LinearOperator:
    """Return a linear operator, refusing other things.

    Raises:
        TypeError: if it is none; ``name`` says which it was.
    """
    return instance(operator, LinearOperator, name, "Pass one, such as Identity().")


@component("operator", "identity")
@final
@dataclass(frozen=True)
class Identity(LinearOperator):
    """The identity operator.

    Example:
        >>> from inftydiff import Function, Grid
        >>> f = Function(Grid((4,)), Grid((4,)).points)
        >>> Identity()(f) is f
        True
    """

    def __call__(self, f: Argument) -> Argument:
        """Return the argument.

        Raises:
            TypeError: if it is neither a Function nor a random field.
        """
        if not isinstance(f, Function | Field):
            raise TypeError(f"An operator acts on a Function or a random field; got {shown(f)}.")
        return f

    @property
    def adjoint(self) -> "Identity":
        """The identity itself."""
        return self


@component("operator", "operator_sum")
@final
@dataclass(frozen=True)
class Sum(LinearOperator):
    """The sum A + B.

    Args:
        first: the operator A.
        second: the operator B.

    Raises:
        TypeError: if one is no operator.
    """

    first: LinearOperator
    second: LinearOperator

    def __post_init__(self) -> None:
        require_operator(self.first, "A term of a sum of operators")
        require_operator(self.second, "A term of a sum of operators")

    def __call__(self, f: Argument) -> Argument:
        return self.first(f) + self.second(f)

    @property
    def adjoint(self) -> LinearOperator:
        """The sum of the adjoints."""
        return Sum(self.first.adjoint, self.second.adjoint)


@component("operator", "multiple")
@final
@dataclass(frozen=True, eq=False)
class Scaled(ByValue, LinearOperator):
    """The multiple cA, with one number c for all samples or one a sample.

    Args:
        scale: a number, or a tensor of shape ``()`` or ``(batch,)``.
        operator: the operator A.

    Raises:
        TypeError: if the scale is neither a number nor a tensor of them, or there is no operator.
        ValueError: if the scale is not finite, or above 10³⁰ in size.
    """

    scale: Scalar
    operator: LinearOperator

    def __post_init__(self) -> None:
        if not isinstance(self.scale, Tensor | Real):
            raise TypeError(
                "An operator is multiplied by a number or by a tensor of shape (batch,); got "
                f"{kind_of(self.scale)}. Compose two operators with @."
            )
        name = "The scale of an operator"
        object.__setattr__(self, "scale", scalar(self.scale, name, most=STRONGEST))
        require_operator(self.operator, "What is scaled")

    def __call__(self, f: Argument) -> Argument:
        return self.operator(f) * self.scale

    @property
    def adjoint(self) -> LinearOperator:
        """The same multiple of the adjoint."""
        return Scaled(self.scale, self.operator.adjoint)


@component("operator", "composition")
@final
@dataclass(frozen=True)
class Composition(LinearOperator):
    """The composition A B: first B, then A.

    Args:
        outer: the operator A, applied last.
        inner: the operator B, applied first.

    Raises:
        TypeError: if one is no operator.
    """

    outer: LinearOperator
    inner: LinearOperator

    def __post_init__(self) -> None:
        require_operator(self.outer, "A factor of a composition")
        require_operator(self.inner, "A factor of a composition")

    def __call__(self, f: Argument) -> Argument:
        return self.outer(self.inner(f))

    @property
    def adjoint(self) -> LinearOperator:
        """The adjoints in reverse order."""
        return Composition(self.inner.adjoint, self.outer.adjoint)
