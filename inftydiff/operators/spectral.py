r"""Spectral operators: functions of the Laplacian acting on functions and on random fields.

On a grid, :math:`m(-\Delta) f` analyses the values in the domain's eigenbasis, multiplies by
:math:`m(\lambda_k)` and synthesises: :math:`O(N\log N)`, and never a dense matrix. Every such
operator is self-adjoint, and any two commute.
"""

from dataclasses import dataclass
from typing import final

from inftydiff._components import present_as
from inftydiff._typing import shown
from inftydiff.operators.basis import eigenbasis
from inftydiff.operators.discretisation import Grid
from inftydiff.operators.function import Function
from inftydiff.operators.linear import (
    Argument,
    Composition,
    Field,
    Identity,
    LinearOperator,
    Scaled,
    Sum,
)
from inftydiff.operators.multiplier import (
    Multiplier,
    ProductMultiplier,
    ScaledMultiplier,
    SumMultiplier,
    UnitMultiplier,
    require_multiplier,
)

__all__ = ["SpectralOperator", "spectral_multiplier"]


@final
@dataclass(frozen=True)
class SpectralOperator(LinearOperator):
    r"""The operator :math:`m(-\Delta)`, on any box and on the point.

    Args:
        multiplier: the function :math:`m` of the eigenvalues.

    Raises:
        TypeError: if the multiplier is none.

    Example:
        >>> import torch
        >>> from inftydiff.operators import HeatMultiplier
        >>> f = Function(Grid((8,)), torch.ones(8, 1))
        >>> bool(torch.allclose(SpectralOperator(HeatMultiplier(0.2))(f).values, f.values))
        True
    """

    multiplier: Multiplier

    def __post_init__(self) -> None:
        require_multiplier(self.multiplier, "The multiplier of a spectral operator")

    def __call__(self, f: Argument) -> Argument:
        """Apply the operator to a function on a grid, or to a random field.

        Raises:
            ValueError: if the function lives on a subset or on scattered points.
            TypeError: if the argument is neither a Function nor a random field.
        """
        if isinstance(f, Field):
            return f.filtered(self.multiplier)
        if not isinstance(f, Function):
            raise TypeError(f"An operator acts on a Function or a random field; got {shown(f)}.")
        if not isinstance(f.on, Grid):
            raise ValueError(
                f"A spectral operator acts on a function on a Grid; got {type(f.on).__name__}. "
                "Apply the operator first, then restrict."
            )
        basis, dim = eigenbasis(f.on.domain), f.on.dim
        coefficients = basis.analysis(f.to_image())
        factors = self.multiplier(basis.eigenvalues(f.on.shape, f.values.device)).to(coefficients)
        if factors.ndim > dim:
            factors = factors.unsqueeze(-dim - 1)
        image = basis.synthesis(coefficients * factors)
        return Function(f.on, image.reshape(*image.shape[: image.ndim - dim], f.on.size).mT)

    @property
    def adjoint(self) -> "SpectralOperator":
        """The operator itself: it is self-adjoint."""
        return self


present_as("operator", SpectralOperator, "multiplier", inner="multiplier")


def spectral_multiplier(operator: LinearOperator) -> Multiplier | None:
    """The multiplier of an expression in spectral operators, or None if a part is no such one.

    Example:
        >>> from inftydiff.operators import HeatMultiplier
        >>> T = SpectralOperator(HeatMultiplier(0.2))
        >>> spectral_multiplier(2.0 * T)
        ScaledMultiplier(scale=2.0, multiplier=HeatMultiplier(width=0.2))
    """
    match operator:
        case Identity():
            return UnitMultiplier()
        case SpectralOperator():
            return operator.multiplier
        case Scaled():
            inner = spectral_multiplier(operator.operator)
            return None if inner is None else ScaledMultiplier(operator.scale, inner)
        case Sum():
            first = spectral_multiplier(operator.first)
            second = spectral_multiplier(operator.second)
            both: type[SumMultiplier | ProductMultiplier] = SumMultiplier
        case Composition():
            first = spectral_multiplier(operator.outer)
            second = spectral_multiplier(operator.inner)
            both = ProductMultiplier
        case _:
            return None
    return None if first is None or second is None else both(first, second)
