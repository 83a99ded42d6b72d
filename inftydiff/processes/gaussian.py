r"""Gaussian measures given by a mean and a factor of the covariance.

:math:`\mathcal N(\mu, F F^*)`, where :math:`F` is a linear operator that acts on white noise
:math:`\xi`: a sample is :math:`\mu + F\xi`. The measure lives on the function space; it is
sampled, and its covariance written out, on any discretisation.
"""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff.operators.discretisation import Discretisation, Subset
from inftydiff.operators.function import Function
from inftydiff.operators.linear import LinearOperator
from inftydiff.processes.noise import RandomField, WhiteNoise

__all__ = ["GaussianMeasure"]


@final
@dataclass(frozen=True, eq=False)
class GaussianMeasure:
    r"""The law of :math:`\mu + F\xi`.

    Args:
        mean: the mean :math:`\mu`, or None for zero.
        factor: the operator :math:`F`, with :math:`FF^*` (times the noise's intensity squared) the
            covariance.
        noise: the white noise :math:`\xi`.

    Example:
        >>> from inftydiff import Grid, gaussian_mollifier
        >>> measure = GaussianMeasure(None, gaussian_mollifier(0.1), WhiteNoise())
        >>> g = torch.Generator().manual_seed(0)
        >>> tuple(measure.sample(Grid((8,)), batch=4, channels=1, generator=g).values.shape)
        (4, 8, 1)
    """

    mean: Function | None
    factor: LinearOperator
    noise: WhiteNoise

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
        field = self.noise.draw(on.domain, batch=batch, channels=channels, generator=generator)
        if self.mean is None:
            return self.factor(field)(on, device=generator.device)
        mean = self.mean
        if isinstance(on, Subset) and mean.on != on:
            mean = mean.restrict(on)
        if mean.batch not in ((), (1,), (batch,)) or mean.channels != channels:
            raise ValueError(
                f"The mean has the batch {mean.batch} and {mean.channels} channels; asked for "
                f"{batch} samples of {channels} channels."
            )
        sample = self.factor(field)(on, dtype=mean.values.dtype, device=mean.values.device)
        return mean + sample

    def covariance(self, on: Discretisation) -> Float[Tensor, "*batch points points"]:
        """The covariance matrix of one channel's point values, float64.

        Returns:
            A matrix of shape ``(points, points)``, or ``(batch, points, points)`` if the factor has
            one scale a sample.

        Raises:
            ValueError: if the samples have no point values there.
        """
        unit = RandomField(
            seed=0, domain=on.domain, batch=1, channels=1, intensity=self.noise.intensity
        )
        return self.factor(unit).covariance(on)
