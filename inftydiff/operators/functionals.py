r"""Functionals: finitely many numbers read from a function, and the adjoint of reading them.

.. math:: A f = (⟨a_1, f⟩, …, ⟨a_m, f⟩) \in \mathbb R^m

What is read is no function on a domain but data. It lives in the plain vector space of shape
``(*batch, m, channels)`` with the Euclidean inner product, while functions have the weighted one,
so the adjoint is

.. math:: ⟨A f, y⟩_{\mathbb R^m} = ⟨f, A^* y⟩_{L^2}, \qquad A^* y = \sum_j y_j\, a_j.

Each channel is read alike. ``functionals @ operator`` reads the image of an operator.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

from jaxtyping import Float
from torch import Tensor

from inftydiff._typing import floating, instance
from inftydiff.operators.discretisation import Grid, described
from inftydiff.operators.function import Function, require_function
from inftydiff.operators.linear import LinearOperator, require_operator

__all__ = ["Composed", "Functionals"]


class Functionals(ABC):
    """A linear map from functions on one grid to vectors, composed with operators by ``@``.

    A subclass is a frozen dataclass that defines ``on``, ``size``, ``_read`` and ``_adjoint``.
    """

    on: Grid
    """The grid that the functions live on."""

    @property
    @abstractmethod
    def size(self) -> int:
        """The number m of functionals."""

    @abstractmethod
    def _read(self, f: Function) -> Tensor:
        """The numbers of a function on the grid."""

    @abstractmethod
    def _adjoint(self, y: Tensor) -> Function:
        """The function of some numbers of the right shape."""

    @final
    def __call__(self, f: Function) -> Float[Tensor, "*batch m channels"]:
        """Read the numbers.

        Args:
            f: functions on the grid, values of shape ``(*batch, points, channels)``.

        Raises:
            TypeError: if they are no functions.
            ValueError: if they live elsewhere.
        """
        require_function(f, "What functionals read")
        if f.on is not self.on and f.on != self.on:
            raise ValueError(
                f"These functionals read functions on {described(self.on)}; got one on "
                f"{described(f.on)}. Make them for the grid that is sampled on."
            )
        return self._read(f)

    @final
    def adjoint(self, y: Float[Tensor, "*batch m channels"]) -> Function:
        r"""The function :math:`\sum_j y_j a_j`, on the grid.

        Args:
            y: numbers, of shape ``(*batch, m, channels)``.

        Raises:
            TypeError: if they are no floating-point tensor.
            ValueError: if they are not as many as the functionals.
        """
        floating(y, "The numbers of functionals")
        if y.ndim < 2 or y.shape[-2] != self.size:
            raise ValueError(
                f"There are {self.size} functionals; got numbers of shape {tuple(y.shape)}, "
                f"expected (*batch, {self.size}, channels)."
            )
        return self._adjoint(y)

    @final
    def __matmul__(self, operator: LinearOperator) -> "Composed":
        return Composed(self, operator)


@final
@dataclass(frozen=True)
class Composed(Functionals):
    """What functionals read of an operator's image; made by ``functionals @ operator``.

    Args:
        outer: the functionals.
        inner: an operator from functions on their grid to functions on it.

    Raises:
        TypeError: if they are other things.
    """

    outer: Functionals
    inner: LinearOperator

    def __post_init__(self) -> None:
        instance(self.outer, Functionals, "What reads an operator's image")
        require_operator(self.inner, "What functionals are composed with")

    @property
    def on(self) -> Grid:  # type: ignore[override]
        """The grid that the functions live on."""
        return self.outer.on

    @property
    def size(self) -> int:
        return self.outer.size

    def _read(self, f: Function) -> Tensor:
        return self.outer(self.inner(f))

    def _adjoint(self, y: Tensor) -> Function:
        return self.inner.adjoint(self.outer.adjoint(y))
