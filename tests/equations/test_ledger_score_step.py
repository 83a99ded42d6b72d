r"""The step by the score, eq. (5) corrected: its mean is (x_t + β C∇log p)/√(1 − β).

For any data that is the mean of :math:`x_{t-1}|x_t` exactly (Tweedie), while the printed mean,
:math:`\sqrt{1-\beta}\,x_t + \beta\nabla\log p`, is wrong by :math:`-\beta x_t`, as much as the
drift itself. :math:`\beta C` is the covariance to first order. The data are a few atoms here.
"""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from paper import NOISE, Paper, close, log_density, mean_of_step, normal
from torch import Generator, Tensor

from inftydiff import (
    CosineSchedule,
    DiffusionProcess,
    Function,
    GaussianMeasure,
    Grid,
    Identity,
    LinearSchedule,
    NoisePrediction,
    as_denoiser,
    gaussian_mollifier,
)
from inftydiff.processes import ReverseSDE
from inftydiff.processes.solvers import EulerMaruyama
from inftydiff.testing import GaussianDenoiser
from inftydiff.testing.strategies import ordered_times, seeds

GRID = Grid((3,))
PROCESSES = [
    DiffusionProcess.white(CosineSchedule(), noise=NOISE),
    DiffusionProcess.mollified(LinearSchedule(), gaussian_mollifier(0.2), noise=NOISE),
]
WEIGHTS = torch.tensor([0.5, 0.2, 0.3], dtype=torch.float64)
THREE = torch.ones(3, dtype=torch.float64)


def covariance_of_noise(process: DiffusionProcess) -> Tensor:
    return GaussianMeasure(None, process.noise_factor, process.noise).covariance(GRID)


def start(process: DiffusionProcess, seed: int, t: Tensor) -> tuple[Function, Tensor]:
    """Three atoms, and a state that began at one of them."""
    g = Generator().manual_seed(seed)
    atoms = Function(GRID, normal(g, GRID, batch=3))
    law = process.marginal(Function(GRID, atoms.values[:1]), t)
    root = torch.linalg.cholesky(law.covariance(GRID))
    return atoms, law.mean.values + root @ normal(g, GRID)


def log_parts(process: DiffusionProcess, atoms: Function, x: Tensor, t: Tensor) -> Tensor:
    return WEIGHTS.log() + log_density(process.marginal(atoms, t * THREE), x)


def score(process: DiffusionProcess, atoms: Function, x: Tensor, t: Tensor) -> Tensor:
    x = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(log_parts(process, atoms, x, t).logsumexp(0), x)
    return gradient


def exact_moments(process, atoms: Function, x_t: Tensor, paper: Paper) -> tuple[Tensor, Tensor]:
    """Mean and covariance of x_s given x_t, by the posteriors of the three atoms."""
    shares = log_parts(process, atoms, x_t, paper.t).softmax(0)[:, None, None]
    state = Function(GRID, x_t.expand(3, -1, -1))
    law = process.posterior(state, atoms, paper.t * THREE, paper.s * THREE)
    mean = (shares * law.mean.values).sum(0, keepdim=True)
    spread = law.mean.values - mean
    return mean, (shares * (law.covariance(GRID) + spread @ spread.mT)).sum(0)


@pytest.mark.thorough
@given(st.sampled_from(PROCESSES), ordered_times(2), seeds())
def test_equation_5_corrected_the_mean_is_exact(process, times: Tensor, seed: int):
    s, t = (0.05 + 0.9 * times).split(1)
    paper = Paper.at(process.schedule, t, s)
    atoms, x_t = start(process, seed, t)
    C = covariance_of_noise(process)
    mean = (x_t + paper.beta * C @ score(process, atoms, x_t, t)) / (1 - paper.beta).sqrt()
    close(mean, exact_moments(process, atoms, x_t, paper)[0])


@pytest.mark.parametrize("process", PROCESSES)
def test_equation_5_printed_is_wrong_at_first_order(process):
    """Its error is −β x_t + O(β²); the covariance β C has an error of second order only."""
    t = torch.tensor([0.5008], dtype=torch.float64)
    atoms, x_t = start(process, 0, t)
    C = covariance_of_noise(process)
    shift = C @ score(process, atoms, x_t, t)
    printed, spreads = [], []
    for step in (4e-4, 2e-4, 1e-4):
        paper = Paper.at(process.schedule, t, t - step)
        mean, covariance = exact_moments(process, atoms, x_t, paper)
        error = (1 - paper.beta).sqrt() * x_t + paper.beta * shift - mean
        printed.append((error / paper.beta + x_t).norm() / x_t.norm())
        spreads.append((covariance - paper.beta * C).norm())
    assert printed[2] < 0.01
    assert printed[0] / printed[1] == pytest.approx(2, abs=0.1)
    assert spreads[0] / spreads[1] == pytest.approx(4, abs=0.3)
    assert spreads[1] / spreads[2] == pytest.approx(4, abs=0.3)


@pytest.mark.parametrize("corrected", [True, False])
def test_equation_5_only_the_corrected_chain_reaches_the_data(corrected: bool):
    """The variances of a chain for Gaussian data, against those of the process near its end."""
    process = PROCESSES[0]
    schedule, data = process.schedule, 0.3

    def law(time: Tensor) -> Tensor:
        return schedule.alpha(time) ** 2 * data + schedule.sigma(time) ** 2

    errors = []
    for n in (200, 400, 800):
        times = torch.linspace(0.9, 0.05, n + 1, dtype=torch.float64)
        betas = Paper.at(schedule, times[:-1], times[1:]).beta
        variance = law(times[0]).item()
        for beta, now in zip(betas.tolist(), law(times[:-1]).tolist(), strict=True):
            root = math.sqrt(1 - beta)
            scale = (1 - beta / now) / root if corrected else root - beta / now
            variance = scale**2 * variance + beta
        errors.append(abs(variance - law(times[-1]).item()))
    if corrected:
        assert errors[2] < 4e-3
        assert errors[0] / errors[1] == pytest.approx(2, abs=0.2)
    else:
        assert min(errors) > 0.05
        assert errors[0] / errors[2] == pytest.approx(1, abs=0.2)


@given(st.sampled_from(PROCESSES), ordered_times(2), seeds())
def test_equation_5_corrected_is_the_mean_of_an_ancestral_step(process, times: Tensor, seed: int):
    """With any network's noise f, C∇log p is −f/σ_t."""
    s, t = (0.05 + 0.9 * times).split(1)
    paper = Paper.at(process.schedule, t, s)
    g = Generator().manual_seed(seed)
    x_t, f = normal(g, GRID), normal(g, GRID)
    denoiser = as_denoiser(process, lambda x, t: Function(x.on, f), predict=NoisePrediction())
    shift = -f / (1 - paper.alpha_bar).sqrt()
    mean = (x_t + paper.beta * shift) / (1 - paper.beta).sqrt()
    close(mean_of_step(denoiser, Function(GRID, x_t), paper, "transition"), mean)


@pytest.mark.parametrize("process", PROCESSES)
def test_equation_7_small_steps_by_the_score_are_its_discretisation(process):
    """Per unit of time, the steps of (5) corrected and of Euler–Maruyama move as the drift."""
    t = torch.tensor([0.5008], dtype=torch.float64)
    data = GaussianMeasure(None, 0.6 * Identity(), NOISE)
    denoiser = GaussianDenoiser(process, data)
    g = Generator().manual_seed(0)
    x_t = Function(GRID, normal(g, GRID))
    drift = ReverseSDE(denoiser).drift(x_t, t).values
    errors = []
    for step in (1e-4, 5e-5):
        paper = Paper.at(process.schedule, t, t - step)
        ancestral = mean_of_step(denoiser, x_t, paper, "transition")
        state = g.get_state()
        euler = EulerMaruyama().step(denoiser, x_t, t, t - step, generator=g).values
        g.set_state(state)
        noise = process.draw_noise(GRID, batch=1, channels=1, generator=g, dtype=torch.float64)
        euler = euler - paper.beta.sqrt() * noise.values
        errors.append(
            torch.stack([((x_t.values - x) / step - drift).norm() for x in (ancestral, euler)])
        )
    assert bool((errors[1] < 1e-3 * drift.norm()).all())
    torch.testing.assert_close(
        errors[0] / errors[1], torch.full_like(errors[0], 2), rtol=0.1, atol=0
    )
