r"""The inverse of a spectral operator on one grid, where there is one.

On functions a mollifier has no bounded inverse. On a grid it has finitely many factors
:math:`m(\lambda_k)`, and if rounding leaves something of each,

.. math:: f \mapsto \sum_k \frac{⟨\varphi_k, f⟩}{m(\lambda_k)}\,\varphi_k

is its inverse there. Errors are amplified by up to :math:`1/\min_k |m(\lambda_k)|`; the Wiener
filters of :mod:`~inftydiff.operators.wiener` bound that, and are no inverses.
"""

from dataclasses import dataclass
from typing import final

from jaxtyping import Float
from torch import Tensor

from inftydiff._components import component
from inftydiff._typing import Real, positive, shown
from inftydiff.operators.basis import eigenbasis
from inftydiff.operators.discretisation import Grid, described, require_grid
from inftydiff.operators.linear import Identity, LinearOperator
from inftydiff.operators.multiplier import (
    Multiplier,
    require_multiplier,
)
from inftydiff.operators.spectral import (
    SpectralOperator,
    spectral_multiplier,
)

__all__ = ["InverseMultiplier", "exact_inverse"]

LARGEST = 1e6
"""Errors that are amplified by more than this are not those of a useful inverse."""


@component("multiplier", "inverse")
@final
@dataclass(frozen=True)
class InverseMultiplier(Multiplier):
    r"""The factors :math:`1/m`.

    Args:
        forward: the multiplier :math:`m`.
        largest: a bound on the inverse's factors, over the modes of some grid.

    Raises:
        TypeError: if the forward multiplier is none, or the bound no number.
        ValueError: if the bound is not a finite number above zero.
    """

    forward: Multiplier
    largest: Real

    def __post_init__(self) -> None:
        require_multiplier(self.forward, "What is inverted")
        object.__setattr__(self, "largest", positive(self.largest, "The bound of an inverse"))

    @property
    def bound(self) -> float:
        return float(self.largest)

    @property
    def dims(self) -> frozenset[int]:
        return self.forward.dims

    def __call__(self, eigenvalues: Float[Tensor, "*modes"]) -> Float[Tensor, "*batch_modes"]:
        return 1.0 / self.forward(eigenvalues)

    def bandwidth(self, tolerance: float) -> float:
        return 0.0 if self.largest <= tolerance else float("inf")


def exact_inverse(operator: LinearOperator, *, on: Grid) -> LinearOperator:
    """The inverse of a spectral operator on a grid.

    Args:
        operator: the operator: spectral, the identity, or an expression in such.
        on: the grid.

    Returns:
        An operator for functions on this grid, and on coarser ones.

    Raises:
        TypeError: if the operator is not spectral, or the grid no Grid.
        ValueError: if it leaves less than a millionth of a mode.

    Example:
        >>> from inftydiff import Function, gaussian_mollifier
        >>> grid, T = Grid((8,)), gaussian_mollifier(0.1)
        >>> f = Function(grid, grid.points)
        >>> bool(exact_inverse(T, on=grid)(T(f)).values.allclose(f.values))
        True
    """
    if isinstance(operator, Identity):
        return operator
    multiplier = spectral_multiplier(operator)
    if multiplier is None:
        raise TypeError(
            "An exact inverse is that of a spectral operator, such as gaussian_mollifier(width); "
            f"got {shown(operator)}."
        )
    require_grid(on, "The grid of an exact inverse")
    factors = multiplier(eigenbasis(on.domain).eigenvalues(on.shape)).abs()
    least = factors.min().item()
    if not least * LARGEST >= 1.0:
        raise ValueError(
            f"The operator has no useful inverse on {described(on)}: it leaves {least:.2g} of a "
            "mode, and rounding errors as large are amplified with it. Take a coarser grid, or "
            "wiener_inverse."
        )
    return SpectralOperator(InverseMultiplier(multiplier, 1.0 / least))
