r"""Covariances that are functions of the Laplacian: Matérn, Bessel and squared exponential.

Each factor :math:`F` here turns unit white noise into a stationary random function, far from the
sides. With the Matérn covariance of smoothness :math:`\nu`, length scale :math:`\ell` and standard
deviation :math:`\varsigma`,

.. math::
   C(r) = \varsigma^2\, \frac{2^{1-\nu}}{\Gamma(\nu)} (\kappa r)^\nu K_\nu(\kappa r), \qquad
   \kappa = \frac{\sqrt{2\nu}}{\ell},

it is the multiplier

.. math::
   m(\lambda) = \varsigma\,(4\pi)^{d/4} \Bigl(\frac{\Gamma(\nu + d/2)}{\Gamma(\nu)}\Bigr)^{1/2}
   \kappa^\nu\, (\kappa^2 + \lambda)^{-(\nu + d/2)/2}.

:math:`\nu = \tfrac12` is the exponential covariance :math:`\varsigma^2 e^{-r/\ell}`, and
:math:`\nu \to \infty` the squared exponential :math:`\varsigma^2 e^{-r^2/2\ell^2}`, whose factor is
the heat semigroup of width :math:`\ell/\sqrt2` times :math:`\varsigma\,(2\pi\ell^2)^{d/4}`. The
Bessel potential :math:`(1 - \ell^2\Delta)^{-r/2}` is a Matérn factor of smoothness
:math:`\nu = r - d/2`, not normalised.

Powers of the Laplacian decay slowly, and a random field that is the same function on every grid
keeps all its modes. So they have a *cut-off*, a wave number above which the multiplier is zero. The
default leaves out less than a thousandth of the variance. An infinite one claims no decay: a field
then keeps the modes of the grid that reads it, as white noise does.

The standard deviation is :math:`\varsigma` in the dimension :math:`d` that the factor was made for,
and in no other. A field of it is refused where it would be read in another.

References:
    F. Lindgren, H. Rue and J. Lindström, "An explicit link between Gaussian fields and Gaussian
    Markov random fields", J. R. Statist. Soc. B 73 (2011); C. Rasmussen and C. Williams, "Gaussian
    Processes for Machine Learning", MIT Press, 2006, section 4.2.
"""

import math
from dataclasses import dataclass, field, replace
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._components import component
from inftydiff._typing import (
    FAINTEST,
    MOST_AXES,
    STRONGEST,
    Real,
    length,
    positive,
    whole,
)
from inftydiff.operators.asymptote import Asymptote
from inftydiff.operators.multiplier import HeatMultiplier, Multiplier, ScaledMultiplier
from inftydiff.operators.spectral import SpectralOperator

__all__ = [
    "BesselMultiplier",
    "MaternMultiplier",
    "SquaredExponentialMultiplier",
    "bessel",
    "matern",
    "squared_exponential",
]

ROUGHEST, STEEPEST = 1e-12, 1e9
"""The smallest smoothness, and the largest and order: above it take the squared exponential."""

HIGHEST = 1e150
"""The highest cut-off that is not infinite: its square is a number."""

LEFT_OUT = 1e-3
"""The part of the variance that the default cut-off may leave out."""


@component("multiplier", "bessel")
@final
@dataclass(frozen=True)
class BesselMultiplier(Multiplier):
    r"""The Bessel potential :math:`m(\lambda) = (1 + \ell^2\lambda)^{-r/2}`, up to a cut-off.

    Args:
        order: the order :math:`r`: the operator gains :math:`r` derivatives.
        length_scale: the length :math:`\ell`, in the domain's units.
        cutoff: the wave number above which the multiplier is zero; infinite by default.

    Raises:
        TypeError: if an argument is no number.
        ValueError: if a number is not above zero, the order or the length is not finite, the order
            is above 10⁹, or the length is too short or too long.
    """

    order: Real
    length_scale: Real = 1.0
    cutoff: Real = math.inf

    def __post_init__(self) -> None:
        order = positive(self.order, "The order of a Bessel potential", most=STEEPEST)
        object.__setattr__(self, "order", order)
        scale = length(self.length_scale, "The length scale of a Bessel potential")
        object.__setattr__(self, "length_scale", scale)
        object.__setattr__(self, "cutoff", checked_cutoff(self.cutoff))

    def __call__(self, eigenvalues: Float[Tensor, "*modes"]) -> Float[Tensor, "*modes"]:
        factors = (-0.5 * self.order * (self.length_scale**2 * eigenvalues).log1p()).exp()
        return torch.where(eigenvalues <= self.cutoff**2, factors, 0.0)

    @property
    def bound(self) -> float:
        return 1.0

    def bandwidth(self, tolerance: float) -> float:
        if tolerance >= 1.0:
            return 0.0
        if self.cutoff == math.inf or not tolerance > 0.0:
            return float(self.cutoff)
        exponent = -2.0 * math.log(tolerance) / self.order
        reached = math.expm1(exponent) if exponent < 700.0 else math.inf
        return min(self.cutoff, math.sqrt(reached) / self.length_scale)

    @property
    def asymptote(self) -> Asymptote | None:
        logarithm = -self.order * math.log(self.length_scale)
        if abs(logarithm) > 600.0:  # no number of double precision
            return None
        return Asymptote(self.length_scale**-self.order, 0.5 * self.order, 0.0, 1.0)

    @property
    def untruncated(self) -> "BesselMultiplier":
        return replace(self, cutoff=math.inf)


@component("multiplier", "matern")
@final
@dataclass(frozen=True)
class MaternMultiplier(Multiplier):
    r"""The factor of the Matérn covariance, up to a cut-off.

    Args:
        smoothness: the number :math:`\nu`: samples have just less than :math:`\nu` derivatives.
        length_scale: the length :math:`\ell`, in the domain's units.
        dim: the dimension :math:`d` of the domain.
        std: the standard deviation :math:`\varsigma` of the field, far from the sides.
        cutoff: the wave number above which the multiplier is zero; infinite by default.

    Raises:
        TypeError: if an argument is no number.
        ValueError: if a number is not above zero or, but for the cut-off, not finite; if the
            smoothness is not from 10⁻¹² to 10⁹, the length too short or too long, or there are more
            than 16 dimensions.
    """

    smoothness: Real
    length_scale: Real
    dim: int = field(kw_only=True)
    std: Real = field(default=1.0, kw_only=True)
    cutoff: Real = field(default=math.inf, kw_only=True)

    def __post_init__(self) -> None:
        smoothness, scale, std = _checked(self.smoothness, self.length_scale, self.std)
        object.__setattr__(self, "smoothness", smoothness)
        object.__setattr__(self, "length_scale", scale)
        object.__setattr__(self, "dim", _checked_dim(self.dim))
        object.__setattr__(self, "std", std)
        object.__setattr__(self, "cutoff", checked_cutoff(self.cutoff))

    @property
    def scaled_bessel(self) -> ScaledMultiplier:
        r"""The same as a multiple of the Bessel potential of length :math:`1/\kappa`."""
        order = self.smoothness + 0.5 * self.dim
        length = self.length_scale / math.sqrt(2.0 * self.smoothness)
        gammas = math.lgamma(order) - math.lgamma(self.smoothness)
        volume = math.sqrt(4.0 * math.pi) * length
        scale = self.std * math.exp(0.5 * gammas) * volume ** (0.5 * self.dim)
        return ScaledMultiplier(scale, BesselMultiplier(order, length, self.cutoff))

    def __call__(self, eigenvalues: Float[Tensor, "*modes"]) -> Float[Tensor, "*modes"]:
        return self.scaled_bessel(eigenvalues)

    @property
    def bound(self) -> float:
        return self.scaled_bessel.bound

    def bandwidth(self, tolerance: float) -> float:
        return self.scaled_bessel.bandwidth(tolerance)

    @property
    def asymptote(self) -> Asymptote | None:
        return self.scaled_bessel.asymptote

    @property
    def untruncated(self) -> "MaternMultiplier":
        return replace(self, cutoff=math.inf)

    @property
    def dims(self) -> frozenset[int]:
        return frozenset({self.dim})


@component("multiplier", "squared_exponential")
@final
@dataclass(frozen=True)
class SquaredExponentialMultiplier(Multiplier):
    r"""The factor of the squared exponential covariance.

    Args:
        length_scale: the length :math:`\ell`, in the domain's units.
        dim: the dimension :math:`d` of the domain.
        std: the standard deviation :math:`\varsigma` of the field, far from the sides.

    Raises:
        TypeError: if an argument is no number.
        ValueError: if a number is not above zero, not finite, or beyond all use.
    """

    length_scale: Real
    dim: int = field(kw_only=True)
    std: Real = field(default=1.0, kw_only=True)

    def __post_init__(self) -> None:
        _, scale, std = _checked(1.0, self.length_scale, self.std)
        object.__setattr__(self, "length_scale", scale)
        object.__setattr__(self, "dim", _checked_dim(self.dim))
        object.__setattr__(self, "std", std)

    @property
    def scaled_heat(self) -> ScaledMultiplier:
        r"""The same as a multiple of the heat semigroup of width :math:`\ell/\sqrt2`."""
        scale = self.std * (2.0 * math.pi * self.length_scale**2) ** (0.25 * self.dim)
        return ScaledMultiplier(scale, HeatMultiplier(self.length_scale / math.sqrt(2.0)))

    def __call__(self, eigenvalues: Float[Tensor, "*modes"]) -> Float[Tensor, "*modes"]:
        return self.scaled_heat(eigenvalues)

    @property
    def bound(self) -> float:
        return self.scaled_heat.bound

    def bandwidth(self, tolerance: float) -> float:
        return self.scaled_heat.bandwidth(tolerance)

    @property
    def asymptote(self) -> Asymptote | None:
        return self.scaled_heat.asymptote

    @property
    def dims(self) -> frozenset[int]:
        return frozenset({self.dim})


def matern(
    smoothness: Real,
    length_scale: Real,
    *,
    dim: int,
    std: Real = 1.0,
    cutoff: Real | None = None,
) -> SpectralOperator:
    r"""The operator :math:`F` such that :math:`F\xi` has the Matérn covariance.

    Args:
        smoothness: the number :math:`\nu > 0`: ½ is the exponential covariance.
        length_scale: the length :math:`\ell`, in the domain's units.
        dim: the dimension of the domain.
        std: the standard deviation of the field, far from the sides.
        cutoff: the wave number above which modes are left out; by default one that leaves out less
            than a thousandth of the variance. ``math.inf`` keeps the modes of the grid that reads.

    Raises:
        ValueError: if a number is not above zero.

    Example:
        >>> from inftydiff import GaussianMeasure, Scattered, WhiteNoise
        >>> measure = GaussianMeasure(None, matern(2.5, 0.05, dim=1), WhiteNoise())
        >>> measure.covariance(Scattered(torch.tensor([[0.5]]))).item()
        0.999...
    """
    if cutoff is None:
        smoothness, length_scale, std = _checked(smoothness, length_scale, std)
        order = smoothness + 0.5 * _checked_dim(dim)
        cutoff = default_cutoff(order, length_scale / math.sqrt(2.0 * smoothness), dim)
    return SpectralOperator(
        MaternMultiplier(smoothness, length_scale, dim=dim, std=std, cutoff=cutoff)
    )


def squared_exponential(length_scale: Real, *, dim: int, std: Real = 1.0) -> SpectralOperator:
    r"""The operator :math:`F` such that :math:`F\xi` has the squared exponential covariance.

    It is :math:`\varsigma^2 e^{-r^2/2\ell^2}`, and :math:`F` the heat semigroup of width
    :math:`\ell/\sqrt2` times :math:`\varsigma\,(2\pi\ell^2)^{d/4}`.

    Args:
        length_scale: the length :math:`\ell`, in the domain's units.
        dim: the dimension :math:`d` of the domain.
        std: the standard deviation :math:`\varsigma` of the field, far from the sides.

    Raises:
        ValueError: if a number is not above zero.

    Example:
        >>> from inftydiff import GaussianMeasure, Scattered, WhiteNoise
        >>> measure = GaussianMeasure(None, squared_exponential(0.1, dim=1, std=2.0), WhiteNoise())
        >>> points = torch.tensor([[0.5], [0.6]], dtype=torch.float64)
        >>> measure.covariance(Scattered(points)).round(decimals=6)
        tensor([[4.0000, 2.4261],
                [2.4261, 4.0000]], dtype=torch.float64)
    """
    return SpectralOperator(SquaredExponentialMultiplier(length_scale, dim=dim, std=std))


def bessel(
    order: Real,
    length_scale: Real = 1.0,
    *,
    dim: int | None = None,
    cutoff: Real | None = None,
) -> SpectralOperator:
    r"""The Bessel potential :math:`(1 - \ell^2\Delta)^{-r/2}`.

    It gains :math:`r` derivatives: white noise becomes a function if :math:`r > d/2`.

    Args:
        order: the order :math:`r > 0`.
        length_scale: the length :math:`\ell`, in the domain's units.
        dim: the dimension :math:`d` of the domain, if noise is to be filtered and read anywhere;
            the cut-off is then one that leaves out less than a thousandth of the variance.
        cutoff: the wave number above which modes are left out; infinite by default, if no
            dimension is given.

    Raises:
        ValueError: if a number is not above zero, or there is a dimension but neither a cut-off
            nor an order above half of it.

    Example:
        >>> bessel(2.0, 0.5).multiplier(torch.tensor([0.0, 4.0])).tolist()
        [1.0, 0.5]
    """
    dim = None if dim is None else _checked_dim(dim)
    if cutoff is None and dim is not None:
        order = positive(order, "The order of a Bessel potential", most=STEEPEST)
        if 2.0 * order <= dim:
            raise ValueError(
                f"White noise filtered by a Bessel potential is a function if its order is above "
                f"dim/2 = {0.5 * dim:g}; got order {order:g}. Take a larger order, or pass cutoff, "
                "the wave number above which modes are left out."
            )
        cutoff = default_cutoff(order, length_scale, dim)
    return SpectralOperator(
        BesselMultiplier(order, length_scale, math.inf if cutoff is None else cutoff)
    )


def default_cutoff(order: Real, scale: Real, dim: int) -> float:
    r"""A wave number beyond which less than a thousandth of the variance lies.

    With :math:`u = 1/(1 + \ell^2\omega^2)` and :math:`\nu = r - d/2` that part is the incomplete
    beta function :math:`I_u(\nu, d/2)`, which is at most
    :math:`u^\nu \max(1, (1-u)^{d/2-1}) / (\nu B(\nu, d/2))`.
    """
    scale = positive(scale, "The length scale of a Bessel potential")
    half = 0.5 * _checked_dim(dim)
    nu = order - half
    beta = math.lgamma(nu) + math.lgamma(half) - math.lgamma(order)
    most, slack = (0.5, math.sqrt(2.0)) if dim == 1 else (0.999, 1.0)
    u = min(most, max(1e-200, math.exp((math.log(LEFT_OUT * nu / slack) + beta) / nu)))
    return math.sqrt(1.0 / u - 1.0) / scale


def checked_cutoff(cutoff: Real) -> float:
    """Return a cut-off as a float, refusing what is not a wave number above zero.

    Raises:
        TypeError: if it is no number.
        ValueError: if it is not above zero.
    """
    if isinstance(cutoff, float) and cutoff == math.inf:
        return math.inf
    return positive(cutoff, "A cut-off, unless math.inf,", most=HIGHEST)


def _checked(smoothness: Real, length_scale: Real, std: Real) -> tuple[float, float, float]:
    return (
        positive(smoothness, "The smoothness of a covariance", least=ROUGHEST, most=STEEPEST),
        length(length_scale, "The length scale of a covariance"),
        positive(std, "The standard deviation of a covariance", least=FAINTEST, most=STRONGEST),
    )


def _checked_dim(dim: int) -> int:
    return whole(dim, "The dimension of a covariance", most=MOST_AXES)
