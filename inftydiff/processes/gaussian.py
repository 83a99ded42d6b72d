r"""Gaussian measures given by a mean and a factor of the covariance.

:math:`\mathcal N(\mu, F F^*)`, where :math:`F` is a linear operator that acts on white noise
:math:`\xi`: a sample is :math:`\mu + F\xi`. The measure lives on the function space; it is
sampled, and its covariance written out, on any discretisation. Its image under a spectral operator
:math:`A` is :math:`\mathcal N(A\mu, A F F^* A^*)`.
"""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._typing import Real, generator_for, instance
from inftydiff.operators.discretisation import Discretisation, Grid, Subset, described
from inftydiff.operators.domain import Domain
from inftydiff.operators.function import Function
from inftydiff.operators.linear import Field, LinearOperator
from inftydiff.processes._checks import (
    a_function,
    a_grid,
    a_place,
    an_operator,
    channel_count,
    conforming,
    samples,
)
from inftydiff.processes.conditioning import ConditionedMeasure
from inftydiff.processes.noise import Noise
from inftydiff.processes.spectra import multiplier_of

__all__ = ["GaussianMeasure", "a_measure"]


@final
@dataclass(frozen=True)
class GaussianMeasure:
    r"""The law of :math:`\mu + F\xi`.

    Args:
        mean: the mean :math:`\mu`, or None for zero.
        factor: the operator :math:`F`, with :math:`FF^*` (times the noise's intensity squared) the
            covariance.
        noise: the noise :math:`\xi`, as a rule white.

    Example:
        >>> from inftydiff import Grid, WhiteNoise, gaussian_mollifier
        >>> measure = GaussianMeasure(None, gaussian_mollifier(0.1), WhiteNoise())
        >>> g = torch.Generator().manual_seed(0)
        >>> tuple(measure.sample(Grid((8,)), batch=4, channels=1, generator=g).values.shape)
        (4, 8, 1)
    """

    mean: Function | None
    factor: LinearOperator
    noise: Noise

    def __post_init__(self) -> None:
        if self.mean is not None:
            a_function(self.mean, "The mean of a Gaussian measure, unless None,")
        an_operator(self.factor, "The factor of a Gaussian measure")
        conforming(self.noise, Noise, "The noise of a Gaussian measure", "Pass WhiteNoise().")

    def sample(
        self, on: Discretisation, *, batch: int, channels: int, generator: torch.Generator
    ) -> Function:
        """Draw independent samples.

        Args:
            on: where the samples are wanted; where the mean lives, or a subset of it.
            batch: the number of samples.
            channels: the number of channels, each with noise of its own.
            generator: the source of randomness.

        Returns:
            A function with values of shape ``(batch, points, channels)``, in the mean's dtype and
            place, else in torch's default dtype on the generator's device.

        Raises:
            ValueError: if the mean lives elsewhere, or has another batch or other channels.
        """
        mean = self.mean_on(on)
        samples(batch)
        channel_count(channels)
        generator_for(generator, "GaussianMeasure.sample")
        field = self.draw(on.domain, batch=batch, channels=channels, generator=generator)
        if mean is None:
            return field(on, device=generator.device)
        if mean.batch not in ((), (1,), (batch,)) or mean.channels != channels:
            raise ValueError(
                f"The mean has the batch {mean.batch} and {mean.channels} channels; asked for "
                f"{batch} samples of {channels} channels."
            )
        return mean + field(on, dtype=mean.values.dtype, device=mean.values.device)

    def draw(
        self, domain: Domain, *, batch: int, channels: int, generator: torch.Generator
    ) -> Field:
        r"""Draw the random part :math:`F\xi` of samples, to be read on any discretisations.

        Args:
            domain: where the noise lives.
            batch: the number of samples.
            channels: the number of channels, each with noise of its own.
            generator: the source of randomness.
        """
        return self.factor(
            self.noise.draw(domain, batch=batch, channels=channels, generator=generator)
        )

    def mean_on(self, on: Discretisation) -> Function | None:
        """The mean on the discretisation where it lives, or on a subset of it; None for zero.

        Raises:
            ValueError: if the mean lives elsewhere.
        """
        a_place(on)
        if self.mean is None or self.mean.on == on:
            return self.mean
        if isinstance(on, Subset):
            return self.mean.restrict(on)
        raise ValueError(
            f"The mean lives on another discretisation, {described(self.mean.on)}, than was asked "
            f"for, {described(on)}. "
            "Interpolate it first, or take the measure without a mean and add the mean after."
        )

    def covariance(
        self, on: Discretisation, other: Discretisation | None = None
    ) -> Float[Tensor, "*batch points others"]:
        """The covariance matrix of one channel's values, float64.

        Args:
            on: where the values of the rows are read.
            other: where those of the columns are read; by default the same.

        Returns:
            A matrix of shape ``(points, others)``, with a batch axis in front if the factor has one
            scale a sample or a discretisation one set of points a sample.

        Raises:
            ValueError: if the samples have no point values there.
        """
        a_place(on)
        return self._unit(on.domain).covariance(on, other)

    def mode_variances(self, grid: Grid) -> Float[Tensor, "*batch_shape"]:
        r"""The variances of the coefficients on a grid, where the covariance is diagonal; float64.

        The coefficients are those of the values in the grid's eigenbasis, times the root of the
        cell volume, so that their squares add up to the norm's.

        Returns:
            A tensor of the grid's shape, or ``(batch, *shape)`` if they differ by sample.

        Example:
            >>> from inftydiff import Identity, WhiteNoise
            >>> GaussianMeasure(None, Identity(), WhiteNoise(3.0)).mode_variances(Grid((2,)))
            tensor([9., 9.], dtype=torch.float64)
        """
        a_grid(grid, "The grid")
        return self._unit(grid.domain).mode_variances(grid)

    def pushforward(self, operator: LinearOperator) -> "GaussianMeasure":
        r"""The image :math:`\mathcal N(A\mu, A F F^* A^*)` under a spectral operator :math:`A`.

        Args:
            operator: the operator :math:`A`; if there is a mean, the mean lives on a full grid.

        Raises:
            TypeError: if the operator is not spectral.
            ValueError: if the mean does not live on a grid.

        Example:
            >>> from inftydiff import Identity, WhiteNoise
            >>> measure = GaussianMeasure(None, Identity(), WhiteNoise())
            >>> measure.pushforward(3.0 * Identity()).mode_variances(Grid((2,)))
            tensor([9., 9.], dtype=torch.float64)
        """
        an_operator(operator, "What pushes a measure forward")
        try:
            multiplier_of(operator)
        except TypeError as error:
            raise TypeError(
                "A Gaussian measure is pushed forward by a spectral operator; got "
                f"{type(operator).__name__}. Sample the measure and apply the operator to the "
                "samples, or condition it on the values that the operator reads."
            ) from error
        mean = None if self.mean is None else operator(self.mean)
        return GaussianMeasure(mean, operator @ self.factor, self.noise)

    def condition(self, observed: Function, *, noise_std: Real) -> ConditionedMeasure:
        r"""The law of the function, given some of its values: the Gaussian process posterior.

        Args:
            observed: values :math:`y = f(X) + \varepsilon`, of shape ``(*batch, points, channels)``
                with at most one batch axis.
            noise_std: the standard deviation of the independent errors :math:`\varepsilon`, or 0.

        Raises:
            ValueError: if the deviation is below zero, the measure has no values at the points, or
                the covariance of the observations is not positive.

        Example:
            >>> from inftydiff import Scattered, WhiteNoise, gaussian_mollifier
            >>> measure = GaussianMeasure(None, gaussian_mollifier(0.1), WhiteNoise())
            >>> points = Scattered(torch.tensor([[0.2], [0.6]]))
            >>> seen = Function(points, torch.tensor([[1.0], [-1.0]]))
            >>> measure.condition(seen, noise_std=0.0).mean_on(points).values.flatten()
            tensor([ 1., -1.])
        """
        return ConditionedMeasure(self, observed, noise_std)

    def _unit(self, domain: Domain) -> Field:
        """One sample of one channel, for its law and not its values."""
        return self.draw(domain, batch=1, channels=1, generator=torch.Generator().manual_seed(0))


def a_measure(measure: GaussianMeasure, name: str = "A measure") -> GaussianMeasure:
    """Return ``measure``, refusing what is no Gaussian measure.

    Raises:
        TypeError: if it is another thing.
    """
    return instance(
        measure, GaussianMeasure, name, "Make one: GaussianMeasure(None, factor, noise)."
    )
