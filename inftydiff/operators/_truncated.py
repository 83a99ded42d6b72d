r"""The truncated Gaussian kernel as a multiplier.

The kernel is :math:`k(x) = e^{-|x|^2/2s^2}/Z` for :math:`|x| ≤ R`, zero beyond, with :math:`Z` such
that it has mass one. It is radial, so its multiplier is the cosine transform of its marginal along
a line, which in one, two and three dimensions is proportional to

.. math::
   k_1(x) = e^{-x^2/2s^2}, \qquad
   k_2(x) = e^{-x^2/2s^2}\, \mathrm{erf}\frac{\sqrt{R^2 - x^2}}{\sqrt2\, s}, \qquad
   k_3(x) = e^{-x^2/2s^2} - e^{-R^2/2s^2},

.. math::
   m(\omega^2) = \frac{\int_0^R \cos(\omega x)\, k_d(x)\, dx}{\int_0^R k_d(x)\, dx}.

With :math:`x = R\sin\theta` the integrands are smooth, and Gauss–Legendre quadrature gives them to
1e-14.

The edge at :math:`R`, a jump of height :math:`e^{-R^2/2s^2}/Z`, makes the multiplier oscillate
about zero with an envelope :math:`\propto \omega^{-(d+1)/2}`: the operator is self-adjoint but *not
positive*, frequencies where it vanishes are lost to every inverse, and in between it turns signs.
"""

import functools
import math
from dataclasses import dataclass, field, replace
from typing import final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._components import component
from inftydiff._typing import Real, length, whole
from inftydiff.operators.covariance import LEFT_OUT, checked_cutoff
from inftydiff.operators.multiplier import Multiplier

__all__ = ["TruncatedGaussianMultiplier", "edge_cutoff"]

NODES = 32
"""Gauss–Legendre nodes of a panel."""

PHASE = 16.0
"""The largest phase, in radians, that one panel has to resolve."""

MOST_PANELS = 1 << 18
"""The most panels that an integral is cut into."""

MOST_WIDTHS = 1000
"""The most widths that a kernel is integrated to: beyond 40 it is zero in double precision."""

CHUNK = 1 << 22
"""How many values of the integrand are held at a time."""


@component("multiplier", "truncated_gaussian")
@final
@dataclass(frozen=True)
class TruncatedGaussianMultiplier(Multiplier):
    r"""The transform of a Gaussian kernel that ends at a radius, accurate to 1e-14.

    Args:
        width: the standard deviation :math:`s` of the Gaussian before it is truncated, in the
            domain's units.
        radius: the radius :math:`R`, in the domain's units.
        dim: the dimension of the domain, 1, 2 or 3.
        cutoff: the wave number above which the multiplier is zero; infinite by default.

    Raises:
        TypeError: if an argument is no number.
        ValueError: if a number is not above zero, or the dimension is not 1, 2 or 3.
    """

    width: Real
    radius: Real
    dim: int = field(kw_only=True)
    cutoff: Real = field(default=math.inf, kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "width", length(self.width, "The width of a Gaussian mollifier"))
        radius = length(self.radius, "The radius of a truncated Gaussian")
        object.__setattr__(self, "radius", radius)
        object.__setattr__(self, "dim", whole(self.dim, "The dimension of a truncated Gaussian"))
        if self.dim not in (1, 2, 3):
            raise ValueError(
                f"The truncated Gaussian is for dimensions 1, 2 and 3; got dim={self.dim}. "
                "gaussian_mollifier is for any."
            )
        object.__setattr__(self, "cutoff", checked_cutoff(self.cutoff))

    def __call__(self, eigenvalues: Float[Tensor, "*modes"]) -> Float[Tensor, "*modes"]:
        kept = eigenvalues <= self.cutoff**2
        waves = eigenvalues[kept].double().sqrt()
        factors = torch.zeros_like(eigenvalues)
        if waves.numel():
            factors[kept] = self._transform(waves).to(factors)
        return factors

    @property
    def bound(self) -> float:
        return 1.0

    def bandwidth(self, tolerance: float) -> float:
        return 0.0 if tolerance >= 1.0 else float(self.cutoff)

    @property
    def untruncated(self) -> "TruncatedGaussianMultiplier":
        return replace(self, cutoff=math.inf)

    @property
    def dims(self) -> frozenset[int]:
        return frozenset({self.dim})

    def _transform(self, waves: Float[Tensor, "modes"]) -> Float[Tensor, "modes"]:
        phase = waves.max().item() * self.radius
        if phase > PHASE * MOST_PANELS or self.radius > MOST_WIDTHS * self.width:
            raise ValueError(
                f"A Gaussian of width {self.width:g} that ends at {self.radius:g} is integrated to "
                f"wave numbers of {PHASE * MOST_PANELS / self.radius:g}, and to radii of "
                f"{MOST_WIDTHS} widths; got {waves.max().item():g}. Take a smaller cut-off or "
                "radius, or gaussian_mollifier."
            )
        panels = 1 + math.ceil(max(phase / PHASE, 0.5 * self.radius / self.width))
        angles, weights = (rule.to(waves) for rule in quarter_circle(panels))
        masses = weights * angles.cos() * self._marginal(angles)
        points, masses = self.radius * angles.sin(), masses / masses.sum()
        parts = waves.split(max(1, CHUNK // len(points)))
        return torch.cat([(part.unsqueeze(-1) * points).cos() @ masses for part in parts])

    def _marginal(self, angles: Float[Tensor, "nodes"]) -> Float[Tensor, "nodes"]:
        ratio = self.radius / (math.sqrt(2.0) * self.width)
        gaussian = (-((ratio * angles.sin()) ** 2)).exp()
        if self.dim == 1:
            return gaussian
        if self.dim == 2:
            return gaussian * torch.erf(ratio * angles.cos())
        return gaussian * -torch.expm1(-((ratio * angles.cos()) ** 2))


def edge_cutoff(width: float, radius: float, dim: int) -> float:
    r"""A wave number beyond which less than a thousandth of the variance of the noise lies.

    Beyond the Gaussian itself, which ends at :math:`8/s`, what is left is the jump's: the part
    above :math:`\omega` is the sphere's area times the jump squared over :math:`\pi\omega`.
    """
    sphere = 2.0 * math.pi ** (0.5 * dim) / math.gamma(0.5 * dim) * radius ** (dim - 1)
    jump = math.exp(-((radius / width) ** 2)) / (math.pi * width**2) ** (0.5 * dim)
    return max(8.0 / width, sphere * jump / (math.pi * LEFT_OUT))


@functools.cache
def quarter_circle(panels: int) -> tuple[Tensor, Tensor]:
    """Gauss–Legendre nodes and weights on [0, π/2], in equal panels."""
    nodes, weights = (torch.from_numpy(a) for a in np.polynomial.legendre.leggauss(NODES))
    starts = torch.arange(panels, dtype=torch.float64).unsqueeze(-1)
    angles = (starts + 0.5 + 0.5 * nodes).flatten() * (0.5 * math.pi / panels)
    return angles, weights.repeat(panels) * (0.25 * math.pi / panels)
