r"""The paper's numbers at neighbouring times, and Gaussian laws, for the tests of its equations.

In its notation :math:`\bar\alpha_t = \alpha(t)^2`, :math:`\beta_t = 1 - \alpha_t` with
:math:`\alpha_t = \bar\alpha_t/\bar\alpha_{t-1}`, and :math:`\sigma_t^2` is :math:`\tilde\beta_t` or
:math:`\beta_t`.
"""

from typing import NamedTuple

import torch
from hypothesis import strategies as st
from torch import Generator, Tensor

from inftydiff import (
    DDPM,
    CosineSchedule,
    DiffusionProcess,
    Function,
    GaussianMeasure,
    Grid,
    LinearOperator,
    LinearSchedule,
    WhiteNoise,
)
from inftydiff.processes import Denoiser
from inftydiff.testing.strategies import seeds

__all__ = [
    "NOISE",
    "Paper",
    "close",
    "log_density",
    "mean_of_step",
    "normal",
    "settings",
    "variances",
]

NOISE = WhiteNoise(0.7)

variances = st.sampled_from(["posterior", "transition"])
"""The two choices of the variance of a step."""


class Paper(NamedTuple):
    """The paper's numbers at one index; each a tensor of one number."""

    t: Tensor
    s: Tensor
    alpha_bar: Tensor
    alpha_bar_before: Tensor
    alpha: Tensor
    beta: Tensor

    @staticmethod
    def at(schedule, t: Tensor, s: Tensor) -> "Paper":
        """Those of a step from t to s, each of shape (1,)."""
        alpha_bar, before = schedule.alpha(t) ** 2, schedule.alpha(s) ** 2
        alpha = alpha_bar / before
        return Paper(t, s, alpha_bar, before, alpha, 1 - alpha)

    @property
    def beta_tilde(self) -> Tensor:
        """The posterior's variance."""
        return (1 - self.alpha_bar_before) / (1 - self.alpha_bar) * self.beta

    @property
    def state(self) -> Tensor:
        """The weight of the state in the posterior's mean."""
        return self.alpha.sqrt() * (1 - self.alpha_bar_before) / (1 - self.alpha_bar)

    @property
    def signal(self) -> Tensor:
        """The weight of the signal in the posterior's mean."""
        return self.alpha_bar_before.sqrt() * self.beta / (1 - self.alpha_bar)

    def variance(self, kind: str) -> Tensor:
        """The variance of a step."""
        return self.beta_tilde if kind == "posterior" else self.beta


@st.composite
def settings(draw: st.DrawFn, mollifier: LinearOperator):
    """A mollified process, the paper's numbers at one of a thousand steps, and a generator."""
    schedule = draw(st.sampled_from([CosineSchedule(), LinearSchedule()]))
    index = draw(st.integers(2, 1000))
    t, s = (torch.tensor([i / 1000], dtype=torch.float64) for i in (index, index - 1))
    process = DiffusionProcess.mollified(schedule, mollifier, noise=NOISE)
    return process, Paper.at(schedule, t, s), Generator().manual_seed(draw(seeds()))


def normal(g: Generator, grid: Grid, batch: int = 1, channels: int = 1) -> Tensor:
    """Independent values, of shape (batch, points, channels)."""
    return torch.randn(batch, grid.size, channels, generator=g, dtype=torch.float64)


def mean_of_step(denoiser: Denoiser, x_t: Function, paper: Paper, kind: str) -> Tensor:
    """The values of a step of DDPM, less the noise that it adds."""
    g = Generator().manual_seed(0)
    state = g.get_state()
    step = DDPM(kind).step(denoiser, x_t, paper.t, paper.s, generator=g)
    g.set_state(state)
    noise = denoiser.process.draw_noise(
        x_t.on, batch=x_t.batch[0], channels=x_t.channels, generator=g, dtype=torch.float64
    )
    return step.values - paper.variance(kind).sqrt() * noise.values


def log_density(law: GaussianMeasure, values: Tensor) -> Tensor:
    """The density of values, of shape (batch, points, channels), in Lebesgue's sense."""
    covariance = law.covariance(law.mean.on).unsqueeze(-3)
    normal_law = torch.distributions.MultivariateNormal(law.mean.values.mT, covariance)
    return normal_law.log_prob(values.mT).sum(-1)


def close(found: Tensor, expected: Tensor, rtol: float = 1e-8) -> None:
    """Assert that they are equal, relative to the largest."""
    scale = expected.abs().max().item()
    torch.testing.assert_close(found, expected, rtol=0, atol=rtol * scale)
