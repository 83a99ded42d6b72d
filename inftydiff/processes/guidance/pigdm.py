r"""Pseudoinverse guidance: the covariance of a guess instead of the posterior's.

.. math:: z = (\tau^2 + r_t^2\, B C B^*)^{-1} r, \qquad
          r_t^2 = \frac{\sigma^2}{\alpha^2 + \sigma^2}.

:math:`r_t^2\,C` is the covariance of :math:`S x_0` given the state for data with the covariance of
the noise. The inverse needs no pullback through the denoiser, so one call and one pullback are all.

References:
    J. Song et al., "Pseudoinverse-guided diffusion models for inverse problems", ICLR 2023.
"""

from dataclasses import dataclass
from typing import final

from jaxtyping import Float
from torch import Tensor

from inftydiff._typing import Real, positive, whole
from inftydiff.processes.guidance.conjugate_gradients import conjugate_gradients
from inftydiff.processes.guidance.linearisation import Linearisation
from inftydiff.processes.observation import Observation

__all__ = ["PiGDM"]


@final
@dataclass(frozen=True)
class PiGDM:
    r"""The guide with the covariance :math:`r_t^2\,C`.

    Args:
        iterations: at most so many conjugate gradient iterations, which are cheap.
        tolerance: the residual to stop at, as a part of the norm of :math:`r`.

    Raises:
        ValueError: if a number is not above zero.
    """

    iterations: int = 200
    tolerance: Real = 1e-4

    def __post_init__(self) -> None:
        object.__setattr__(self, "iterations", whole(self.iterations, "A number of iterations"))
        object.__setattr__(self, "tolerance", positive(self.tolerance, "A tolerance"))

    @property
    def strength(self) -> None:
        """None: there is nothing to choose."""

    def check(self, observation: Observation) -> None:
        observation.require_noise("Pseudoinverse guidance")

    def weigh(self, at: Linearisation) -> Float[Tensor, "batch m channels"]:
        variance = float(at.observation.noise_std) ** 2
        guess = at.sigma**2 / (at.alpha**2 + at.sigma**2)

        def product(z: Tensor) -> Tensor:
            return variance * z + at.read(at.covariance(at.read_back(z)) * guess)

        z, _ = conjugate_gradients(
            product, at.residual, iterations=self.iterations, tolerance=float(self.tolerance)
        )
        return z
