r"""Moment matching: the Gaussian with the posterior's own mean and covariance.

With :math:`V = \mathrm{Cov}[S x_0|x_t] = (\sigma^2/\alpha)\,C J^*`,

.. math:: p(y|x_t) \approx \mathcal N(y;\ B m(x_t),\ \tau^2 + B V B^*), \qquad
          z = (\tau^2 + B V B^*)^{-1} r,

so that the guided mean is that of the linear Gaussian model, :math:`m' = m + V B^* (\tau^2 + B V
B^*)^{-1} (y - B m)`: exact where the data are Gaussian. The inverse is applied by conjugate
gradients for the function, whose number does not depend on the grid; each costs one pullback
through the denoiser. They stop where the mean is off, at any point, by no more than a small part of
the standard deviation that is left there given state and values.

A network's derivative is neither symmetric nor bounded by the data's covariance, above all where
:math:`\alpha` is small and its errors are :math:`\sigma^2/\alpha` times enlarged. So :math:`z` is
multiplied by the number in [0, 1] that takes the residual :math:`r - B V B^* z` to its least. With
an exact denoiser that number is one, after any number of iterations: with :math:`K = B V B^*`, what
they leave of :math:`r - (\tau^2 + K) z` is orthogonal to :math:`K z`, so :math:`⟨r - K z, K z⟩ =
\tau^2 ⟨z, K z⟩ \ge 0`.

References:
    F. Rozet et al., "Learning diffusion priors from observations by expectation maximization",
    NeurIPS 2024.
"""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._components import component
from inftydiff._typing import Real, positive, whole
from inftydiff.processes._checks import MOST_ITERATIONS
from inftydiff.processes.guidance._conjugate_gradients import conjugate_gradients
from inftydiff.processes.guidance.linearisation import Linearisation, a_linearisation
from inftydiff.processes.observation import Observation, an_observation

__all__ = ["MomentMatching"]


@component("guide", "moment_matching")
@final
@dataclass(frozen=True)
class MomentMatching:
    r"""The guide with the covariance that Tweedie's formula gives.

    Args:
        iterations: at most so many pullbacks through the denoiser, besides that of the guide: the
            bound of a step's cost.
        tolerance: the error of the guided mean to stop at, in standard deviations of what is left
            given the state and the values.

    Raises:
        ValueError: if a number is not above zero.
    """

    iterations: int = 50
    tolerance: Real = 1e-3

    def __post_init__(self) -> None:
        iterations = whole(self.iterations, "A number of iterations", most=MOST_ITERATIONS)
        object.__setattr__(self, "iterations", iterations)
        object.__setattr__(self, "tolerance", positive(self.tolerance, "A tolerance"))

    @property
    def strength(self) -> None:
        """None: there is nothing to choose."""

    def check(self, observation: Observation) -> None:
        an_observation(observation).require_noise("Moment matching")

    def gradient(self, at: Linearisation) -> Float[Tensor, "batch m channels"]:
        a_linearisation(at)
        variance = float(at.observation.noise_std) ** 2

        def covariance(z: Tensor) -> Tensor:
            return at.read(at.shift(at.pullback(z)))

        z, change = conjugate_gradients(
            covariance,
            at.residual,
            variance=variance,
            iterations=self.iterations,
            tolerance=float(self.tolerance),
        )
        along = (at.residual * change).sum((-2, -1), keepdim=True)  # (batch, 1, 1)
        square = change.square().sum((-2, -1), keepdim=True)
        return torch.where(square > 0.0, along / square, 1.0).clamp(0.0, 1.0) * z
