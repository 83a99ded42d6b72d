r"""Moment matching: the Gaussian with the posterior's own mean and covariance.

With :math:`V = \mathrm{Cov}[S x_0|x_t] = (\sigma^2/\alpha)\,C J^*`,

.. math:: p(y|x_t) \approx \mathcal N(y;\ B m(x_t),\ \tau^2 + B V B^*), \qquad
          z = (\tau^2 + B V B^*)^{-1} r,

so that the guided mean is that of the linear Gaussian model, :math:`m' = m + V B^* (\tau^2 + B V
B^*)^{-1} (y - B m)`: exact where the data are Gaussian. The inverse is applied by conjugate
residuals in the space of the observation; a product costs one pullback through the denoiser.

A network's derivative is neither symmetric nor bounded by the data's covariance, above all where
:math:`\alpha` is small and its errors are :math:`\sigma^2/\alpha` times enlarged. So :math:`z` is
multiplied by the number in [0, 1] that takes the residual :math:`r - B V B^* z` to its least. With
an exact denoiser that number is one: the estimate always stops short of the observation.

References:
    F. Rozet et al., "Learning diffusion priors from observations by expectation maximization",
    NeurIPS 2024.
"""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._typing import Real, positive, whole
from inftydiff.processes.guidance.conjugate_residuals import conjugate_residuals
from inftydiff.processes.guidance.linearisation import Linearisation
from inftydiff.processes.observation import Observation

__all__ = ["MomentMatching"]


@final
@dataclass(frozen=True)
class MomentMatching:
    r"""The guide with the covariance that Tweedie's formula gives.

    Args:
        iterations: at most so many iterations of conjugate residuals, each a pullback through the
            denoiser.
        tolerance: the residual to stop at, as a part of the norm of :math:`r`.

    Raises:
        ValueError: if a number is not above zero.
    """

    iterations: int = 15
    tolerance: Real = 1e-3

    def __post_init__(self) -> None:
        object.__setattr__(self, "iterations", whole(self.iterations, "A number of iterations"))
        object.__setattr__(self, "tolerance", positive(self.tolerance, "A tolerance"))

    @property
    def strength(self) -> None:
        """None: there is nothing to choose."""

    def check(self, observation: Observation) -> None:
        observation.require_noise("Moment matching")

    def weigh(self, at: Linearisation) -> Float[Tensor, "batch m channels"]:
        variance = float(at.observation.noise_std) ** 2

        def product(z: Tensor) -> Tensor:
            return variance * z + at.read(at.shift(at.pullback(z)))

        z, image = conjugate_residuals(
            product, at.residual, iterations=self.iterations, tolerance=float(self.tolerance)
        )
        change = image - variance * z
        along = (at.residual * change).sum((-2, -1), keepdim=True)
        square = change.square().sum((-2, -1), keepdim=True)
        return torch.where(square > 0.0, along / square, 1.0).clamp(0.0, 1.0) * z
