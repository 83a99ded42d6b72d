r"""Equations (11), (12), (14), (36), (39), (40), (44) and (45) of the paper, corrected where wrong.

Its notation for neighbouring times: :math:`\bar\alpha_t = \alpha(t)^2`, :math:`\alpha_t =
\bar\alpha_t/\bar\alpha_{t-1}`, :math:`\beta_t = 1 - \alpha_t`, :math:`\sigma_t^2` is
:math:`\tilde\beta_t` or :math:`\beta_t`, and :math:`T` the mollifier. Operators are dense matrices
here.
"""

from typing import NamedTuple

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inftydiff import (
    DDPM,
    CleanPrediction,
    CosineSchedule,
    DiffusionProcess,
    Function,
    Grid,
    LinearSchedule,
    NoisePrediction,
    WhiteNoise,
    as_denoiser,
    gaussian_mollifier,
)
from inftydiff.testing import matrix_of
from inftydiff.testing.strategies import seeds

GRID = Grid((5, 4))
T = gaussian_mollifier(0.12)
MATRIX = matrix_of(T, GRID)[0]
NOISE = WhiteNoise(0.7)


class Paper(NamedTuple):
    """The paper's numbers at one index."""

    t: torch.Tensor
    s: torch.Tensor
    alpha_bar: torch.Tensor
    alpha_bar_before: torch.Tensor
    alpha: torch.Tensor
    beta: torch.Tensor

    @property
    def beta_tilde(self) -> torch.Tensor:
        return (1 - self.alpha_bar_before) / (1 - self.alpha_bar) * self.beta


@st.composite
def settings(draw):
    """A schedule's process, the paper's numbers at an index, and a generator."""
    schedule = draw(st.sampled_from([CosineSchedule(), LinearSchedule()]))
    index = draw(st.integers(2, 1000))
    t = torch.tensor([index / 1000], dtype=torch.float64)
    s = torch.tensor([(index - 1) / 1000], dtype=torch.float64)
    alpha_bar, before = schedule.alpha(t) ** 2, schedule.alpha(s) ** 2
    alpha = alpha_bar / before
    process = DiffusionProcess.mollified(schedule, T, noise=NOISE)
    paper = Paper(t, s, alpha_bar, before, alpha, 1 - alpha)
    return process, paper, torch.Generator().manual_seed(draw(seeds()))


def draw(g: torch.Generator) -> torch.Tensor:
    """Independent values, of shape (1, points, 1)."""
    return torch.randn(1, GRID.size, 1, generator=g, dtype=torch.float64)


def ddpm_mean(process, denoiser, x_t, paper, variance="posterior"):
    """A step of DDPM less the noise that it adds."""
    g = torch.Generator().manual_seed(0)
    state = g.get_state()
    step = DDPM(variance).step(
        process, denoiser, Function(GRID, x_t), paper.t, paper.s, generator=g
    )
    g.set_state(state)
    noise = process.draw_noise(GRID, batch=1, channels=1, generator=g, dtype=torch.float64)
    std = (paper.beta_tilde if variance == "posterior" else paper.beta).sqrt()
    return step.values - std * noise.values


def close(found: torch.Tensor, expected: torch.Tensor, rtol: float = 1e-8) -> None:
    scale = expected.abs().max().item()
    torch.testing.assert_close(found, expected, rtol=0, atol=rtol * scale)


def squared_norm(values: torch.Tensor) -> torch.Tensor:
    return Function(GRID, values).norm() ** 2


@given(settings())
def test_equation_11_the_marginal(setting):
    process, paper, g = setting
    x0 = draw(g)
    law = process.marginal(Function(GRID, x0), paper.t)
    close(law.mean.values, paper.alpha_bar.sqrt() * (MATRIX @ x0))
    prior_variance = process.schedule.sigma(torch.ones((), dtype=torch.float64)) ** 2
    C = process.prior.covariance(GRID) / prior_variance
    close(law.covariance(GRID)[0], (1 - paper.alpha_bar) * C)


@given(settings())
def test_equation_12_the_posterior(setting):
    process, paper, g = setting
    x0, x_t = draw(g), draw(g)
    law = process.posterior(Function(GRID, x_t), Function(GRID, x0), paper.t, paper.s)
    signal = paper.alpha_bar_before.sqrt() * paper.beta / (1 - paper.alpha_bar)
    state = paper.alpha.sqrt() * (1 - paper.alpha_bar_before) / (1 - paper.alpha_bar)
    close(law.mean.values, signal * (MATRIX @ x0) + state * x_t)
    C = process.marginal(Function(GRID, x0), paper.t).covariance(GRID) / (1 - paper.alpha_bar)
    close(law.covariance(GRID), paper.beta_tilde * C)


@pytest.mark.parametrize("variance", ["posterior", "transition"])
@given(setting=settings())
def test_equation_14_the_mean_from_the_predicted_noise(variance, setting):
    process, paper, g = setting
    x_t, f = draw(g), draw(g)
    denoiser = as_denoiser(process, lambda x, t: Function(x.on, f), predict=NoisePrediction())
    expected = (x_t - paper.beta / (1 - paper.alpha_bar).sqrt() * f) / paper.alpha.sqrt()
    close(ddpm_mean(process, denoiser, x_t, paper, variance), expected)


@pytest.mark.parametrize("variance", ["posterior", "transition"])
@given(setting=settings())
def test_equation_36_the_mean_from_the_predicted_function(variance, setting):
    process, paper, g = setting
    x_t, f = draw(g), draw(g)
    denoiser = as_denoiser(process, lambda x, t: Function(x.on, f), predict=CleanPrediction())
    signal = paper.alpha_bar_before.sqrt() * paper.beta / (1 - paper.alpha_bar)
    state = paper.alpha.sqrt() * (1 - paper.alpha_bar_before) / (1 - paper.alpha_bar)
    close(ddpm_mean(process, denoiser, x_t, paper, variance), signal * (MATRIX @ f) + state * x_t)


@given(settings(), st.sampled_from(["posterior", "transition"]))
def test_equation_39_corrected_the_loss_of_the_predicted_function(setting, variance):
    process, paper, g = setting
    x_t, x0, f = draw(g), draw(g), draw(g)
    denoiser = as_denoiser(process, lambda x, t: Function(x.on, f), predict=CleanPrediction())
    mu = ddpm_mean(process, denoiser, x_t, paper, variance)
    posterior = process.posterior(Function(GRID, x_t), Function(GRID, x0), paper.t, paper.s)
    std2 = paper.beta_tilde if variance == "posterior" else paper.beta
    difference = torch.linalg.solve(MATRIX, posterior.mean.values - mu)
    loss = squared_norm(difference) / (2 * std2)
    weight = paper.alpha_bar_before * paper.beta**2 / (2 * std2 * (1 - paper.alpha_bar) ** 2)
    close(loss, weight * squared_norm(x0 - f), rtol=1e-5)


@given(settings(), st.sampled_from(["posterior", "transition"]))
def test_equation_40_a_step_is_mollified_signal_and_noise(setting, variance):
    _, paper, g = setting
    wide = gaussian_mollifier(0.4)
    schedule = setting[0].schedule
    process = DiffusionProcess.mollified(schedule, wide, noise=NOISE)
    grid = Grid((12, 12))
    matrix = matrix_of(wide, grid)[0]
    x_t, f = (torch.randn(1, grid.size, 1, generator=g, dtype=torch.float64) for _ in range(2))
    denoiser = as_denoiser(process, lambda x, t: Function(x.on, f), predict=CleanPrediction())
    state_of_g = g.get_state()
    step = DDPM(variance).step(
        process, denoiser, Function(grid, x_t), paper.t, paper.s, generator=g
    )
    g.set_state(state_of_g)
    xi = NOISE.draw(grid.domain, batch=1, channels=1, generator=g)(grid, dtype=torch.float64)
    std = (paper.beta_tilde if variance == "posterior" else paper.beta).sqrt()
    state = paper.alpha.sqrt() * (1 - paper.alpha_bar_before) / (1 - paper.alpha_bar)
    signal = paper.alpha_bar_before.sqrt() * paper.beta / (1 - paper.alpha_bar)
    close(step.values, state * x_t + matrix @ (signal * f + std * xi.values))


@given(settings())
def test_equation_44_the_posterior_mean_from_the_true_noise(setting):
    process, paper, g = setting
    x0, xi = draw(g), draw(g)
    x_t = paper.alpha_bar.sqrt() * (MATRIX @ x0) + (1 - paper.alpha_bar).sqrt() * (MATRIX @ xi)
    law = process.posterior(Function(GRID, x_t), Function(GRID, x0), paper.t, paper.s)
    noise = paper.beta / (1 - paper.alpha_bar).sqrt() * (MATRIX @ xi)
    close(law.mean.values, (x_t - noise) / paper.alpha.sqrt())


@given(settings(), st.sampled_from(["posterior", "transition"]))
def test_equation_45_corrected_the_loss_of_the_predicted_noise(setting, variance):
    process, paper, g = setting
    x0, xi, f = draw(g), draw(g), MATRIX @ draw(g)
    x_t = paper.alpha_bar.sqrt() * (MATRIX @ x0) + (1 - paper.alpha_bar).sqrt() * (MATRIX @ xi)
    denoiser = as_denoiser(process, lambda x, t: Function(x.on, f), predict=NoisePrediction())
    mu = ddpm_mean(process, denoiser, x_t, paper, variance)
    posterior = process.posterior(Function(GRID, x_t), Function(GRID, x0), paper.t, paper.s)
    std2 = paper.beta_tilde if variance == "posterior" else paper.beta
    difference = torch.linalg.solve(MATRIX, posterior.mean.values - mu)
    loss = squared_norm(difference) / (2 * std2)
    weight = paper.beta**2 / (2 * std2 * paper.alpha * (1 - paper.alpha_bar))
    error = torch.linalg.solve(MATRIX, f - MATRIX @ xi)
    close(loss, weight * squared_norm(error), rtol=1e-5)
