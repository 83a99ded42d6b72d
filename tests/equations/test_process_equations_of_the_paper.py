r"""Equations (11), (12), (14), (36), (39), (40), (44) and (45) of the paper, corrected where wrong.

:math:`T` is the mollifier, and operators are dense matrices here.
"""

import pytest
import torch
from hypothesis import given
from paper import NOISE, close, mean_of_step, normal, settings, variances

from inftydiff import (
    DDPM,
    CleanPrediction,
    Function,
    Grid,
    NoisePrediction,
    as_denoiser,
    gaussian_mollifier,
)
from inftydiff.testing import matrix_of

GRID = Grid((5, 4))
T = gaussian_mollifier(0.12)
MATRIX = matrix_of(T, GRID)[0]


def mollified_noise() -> torch.Tensor:
    """T Tᵗ times the intensity squared, as a product on a grid that holds all of T."""
    fine = Grid((15, 20))
    matrix = matrix_of(T, fine)[0]
    centres = torch.arange(fine.size).reshape(fine.shape)[1::3, 2::5].flatten()
    return NOISE.intensity**2 / fine.cell_volume * (matrix @ matrix.mT)[centres][:, centres]


COVARIANCE = mollified_noise()

WIDE = gaussian_mollifier(0.4)
"""A mollifier that leaves nothing above the modes of its grid."""

WIDE_GRID = Grid((12, 12))
WIDE_MATRIX = matrix_of(WIDE, WIDE_GRID)[0]


def squared_norm(values: torch.Tensor) -> torch.Tensor:
    return Function(GRID, values).norm() ** 2


@given(settings(T))
def test_equation_11_the_marginal(setting):
    process, paper, g = setting
    x0 = normal(g, GRID)
    law = process.marginal(Function(GRID, x0), paper.t)
    close(law.mean.values, paper.alpha_bar.sqrt() * (MATRIX @ x0))
    close(law.covariance(GRID)[0], (1 - paper.alpha_bar) * COVARIANCE)


@given(settings(T))
def test_equation_12_the_posterior(setting):
    process, paper, g = setting
    x0, x_t = normal(g, GRID), normal(g, GRID)
    law = process.posterior(Function(GRID, x_t), Function(GRID, x0), paper.t, paper.s)
    close(law.mean.values, paper.signal * (MATRIX @ x0) + paper.state * x_t)
    close(law.covariance(GRID)[0], paper.beta_tilde * COVARIANCE)


@pytest.mark.parametrize("variance", ["posterior", "transition"])
@given(setting=settings(T))
def test_equation_14_the_mean_from_the_predicted_noise(variance, setting):
    process, paper, g = setting
    x_t, f = normal(g, GRID), normal(g, GRID)
    denoiser = as_denoiser(process, lambda x, t: Function(x.on, f), predict=NoisePrediction())
    expected = (x_t - paper.beta / (1 - paper.alpha_bar).sqrt() * f) / paper.alpha.sqrt()
    close(mean_of_step(denoiser, Function(GRID, x_t), paper, variance), expected)


@pytest.mark.parametrize("variance", ["posterior", "transition"])
@given(setting=settings(T))
def test_equation_36_the_mean_from_the_predicted_function(variance, setting):
    process, paper, g = setting
    x_t, f = normal(g, GRID), normal(g, GRID)
    denoiser = as_denoiser(process, lambda x, t: Function(x.on, f), predict=CleanPrediction())
    mean = mean_of_step(denoiser, Function(GRID, x_t), paper, variance)
    close(mean, paper.signal * (MATRIX @ f) + paper.state * x_t)


@given(settings(T), variances)
def test_equation_39_corrected_the_loss_of_the_predicted_function(setting, variance):
    process, paper, g = setting
    x_t, x0, f = normal(g, GRID), normal(g, GRID), normal(g, GRID)
    denoiser = as_denoiser(process, lambda x, t: Function(x.on, f), predict=CleanPrediction())
    mu = mean_of_step(denoiser, Function(GRID, x_t), paper, variance)
    posterior = process.posterior(Function(GRID, x_t), Function(GRID, x0), paper.t, paper.s)
    std2 = paper.variance(variance)
    difference = torch.linalg.solve(MATRIX, posterior.mean.values - mu)
    loss = squared_norm(difference) / (2 * std2)
    weight = paper.alpha_bar_before * paper.beta**2 / (2 * std2 * (1 - paper.alpha_bar) ** 2)
    close(loss, weight * squared_norm(x0 - f), rtol=1e-5)


@given(settings(WIDE), variances)
def test_equation_40_a_step_is_mollified_signal_and_noise(setting, variance):
    process, paper, g = setting
    grid, matrix = WIDE_GRID, WIDE_MATRIX
    x_t, f = normal(g, grid), normal(g, grid)
    denoiser = as_denoiser(process, lambda x, t: Function(x.on, f), predict=CleanPrediction())
    state_of_g = g.get_state()
    step = DDPM(variance).step(denoiser, Function(grid, x_t), paper.t, paper.s, generator=g)
    g.set_state(state_of_g)
    xi = NOISE.draw(grid.domain, batch=1, channels=1, generator=g)(grid, dtype=torch.float64)
    std = paper.variance(variance).sqrt()
    close(step.values, paper.state * x_t + matrix @ (paper.signal * f + std * xi.values))


@given(settings(T))
def test_equation_44_the_posterior_mean_from_the_true_noise(setting):
    process, paper, g = setting
    x0, xi = normal(g, GRID), normal(g, GRID)
    x_t = paper.alpha_bar.sqrt() * (MATRIX @ x0) + (1 - paper.alpha_bar).sqrt() * (MATRIX @ xi)
    law = process.posterior(Function(GRID, x_t), Function(GRID, x0), paper.t, paper.s)
    noise = paper.beta / (1 - paper.alpha_bar).sqrt() * (MATRIX @ xi)
    close(law.mean.values, (x_t - noise) / paper.alpha.sqrt())


@given(settings(T), variances)
def test_equation_45_corrected_the_loss_of_the_predicted_noise(setting, variance):
    process, paper, g = setting
    x0, xi, f = normal(g, GRID), normal(g, GRID), MATRIX @ normal(g, GRID)
    x_t = paper.alpha_bar.sqrt() * (MATRIX @ x0) + (1 - paper.alpha_bar).sqrt() * (MATRIX @ xi)
    denoiser = as_denoiser(process, lambda x, t: Function(x.on, f), predict=NoisePrediction())
    mu = mean_of_step(denoiser, Function(GRID, x_t), paper, variance)
    posterior = process.posterior(Function(GRID, x_t), Function(GRID, x0), paper.t, paper.s)
    std2 = paper.variance(variance)
    difference = torch.linalg.solve(MATRIX, posterior.mean.values - mu)
    loss = squared_norm(difference) / (2 * std2)
    weight = paper.beta**2 / (2 * std2 * paper.alpha * (1 - paper.alpha_bar))
    error = torch.linalg.solve(MATRIX, f - MATRIX @ xi)
    close(loss, weight * squared_norm(error), rtol=1e-5)
