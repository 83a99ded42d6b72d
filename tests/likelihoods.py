"""Closed forms for the tests of likelihood and evidence bound: Gaussian data, and any mixture."""

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from inftydiff import DiffusionProcess, Function, GaussianMeasure, Grid, Prediction
from inftydiff.operators.basis import eigenbasis

__all__ = ["DenseMixture", "gaussian_log_density", "ratios", "snr", "whitened"]


def snr(process: DiffusionProcess, time: float) -> float:
    """The ratio α²/σ² at a time."""
    t = torch.tensor(time, dtype=torch.float64)
    return (process.schedule.alpha(t) / process.schedule.sigma(t)).square().item()


def ratios(process: DiffusionProcess, data: GaussianMeasure, grid: Grid) -> Tensor:
    """The ratios P/V of the variances of the modes of S x0 and Nξ."""
    signal = GaussianMeasure(None, process.signal @ data.factor, data.noise)
    noise = GaussianMeasure(None, process.noise_factor, process.noise)
    return signal.mode_variances(grid) / noise.mode_variances(grid)


def whitened(process: DiffusionProcess, x: Function, time: float) -> Tensor:
    """The coordinates of states that are standard normal under their noise's law."""
    noise = GaussianMeasure(None, process.noise_factor, process.noise).mode_variances(x.on)
    sigma = process.schedule.sigma(torch.tensor(time, dtype=torch.float64))
    modes = eigenbasis(x.on.domain).analysis(x.to_image()) * x.on.cell_volume**0.5
    return modes / (sigma * noise.sqrt())


def gaussian_log_density(
    process: DiffusionProcess,
    data: GaussianMeasure,
    x: Function,
    time: float,
    *,
    begun: float = 0.0,
) -> Tensor:
    """Of the law that the flow carries from the noise's, at an SNR of ``begun``, to a time."""
    rho = ratios(process, data, x.on)
    shrunk = (1.0 + rho * begun) / (1.0 + rho * snr(process, time))
    terms = whitened(process, x, time) ** 2 * (1.0 - shrunk) + shrunk.log()
    return 0.5 * terms.flatten(1).sum(-1)


@final
@dataclass(frozen=True, eq=False)
class DenseMixture:
    """Data S x0 from a mixture of Gaussians with any covariances, and its denoiser by Tweedie.

    Args:
        process: the process.
        grid: where the values are.
        weights: of shape ``(components,)``.
        means: of shape ``(components, points · channels)``.
        covariances: of shape ``(components, points · channels, points · channels)``.
    """

    process: DiffusionProcess
    grid: Grid
    weights: Tensor
    means: Tensor
    covariances: Tensor

    def noise(self) -> Tensor:
        """The covariance of Nξ, channels independent."""
        noise = GaussianMeasure(None, self.process.noise_factor, self.process.noise)
        channels = self.means.shape[1] // self.grid.size
        return torch.kron(noise.covariance(self.grid), torch.eye(channels, dtype=torch.float64))

    def log_density(self, values: Tensor, alpha: Tensor, sigma: Tensor) -> Tensor:
        """The log-density in Lebesgue's sense of states of shape ``(batch, points · channels)``."""
        covariances = alpha**2 * self.covariances + sigma**2 * self.noise()
        parts = torch.distributions.MultivariateNormal(alpha * self.means, covariances)
        return torch.logsumexp(parts.log_prob(values.unsqueeze(1)) + self.weights.log(), -1)

    def relative_log_density(self, x: Function, time: float) -> Tensor:
        """The log-density of states relative to the law of their noise."""
        t = torch.tensor(time, dtype=torch.float64)
        alpha, sigma = self.process.schedule.alpha(t), self.process.schedule.sigma(t)
        noise = torch.distributions.MultivariateNormal(
            torch.zeros(self.means.shape[1], dtype=torch.float64), sigma**2 * self.noise()
        )
        values = x.values.flatten(1)
        return self.log_density(values, alpha, sigma) - noise.log_prob(values)

    def __call__(self, x_t: Function, t: Tensor) -> Prediction:
        """The conditional means of signal and noise, differentiable in the state."""
        alpha, sigma = self.process.schedule.alpha(t[0]), self.process.schedule.sigma(t[0])
        with torch.enable_grad():
            values = x_t.values.flatten(1)
            values = values if values.requires_grad else values.requires_grad_()
            log_density = self.log_density(values, alpha, sigma).sum()
            (score,) = torch.autograd.grad(log_density, values, create_graph=True)
        noise = -sigma * score @ self.noise()
        signal = (values - sigma * noise) / alpha
        return Prediction(*(Function(x_t.on, v.view_as(x_t.values)) for v in (signal, noise)))
