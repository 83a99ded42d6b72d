r"""Oracles: data of a known law, with the denoiser that no network can better.

If :math:`x_0` is a centred Gaussian with independent coefficients in the Laplacian's eigenbasis,
and :math:`S` and :math:`N` are spectral, then mode by mode, with :math:`P` and :math:`V` the
variances of the modes of :math:`S x_0` and :math:`N\xi`,

.. math:: E[S x_0 | x_t] = \frac{\alpha P}{\alpha^2 P + \sigma^2 V}\, x_t, \qquad
          E[N\xi | x_t] = \frac{\sigma V}{\alpha^2 P + \sigma^2 V}\, x_t.
"""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff.operators import Function, LinearOperator, Multiplier, SpectralOperator
from inftydiff.operators.domain import unit_box
from inftydiff.processes import DiffusionProcess, GaussianMeasure, Prediction, RandomField

__all__ = ["GaussianDenoiser"]


@final
@dataclass(frozen=True, eq=False)
class GaussianDenoiser:
    r"""The exact denoiser of Gaussian data, a linear operator for each time.

    It acts on functions on a grid, whose modes are taken for those of the function: exact on
    functions without modes above the grid's.

    Args:
        process: a process with spectral operators.
        data: the law of :math:`x_0`, with mean zero and a spectral factor.

    Raises:
        ValueError: if the data have a mean.
        TypeError: if an operator is not spectral.

    Example:
        >>> from inftydiff import CosineSchedule, Grid, Identity, WhiteNoise
        >>> process = DiffusionProcess.white(CosineSchedule())
        >>> denoiser = GaussianDenoiser(process, GaussianMeasure(None, Identity(), WhiteNoise()))
        >>> x_t, t = Function(Grid((4,)), torch.ones(1, 4, 1)), torch.tensor([0.5])
        >>> bool(denoiser(x_t, t).signal.values.allclose(process.schedule.alpha(t)))
        True
    """

    process: DiffusionProcess
    data: GaussianMeasure

    def __post_init__(self) -> None:
        if self.data.mean is not None:
            raise ValueError("GaussianDenoiser is for data of mean zero; subtract the mean first.")
        for operator in (self.process.signal, self.process.noise_factor, self.data.factor):
            _multiplier(operator)

    def __call__(self, x_t: Function, t: Float[Tensor, "batch"]) -> Prediction:
        """The conditional means of signal and noise."""
        alpha, sigma = (
            self.process.schedule.alpha(t.double()),
            self.process.schedule.sigma(t.double()),
        )
        factors = _Variances(
            signal=_multiplier(self.process.signal),
            data=_multiplier(self.data.factor),
            data_intensity=self.data.noise.intensity,
            noise=_multiplier(self.process.noise_factor),
            noise_intensity=self.process.noise.intensity,
        )
        signal = SpectralOperator(_Shrinkage(factors, alpha, sigma, noise=False))
        noise = SpectralOperator(_Shrinkage(factors, alpha, sigma, noise=True))
        return Prediction(signal(x_t), noise(x_t))


@final
@dataclass(frozen=True)
class _Variances:
    signal: Multiplier
    data: Multiplier
    data_intensity: float
    noise: Multiplier
    noise_intensity: float

    def __call__(self, eigenvalues: Tensor) -> tuple[Tensor, Tensor]:
        signal = self.signal(eigenvalues) * self.data(eigenvalues) * self.data_intensity
        noise = self.noise(eigenvalues) * self.noise_intensity
        return signal.square(), noise.square()


@final
@dataclass(frozen=True, eq=False)
class _Shrinkage(Multiplier):
    variances: _Variances
    alpha: Tensor
    sigma: Tensor
    noise: bool

    def __call__(self, eigenvalues: Tensor) -> Tensor:
        signal, noise = self.variances(eigenvalues)
        one_each = (-1, *(1,) * eigenvalues.ndim)
        alpha, sigma = self.alpha.reshape(one_each), self.sigma.reshape(one_each)
        total = alpha**2 * signal + sigma**2 * noise
        part = sigma * noise if self.noise else alpha * signal
        return torch.where(total > 0, part / total, 0.0)

    @property
    def bound(self) -> float:
        amplitude = self.sigma if self.noise else self.alpha
        return (1.0 / amplitude).max().item()

    def bandwidth(self, tolerance: float) -> float:
        return torch.inf


def _multiplier(operator: LinearOperator) -> Multiplier:
    """The multiplier of a spectral operator: its action on white noise."""
    white = RandomField(seed=0, domain=unit_box(1), batch=1, channels=1, intensity=1.0)
    field = operator(white)
    if not isinstance(field, RandomField):
        raise TypeError(
            f"{type(operator).__name__} does not act on random fields; use a spectral one."
        )
    return field.multiplier
