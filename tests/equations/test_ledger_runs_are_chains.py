"""A run of the sampler is the chain of Gaussian transitions of eqs. (2), (9) and (33).

Its first state is the prior's draw; each later one is the mean of eq. (14) plus σ_t times a fresh
draw of the noise: of white noise for vectors (2) and functions (9), of mollified noise for (33).
"""

import itertools

import pytest
import torch
from hypothesis import given
from paper import NOISE, Paper, close, variances
from torch import Generator, Tensor

from inftydiff import (
    DDPM,
    CosineSchedule,
    DiffusionProcess,
    Function,
    Grid,
    NoisePrediction,
    as_denoiser,
    gaussian_mollifier,
    timesteps,
    trajectory,
)
from inftydiff.operators.domain import Point
from inftydiff.testing.strategies import seeds

SIZES = {"batch": 2, "channels": 3}


def check(process: DiffusionProcess, on: Grid, variance: str, seed: int) -> None:
    def network(x: Function, t: Tensor) -> Function:
        return Function(x.on, x.values.sin() + t[:, None, None] * x.values.mean(1, keepdim=True))

    denoiser = as_denoiser(process, network, predict=NoisePrediction())
    times = timesteps(6, start=0.95).double()
    run = trajectory(
        DDPM(variance),
        denoiser,
        on=on,
        times=times,
        generator=Generator().manual_seed(seed),
        **SIZES,
    )
    states = [state.x.values.double() for state in run]

    g = Generator().manual_seed(seed)
    white = [NOISE.draw(on.domain, generator=g, **SIZES) for _ in states]
    draws = [process.noise_factor(xi)(on, dtype=torch.float64).values for xi in white]
    close(states[0], process.schedule.sigma(times[0]) * draws[0], rtol=1e-5)
    for (t, s), (x_t, x_s), draw in zip(
        itertools.pairwise(times), itertools.pairwise(states), draws[1:], strict=True
    ):
        paper = Paper.at(process.schedule, t, s)
        f = network(Function(on, x_t), t.expand(2)).values
        mean = (x_t - paper.beta / (1 - paper.alpha_bar).sqrt() * f) / paper.alpha.sqrt()
        noise = paper.variance(variance).sqrt() * draw if s > 0 else 0.0 * draw
        close(x_s, mean + noise, rtol=1e-5)


@pytest.mark.thorough
@given(variances, seeds())
def test_equation_2_of_vectors(variance: str, seed: int):
    check(DiffusionProcess.white(CosineSchedule(), noise=NOISE), Grid((), Point()), variance, seed)


@pytest.mark.thorough
@given(variances, seeds())
def test_equation_9_of_functions_with_white_noise(variance: str, seed: int):
    check(DiffusionProcess.white(CosineSchedule(), noise=NOISE), Grid((4, 3)), variance, seed)


@pytest.mark.thorough
@given(variances, seeds())
def test_equation_33_of_functions_with_mollified_noise(variance: str, seed: int):
    T = gaussian_mollifier(0.15)
    check(
        DiffusionProcess.mollified(CosineSchedule(), T, noise=NOISE), Grid((4, 3)), variance, seed
    )


@pytest.mark.parametrize("variance", ["posterior", "transition"])
def test_equation_33_has_one_of_two_variances(variance: str):
    """σ_t² is β̃_t or β_t, as shares of the covariance T Tᵗ, on values of functions."""
    grid, T = Grid((4, 3)), gaussian_mollifier(0.15)
    process = DiffusionProcess.mollified(CosineSchedule(), T, noise=NOISE)
    t, s = (torch.tensor([time], dtype=torch.float64) for time in (0.6, 0.4))
    numbers = process.posterior_coefficients(t, s), process.transition_coefficients(s, t)
    std = numbers[variance == "transition"].std
    close(std**2, Paper.at(process.schedule, t, s).variance(variance))
    state = Function(grid, torch.zeros(1, grid.size, 1, dtype=torch.float64))
    law = (
        process.posterior(state, state, t, s)
        if variance == "posterior"
        else process.transition(state, s, t)
    )
    unit = process.marginal(state, torch.ones_like(t)).covariance(grid)
    close(law.covariance(grid) / std**2, unit / process.schedule.sigma(torch.ones_like(t)) ** 2)
