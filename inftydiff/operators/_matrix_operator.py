r"""Linear operators given by a matrix between two discretisations of one domain.

With the diagonal matrices :math:`W` of the quadrature weights, the adjoint of a matrix :math:`A` in
the weighted inner products is :math:`A^* = W_{source}^{-1} A^T W_{target}`. Layers, which work on
bare tensors, call ``apply_values``.
"""

from abc import abstractmethod
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._typing import floating, instance, shown
from inftydiff.operators.discretisation import Discretisation, described
from inftydiff.operators.function import Function
from inftydiff.operators.linear import Argument, LinearOperator

__all__ = ["MatrixAdjoint", "MatrixOperator"]


class MatrixOperator(LinearOperator):
    """A linear map given by a matrix between two discretisations of one domain.

    A subclass is a frozen dataclass that defines ``_product`` and names its fields ``source`` and
    ``target``.
    """

    source: Discretisation
    target: Discretisation

    @abstractmethod
    def _product(self, values: Tensor, *, transpose: bool) -> Tensor:
        """The matrix, or its plain transpose, times float32 or float64 values of the full batch."""

    @final
    def __call__(self, f: Argument) -> Argument:
        """Carry a function from the source to the target.

        Raises:
            ValueError: if the function does not live on the source.
            TypeError: if the argument is not a Function.
        """
        if not isinstance(f, Function):
            raise _not_a_function(self, f)
        _check_on(self, f, self.source)
        return Function(self.target, self.apply_values(f.values))

    @property
    @final
    def adjoint(self) -> "MatrixAdjoint":
        """The adjoint in the weighted inner products of source and target."""
        return MatrixAdjoint(self)

    @final
    def apply_values(
        self, values: Float[Tensor, "*batch points channels"]
    ) -> Float[Tensor, "*target_batch nodes channels"]:
        """Carry bare values from the source's points to the target's.

        Args:
            values: values on the source. If the target has one set of points a sample, a batch axis
                that is missing or of length one is repeated.

        Returns:
            Values on the target, in the dtype and place of the input; half precision is computed in
            float32.

        Raises:
            ValueError: if the values' axes are not those of the source.
        """
        return self._checked_product(values, self.source, transpose=False)

    @final
    def transpose_values(
        self, values: Float[Tensor, "*batch nodes channels"]
    ) -> Float[Tensor, "*source_batch points channels"]:
        """Apply the plain transpose of the matrix to bare values on the target's points.

        Raises:
            ValueError: if the values' axes are not those of the target.
        """
        return self._checked_product(values, self.target, transpose=True)

    def _checked_product(self, values: Tensor, on: Discretisation, *, transpose: bool) -> Tensor:
        floating(values, f"The values that a {type(self).__name__} takes")
        samples = (*self.source.shape_of_points[:-1], *self.target.shape_of_points[:-1])
        batch = tuple(values.shape[:-2])
        if (
            values.ndim < 2
            or values.shape[-1] == 0
            or values.shape[-2] != on.size
            or (samples and batch[-1:] not in (samples, (1,), ()))
        ):
            raise ValueError(
                f"{type(self).__name__} takes values of shape "
                f"{('batch', *samples, on.size, 'channels')} here; got {tuple(values.shape)}."
            )
        if samples and batch[-1:] != samples:
            values = values.expand(*batch[:-1], *samples, *values.shape[-2:])
        half = values.dtype in (torch.float16, torch.bfloat16)
        result = self._product(values.float() if half else values, transpose=transpose)
        return result.to(values.dtype)


@final
@dataclass(frozen=True)
class MatrixAdjoint(LinearOperator):
    r"""The adjoint :math:`A^* = W_{source}^{-1} A^T W_{target}` of a matrix operator.

    Its values at points of weight zero, which no inner product sees, are zero.

    Args:
        operator: the operator :math:`A`.

    Raises:
        TypeError: if it is given by no matrix.
    """

    operator: MatrixOperator

    def __post_init__(self) -> None:
        instance(self.operator, MatrixOperator, "The operator of an adjoint", "Take .adjoint.")

    def __call__(self, f: Argument) -> Argument:
        """Carry a function from the operator's target to its source.

        Raises:
            ValueError: if the function does not live on the target.
            TypeError: if the argument is not a Function.
        """
        if not isinstance(f, Function):
            raise _not_a_function(self, f)
        _check_on(self, f, self.operator.target)
        values = self.operator.transpose_values(f.values * f.weights.unsqueeze(-1))
        weights = self.operator.source.weights.to(values).unsqueeze(-1)
        return Function(self.operator.source, torch.where(weights > 0, values / weights, 0.0))

    @property
    def adjoint(self) -> MatrixOperator:
        """The operator itself."""
        return self.operator


def _not_a_function(operator: LinearOperator, f: object) -> TypeError:
    return TypeError(
        f"{type(operator).__name__} acts on a Function; got {shown(f)}. It is not "
        "spectral: read a random field on a discretisation first."
    )


def _check_on(operator: MatrixOperator | MatrixAdjoint, f: Function, on: Discretisation) -> None:
    if f.on is not on and f.on != on:
        name = type(operator).__name__
        raise ValueError(
            f"This {name} acts on functions on its own discretisation, {described(on)}; got one on "
            f"another, {described(f.on)}. Make a {name} for it."
        )
