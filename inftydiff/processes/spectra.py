r"""Spectra: the multipliers of operators, and functions scaled sample by sample or mode by mode.

An operator is spectral if it acts on random fields; its multiplier :math:`m` is what it does to
white noise.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

from jaxtyping import Float
from torch import Tensor

from inftydiff._typing import floating
from inftydiff.operators.basis import eigenbasis
from inftydiff.operators.discretisation import Grid
from inftydiff.operators.domain import unit_box
from inftydiff.operators.function import Function
from inftydiff.operators.linear import LinearOperator
from inftydiff.operators.multiplier import Multiplier
from inftydiff.operators.spectral import SpectralOperator
from inftydiff.processes._checks import a_function, an_operator
from inftydiff.processes.random_field import RandomField

__all__ = ["ComputedMultiplier", "grid_coefficients", "multiplier_of", "scale_modes"]


@final
@dataclass(frozen=True, eq=False)
class ComputedMultiplier(Multiplier):
    """A multiplier given by a formula of which nothing but a bound is known.

    Args:
        formula: takes eigenvalues of shape ``(*modes)``, gives factors of shape ``(*modes)`` or
            ``(batch, *modes)``.
        largest: a bound on the factors.
    """

    formula: Callable[[Tensor], Tensor]
    largest: float

    @property
    def bound(self) -> float:
        return self.largest

    def __call__(self, eigenvalues: Float[Tensor, "*modes"]) -> Float[Tensor, "*batch_modes"]:
        return self.formula(eigenvalues)

    def bandwidth(self, tolerance: float) -> float:
        return 0.0 if self.largest <= tolerance else float("inf")


def multiplier_of(operator: LinearOperator) -> Multiplier:
    """The multiplier of a spectral operator.

    Raises:
        TypeError: if the operator is not spectral.

    Example:
        >>> from inftydiff import gaussian_mollifier
        >>> multiplier_of(2.0 * gaussian_mollifier(0.1)).bound
        2.0
    """
    an_operator(operator, "A spectral operator")
    white = RandomField(seed=0, domain=unit_box(1), batch=1, channels=1, intensity=1.0)
    field = operator(white)
    if not isinstance(field, RandomField):
        raise TypeError(
            f"{type(operator).__name__} does not act on random fields; use a spectral operator."
        )
    return field.multiplier


def scale_modes(f: Function, factors: Float[Tensor, "*batch_modes"]) -> Function:
    """Multiply a function by one number a sample, or one a sample and a mode.

    Args:
        f: a function with values of shape ``(batch, points, channels)``; on a grid if there is a
            number a mode.
        factors: of shape ``(batch,)``, or ``(batch, *grid.shape)`` for the modes of the grid's
            eigenbasis; axes of length one are repeated.

    Raises:
        TypeError: if the function is none, or the factors are no floating-point tensor.
        ValueError: if the factors are one a mode and the function does not live on a grid, or they
            are as many as neither the samples nor the modes.
    """
    a_function(f, "What is scaled")
    floating(factors, "Factors")
    if factors.ndim < 2:
        return f * factors
    if factors.shape[1:].numel() == 1:
        return f * factors.flatten()  # (batch,)
    if isinstance(f.on, Grid):
        _check_factors(factors, (*f.batch, *f.on.shape))
    bound = factors.abs().max().item() if factors.numel() else 0.0
    return SpectralOperator(ComputedMultiplier(lambda _: factors, bound))(f)


def _check_factors(factors: Tensor, shape: tuple[int, ...]) -> None:
    """Refuse factors that are not one a sample and a mode, but for axes of length one."""
    fits = len(factors.shape) == len(shape)
    if not fits or any(n not in (1, m) for n, m in zip(factors.shape, shape, strict=True)):
        raise ValueError(
            f"Factors must have the shape {shape}, one a sample and a mode, or 1 along an axis; "
            f"got {tuple(factors.shape)}."
        )


def grid_coefficients(f: Function) -> Float[Tensor, "*shape"]:
    """The coefficients of a function on a grid in the orthonormal eigenbasis of L², float64."""
    assert isinstance(f.on, Grid)
    analysis = eigenbasis(f.on.domain).analysis(f.to_image().double())  # (*batch, channels, *modes)
    return analysis * math.sqrt(f.on.cell_volume)
