r"""Pseudoinverse guidance: the covariance of a guess instead of the posterior's.

.. math:: z = (\tau^2 + r_t^2\, B C B^*)^{-1} r, \qquad
          r_t^2 = \frac{\varsigma\,\sigma^2}{\varsigma\,\alpha^2 + \sigma^2}.

:math:`r_t^2\,C` is the covariance of :math:`S x_0` given the state for data of the covariance
:math:`\varsigma\,C`; with :math:`\varsigma = 1` it is the published :math:`\sigma^2/(\alpha^2 +
\sigma^2)`, for data as large as the noise in each mode. Where data are larger than that the guess
is too narrow, and the estimate overshoots. The inverse needs no pullback through the denoiser, so
one call and one pullback are all.

References:
    J. Song et al., "Pseudoinverse-guided diffusion models for inverse problems", ICLR 2023.
"""

from dataclasses import dataclass
from typing import final

from jaxtyping import Float
from torch import Tensor

from inftydiff._components import component
from inftydiff._typing import Real, positive, whole
from inftydiff.processes._checks import MOST_ITERATIONS
from inftydiff.processes.guidance._conjugate_residuals import conjugate_residuals
from inftydiff.processes.guidance.linearisation import Linearisation, a_linearisation
from inftydiff.processes.observation import Observation, an_observation

__all__ = ["PiGDM"]


@component("guide", "pigdm")
@final
@dataclass(frozen=True)
class PiGDM:
    r"""The guide with the covariance :math:`r_t^2\,C`.

    Args:
        iterations: at most so many iterations of conjugate residuals, which are cheap.
        tolerance: the residual to stop at, as a part of the norm of :math:`r`.
        signal_to_noise: the ratio :math:`\varsigma` of the variances of the data's coefficients to
            the noise's; that of the lowest modes is safe.

    Raises:
        ValueError: if a number is not above zero.
    """

    iterations: int = 200
    tolerance: Real = 1e-4
    signal_to_noise: Real = 1.0

    def __post_init__(self) -> None:
        iterations = whole(self.iterations, "A number of iterations", most=MOST_ITERATIONS)
        object.__setattr__(self, "iterations", iterations)
        object.__setattr__(self, "tolerance", positive(self.tolerance, "A tolerance"))
        ratio = positive(self.signal_to_noise, "A ratio of signal to noise")
        object.__setattr__(self, "signal_to_noise", ratio)

    @property
    def strength(self) -> None:
        """None: there is nothing to choose."""

    def check(self, observation: Observation) -> None:
        an_observation(observation).require_noise("Pseudoinverse guidance")

    def gradient(self, at: Linearisation) -> Float[Tensor, "batch m channels"]:
        a_linearisation(at)
        variance = float(at.observation.noise_std) ** 2
        ratio = float(self.signal_to_noise)
        guess = ratio * at.sigma**2 / (ratio * at.alpha**2 + at.sigma**2)

        def product(z: Tensor) -> Tensor:
            return variance * z + at.read(at.covariance(at.read_back(z)) * guess)

        z, _ = conjugate_residuals(
            product, at.residual, iterations=self.iterations, tolerance=float(self.tolerance)
        )
        return z
