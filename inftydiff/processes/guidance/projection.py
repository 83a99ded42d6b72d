r"""Projection onto what was observed, without gradients of the denoiser.

.. math:: m' = m + r_t^2\, C B^* (\tau^2 + r_t^2\, B C B^*)^{-1} (y - B m), \qquad
          r_t^2 = \frac{\sigma^2}{\alpha^2 + \sigma^2},

with :math:`B = A D`, the observation's map from signals. It is the mean of :math:`S x_0` given the
values if the law given the state alone were :math:`\mathcal N(m, r_t^2 C)`: ΠGDM's covariance, of
which ΠGDM takes the pullback through the denoiser, and this does not. Without errors it is the
nearest signal, in the norm of :math:`C^{-1}`, that has the values; what they do not say stays what
the denoiser said.

So a step costs one call of the denoiser and cannot diverge: the residual shrinks, whatever the
network. It is biased on Gaussian data, where :class:`MomentMatching` is exact. With networks the
derivatives of a denoiser near :math:`t = 1`, which Tweedie's formula multiplies by
:math:`\sigma^2/\alpha`, are errors for the most part, and what needs none of them is the safer one.

References:
    Y. Wang, J. Yu and J. Zhang, "Zero-shot image restoration using denoising diffusion null-space
    model", ICLR 2023. J. Song et al., "Pseudoinverse-guided diffusion models for inverse problems",
    ICLR 2023.
"""

from dataclasses import dataclass, field
from typing import final

from jaxtyping import Float
from torch import Tensor

from inftydiff._typing import Real, instance, positive, whole
from inftydiff.operators.function import Function
from inftydiff.operators.functionals import Functionals
from inftydiff.processes._checks import MOST_ITERATIONS, one_a_sample, states
from inftydiff.processes.denoiser import Denoiser, asked, check_denoiser
from inftydiff.processes.diffusion import DiffusionProcess
from inftydiff.processes.guidance._conjugate_residuals import conjugate_residuals
from inftydiff.processes.guidance.linearisation import NoiseCovariance
from inftydiff.processes.observation import Observation
from inftydiff.processes.parameterisation import Prediction, noise_from_signal

__all__ = ["ProjectedDenoiser", "Projection"]


@final
@dataclass(frozen=True)
class Projection:
    """The settings of the projection of estimates.

    Args:
        iterations: at most so many conjugate residual iterations, which do not ask the denoiser.
        tolerance: the residual to stop at, as a part of the norm of what is missed.

    Raises:
        ValueError: if a number is not above zero.
    """

    iterations: int = 50
    tolerance: Real = 1e-3

    def __post_init__(self) -> None:
        iterations = whole(self.iterations, "A number of iterations", most=MOST_ITERATIONS)
        object.__setattr__(self, "iterations", iterations)
        object.__setattr__(self, "tolerance", positive(self.tolerance, "A tolerance"))


@final
@dataclass(frozen=True, eq=False)
class ProjectedDenoiser:
    """A denoiser whose estimates are projected onto what was observed.

    Args:
        projection: how.
        denoiser: the denoiser, of a process with one signal operator for all times; nothing of it
            is differentiated.
        observation: a linear observation with errors, of functions on the grid that is sampled on.

    Raises:
        TypeError: if the signal operator changes with time.
        ValueError: if the observation has no errors, or is not linear.
    """

    projection: Projection
    denoiser: Denoiser
    observation: Observation
    _covariance: NoiseCovariance = field(init=False, repr=False)

    def __post_init__(self) -> None:
        instance(self.projection, Projection, "A projection", "Pass Projection().")
        check_denoiser(self.denoiser).process.constant_signal  # noqa: B018
        instance(self.observation, Observation, "An observation", "Make one by observe(…).")
        self.observation.require_noise("Projection")
        if not isinstance(self.observation.reads, Functionals):
            raise ValueError(
                "Projection is for linear observations; got "
                f"{type(self.observation.reads).__name__}. Take MomentMatching()."
            )
        object.__setattr__(self, "_covariance", NoiseCovariance(self.process))

    @property
    def process(self) -> DiffusionProcess:
        """The process of the denoiser."""
        return self.denoiser.process

    def __call__(self, x_t: Function, t: Float[Tensor, "batch"]) -> Prediction:
        """The projected estimates.

        The estimate of x0, where there is one, moves by what D makes of the signal's change.

        Args:
            x_t: the states, values of shape ``(batch, points, channels)`` on a full grid.
            t: their times in (0, 1], of shape ``(batch,)``.

        Raises:
            ValueError: if the states do not live on a grid, or the observation cannot read them.
        """
        states(x_t, "The states, x_t,")
        one_a_sample(t, x_t, "The times, t,")
        covariance, seen = self._covariance(x_t.on), self.observation
        alpha, sigma = (
            self.process.schedule.alpha(t.double()),
            self.process.schedule.sigma(t.double()),
        )
        guess = sigma**2 / (alpha**2 + sigma**2)
        found = asked(self.denoiser, x_t, t)
        reading = seen.read(found)
        reads = seen.reads
        assert isinstance(reads, Functionals)

        def back(z: Tensor) -> Function:
            return covariance(seen.deconvolve.adjoint(reads.adjoint(z))) * guess

        def product(z: Tensor) -> Tensor:
            return float(seen.noise_std) ** 2 * z + reads(seen.deconvolve(back(z)))

        z, _ = conjugate_residuals(
            product,
            seen.values.to(reading).expand_as(reading) - reading,
            iterations=self.projection.iterations,
            tolerance=float(self.projection.tolerance),
        )
        shift = back(z)
        signal, clean = found.signal + shift, found.clean
        if clean is not None:
            clean = clean + seen.deconvolve(shift)
        noise = noise_from_signal(x_t, signal, alpha=alpha, sigma=sigma)
        return Prediction(signal, noise, clean)
