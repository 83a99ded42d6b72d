r"""Spectral multipliers: functions of the Laplacian, and their algebra.

A multiplier :math:`m` stands for the operator :math:`m(-\Delta)`, which multiplies the coefficient
of the eigenfunction :math:`\varphi_k`, :math:`-\Delta\varphi_k = \lambda_k\varphi_k`, by
:math:`m(\lambda_k)`. On a box with reflecting sides :math:`\lambda_k = \sum_a (\pi k_a/L_a)^2`.
Covariances that are multipliers are in :mod:`~inftydiff.operators.covariance`.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

from jaxtyping import Float
from torch import Tensor

from inftydiff._components import component, declare
from inftydiff._typing import FAINTEST, STRONGEST, Real, Scalar, instance, length, positive, scalar
from inftydiff.operators._by_value import ByValue
from inftydiff.operators.asymptote import Asymptote

__all__ = [
    "HeatMultiplier",
    "Multiplier",
    "ProductMultiplier",
    "ScaledMultiplier",
    "SumMultiplier",
    "UnitMultiplier",
    "WienerMultiplier",
    "check_dimension",
    "require_multiplier",
]


class Multiplier(ABC):
    r"""A function :math:`m(\lambda)` of the eigenvalues of :math:`-\Delta`."""

    @abstractmethod
    def __call__(self, eigenvalues: Float[Tensor, "*modes"]) -> Float[Tensor, "*batch_modes"]:
        """The factors: shaped like the eigenvalues, or ``(batch, *modes)``, one set a sample."""

    @property
    @abstractmethod
    def bound(self) -> float:
        r"""A bound on :math:`|m|`."""

    @abstractmethod
    def bandwidth(self, tolerance: float) -> float:
        r"""A wave number :math:`\omega` with :math:`|m(\omega'^2)|` ≤ tolerance above it.

        Infinite if the multiplier does not decay.
        """

    @property
    def asymptote(self) -> Asymptote | None:
        r"""The multiplier at high frequencies, without a cut-off; None where it is not known."""
        return None

    @property
    def untruncated(self) -> "Multiplier":
        """The multiplier without a cut-off: itself, if it has none."""
        return self

    @property
    def dims(self) -> frozenset[int]:
        """The dimensions of the domains that it, or a part of it, was normalised for."""
        return frozenset()


declare("multiplier", Multiplier)


def require_multiplier(multiplier: Multiplier, name: str) -> Multiplier:
    """Return a multiplier, refusing other things.

    Raises:
        TypeError: if it is none; ``name`` says which it was.
    """
    return instance(multiplier, Multiplier, name, "Pass one, such as HeatMultiplier(0.1).")


@component("multiplier", "unit")
@final
@dataclass(frozen=True)
class UnitMultiplier(Multiplier):
    r"""The identity, :math:`m(\lambda) = 1`."""

    def __call__(self, eigenvalues: Float[Tensor, "*modes"]) -> Float[Tensor, "*modes"]:
        return eigenvalues.new_ones(eigenvalues.shape)

    @property
    def bound(self) -> float:
        return 1.0

    def bandwidth(self, tolerance: float) -> float:
        return math.inf if tolerance < 1.0 else 0.0

    @property
    def asymptote(self) -> Asymptote:
        return Asymptote(1.0, 0.0, 0.0, math.inf)


@component("multiplier", "heat")
@final
@dataclass(frozen=True)
class HeatMultiplier(Multiplier):
    r"""The heat semigroup :math:`\exp(\tfrac12 s^2\Delta)`, :math:`m(\lambda) = e^{-s^2\lambda/2}`.

    Args:
        width: the standard deviation :math:`s` of the equivalent Gaussian kernel, in the domain's
            units.

    Raises:
        TypeError: if the width is no number.
        ValueError: if it is not above zero and finite, or is too short or too long.
    """

    width: Real

    def __post_init__(self) -> None:
        object.__setattr__(self, "width", length(self.width, "The width of a Gaussian mollifier"))

    def __call__(self, eigenvalues: Float[Tensor, "*modes"]) -> Float[Tensor, "*modes"]:
        return (-0.5 * self.width**2 * eigenvalues).exp()

    @property
    def bound(self) -> float:
        return 1.0

    def bandwidth(self, tolerance: float) -> float:
        if not tolerance > 0.0:
            return math.inf
        return math.sqrt(max(0.0, -2.0 * math.log(tolerance))) / self.width

    @property
    def asymptote(self) -> Asymptote:
        return Asymptote(1.0, 0.0, 0.5 * self.width**2, math.inf)


@component("multiplier", "wiener")
@final
@dataclass(frozen=True)
class WienerMultiplier(Multiplier):
    r"""The regularised inverse :math:`G/(G^2 + \rho^2)` of a multiplier :math:`G`.

    Args:
        forward: the multiplier :math:`G` to be inverted.
        noise_to_signal: the amplitude ratio :math:`\rho` of noise and signal.

    Raises:
        TypeError: if the forward multiplier is none, or the ratio no number.
        ValueError: if the ratio is not above zero and finite, from 10⁻³⁰ to 10³⁰.
    """

    forward: Multiplier
    noise_to_signal: Real

    def __post_init__(self) -> None:
        require_multiplier(self.forward, "What a Wiener filter inverts")
        name = "The noise-to-signal ratio of a Wiener filter"
        ratio = positive(self.noise_to_signal, name, least=FAINTEST, most=STRONGEST)
        object.__setattr__(self, "noise_to_signal", ratio)

    def __call__(self, eigenvalues: Float[Tensor, "*modes"]) -> Float[Tensor, "*batch_modes"]:
        gain = self.forward(eigenvalues)
        return gain / (gain**2 + self.noise_to_signal**2)

    @property
    def bound(self) -> float:
        return 0.5 / self.noise_to_signal

    def bandwidth(self, tolerance: float) -> float:
        return self.forward.bandwidth(tolerance * self.noise_to_signal**2)

    @property
    def asymptote(self) -> Asymptote | None:
        forward = self.forward.asymptote
        return None if forward is None else forward.regularised_inverse(self.noise_to_signal)

    @property
    def untruncated(self) -> "WienerMultiplier":
        return WienerMultiplier(self.forward.untruncated, self.noise_to_signal)

    @property
    def dims(self) -> frozenset[int]:
        return self.forward.dims


@component("multiplier", "product")
@final
@dataclass(frozen=True)
class ProductMultiplier(Multiplier):
    r"""The product :math:`m_1 m_2`: one operator after the other.

    Args:
        first: one factor.
        second: the other.

    Raises:
        TypeError: if one is no multiplier.
    """

    first: Multiplier
    second: Multiplier

    def __post_init__(self) -> None:
        require_multiplier(self.first, "A factor of a product")
        require_multiplier(self.second, "A factor of a product")

    def __call__(self, eigenvalues: Float[Tensor, "*modes"]) -> Float[Tensor, "*batch_modes"]:
        return self.first(eigenvalues) * self.second(eigenvalues)

    @property
    def bound(self) -> float:
        return self.first.bound * self.second.bound

    def bandwidth(self, tolerance: float) -> float:
        return min(
            self.first.bandwidth(tolerance / max(self.second.bound, 1e-300)),
            self.second.bandwidth(tolerance / max(self.first.bound, 1e-300)),
        )

    @property
    def asymptote(self) -> Asymptote | None:
        first, second = self.first.asymptote, self.second.asymptote
        return None if first is None or second is None else first.times(second)

    @property
    def untruncated(self) -> "ProductMultiplier":
        return ProductMultiplier(self.first.untruncated, self.second.untruncated)

    @property
    def dims(self) -> frozenset[int]:
        return self.first.dims | self.second.dims


@component("multiplier", "sum")
@final
@dataclass(frozen=True)
class SumMultiplier(Multiplier):
    r"""The sum :math:`m_1 + m_2`.

    Args:
        first: one term.
        second: the other.

    Raises:
        TypeError: if one is no multiplier.
    """

    first: Multiplier
    second: Multiplier

    def __post_init__(self) -> None:
        require_multiplier(self.first, "A term of a sum")
        require_multiplier(self.second, "A term of a sum")

    def __call__(self, eigenvalues: Float[Tensor, "*modes"]) -> Float[Tensor, "*batch_modes"]:
        return self.first(eigenvalues) + self.second(eigenvalues)

    @property
    def bound(self) -> float:
        return self.first.bound + self.second.bound

    def bandwidth(self, tolerance: float) -> float:
        return max(self.first.bandwidth(0.5 * tolerance), self.second.bandwidth(0.5 * tolerance))

    @property
    def asymptote(self) -> Asymptote | None:
        first, second = self.first.asymptote, self.second.asymptote
        return None if first is None or second is None else first.plus(second)

    @property
    def untruncated(self) -> "SumMultiplier":
        return SumMultiplier(self.first.untruncated, self.second.untruncated)

    @property
    def dims(self) -> frozenset[int]:
        return self.first.dims | self.second.dims


@component("multiplier", "scaled")
@final
@dataclass(frozen=True, eq=False)
class ScaledMultiplier(ByValue, Multiplier):
    r"""The multiple :math:`c\,m`, with one number :math:`c` for all samples or one a sample.

    Args:
        scale: a number, or a tensor of shape ``()`` or ``(batch,)``.
        multiplier: the multiplier :math:`m`.

    Raises:
        TypeError: if the scale is no number and no tensor of them, or the multiplier is none.
        ValueError: if the scale is not finite, above 10³⁰ in size, or has several axes.
    """

    scale: Scalar
    multiplier: Multiplier

    def __post_init__(self) -> None:
        name = "The scale of a multiplier"
        object.__setattr__(self, "scale", scalar(self.scale, name, most=STRONGEST))
        if isinstance(self.scale, Tensor) and (self.scale.ndim > 1 or self.scale.numel() == 0):
            raise ValueError(
                "A multiplier is scaled by a number, or by a tensor of shape (batch,); got the "
                f"shape {tuple(self.scale.shape)}."
            )
        require_multiplier(self.multiplier, "What is scaled")

    def __call__(self, eigenvalues: Float[Tensor, "*modes"]) -> Float[Tensor, "*batch_modes"]:
        factors = self.multiplier(eigenvalues)
        if not isinstance(self.scale, Tensor):
            return self.scale * factors
        scale = self.scale.to(factors)
        return scale.reshape((*scale.shape, *(1,) * eigenvalues.ndim)) * factors

    @property
    def bound(self) -> float:
        return self._size * self.multiplier.bound

    def bandwidth(self, tolerance: float) -> float:
        return self.multiplier.bandwidth(tolerance / max(self._size, 1e-300))

    @property
    def asymptote(self) -> Asymptote | None:
        asymptote = self.multiplier.asymptote
        if asymptote is None or (isinstance(self.scale, Tensor) and self.scale.ndim > 0):
            return None
        return asymptote.scaled(float(self.scale))

    @property
    def untruncated(self) -> "ScaledMultiplier":
        return ScaledMultiplier(self.scale, self.multiplier.untruncated)

    @property
    def dims(self) -> frozenset[int]:
        return self.multiplier.dims

    @property
    def _size(self) -> float:
        if not isinstance(self.scale, Tensor):
            return float(abs(self.scale))
        return float(self.scale.abs().max()) if self.scale.numel() else 0.0


def check_dimension(multiplier: Multiplier, dim: int) -> None:
    """Refuse a multiplier on a domain of another dimension than it was normalised for.

    On a point every factor is a number, whatever it was made for.

    Raises:
        ValueError: if the dimensions differ.
    """
    made = multiplier.dims
    if dim and any(own != dim for own in made):
        raise ValueError(
            f"The operator was normalised for dim={', '.join(map(str, sorted(made)))}; got a domain"
            f" of dimension {dim}, where its fields have another variance. Make it with dim={dim}."
        )
