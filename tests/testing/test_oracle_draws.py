"""What the oracles draw has the law that they denoise, and their means are those of draws."""

import math

import torch

from inftydiff import (
    CosineSchedule,
    DiffusionProcess,
    Function,
    GaussianMeasure,
    Grid,
    WhiteNoise,
    gaussian_mollifier,
)
from inftydiff.testing import GaussianDenoiser
from inftydiff.testing.oracles import MixtureDenoiser

GRID = Grid((3, 2))
ONE = Function(GRID, torch.tensor([[1.0], [0.5], [-0.2], [0.3], [1.4], [0.0]], dtype=torch.float64))
PARTS = (
    GaussianMeasure(ONE, gaussian_mollifier(0.3), WhiteNoise(0.3)),
    GaussianMeasure(ONE * -1.0, gaussian_mollifier(0.2), WhiteNoise(0.2)),
)
WEIGHTS = (0.3, 0.7)
T = gaussian_mollifier(0.15)
PROCESS = DiffusionProcess.mollified(CosineSchedule(), T, noise=WhiteNoise(0.3))
ORACLE = MixtureDenoiser(PROCESS, WEIGHTS, PARTS)


def draws(n: int) -> Function:
    generator = torch.Generator().manual_seed(0)
    return ORACLE.sample_data(GRID, batch=n, channels=1, generator=generator)


def test_the_moments_of_the_draws():
    n = 20_000
    x0 = draws(n).values[..., 0]
    means = [part.mean.values[:, 0] for part in PARTS]
    mean = sum(w * m for w, m in zip(WEIGHTS, means, strict=True))
    second = sum(
        w * (part.covariance(GRID) + torch.outer(m, m))
        for w, m, part in zip(WEIGHTS, means, PARTS, strict=True)
    )
    for found, expected in ((x0, mean), (x0.unsqueeze(-1) * x0.unsqueeze(-2), second)):
        spread = found.std(0) / math.sqrt(n)
        assert ((found.mean(0) - expected).abs() < 5.0 * spread).all()


def test_a_batch_of_four_is_the_first_half_of_eight():
    torch.testing.assert_close(draws(4).values, draws(8).values[:4], rtol=0, atol=0)


def test_the_conditional_mean_is_the_average_of_draws_by_their_likelihood():
    """E[S x0|x_t] by importance: draws of x0, weighted by the density of x_t given each."""
    n, t = 40_000, torch.tensor([0.6], dtype=torch.float64)
    alpha, sigma = PROCESS.schedule.alpha(t).item(), PROCESS.schedule.sigma(t).item()
    x0 = draws(n)
    signal = T(x0).values[..., 0]
    C = GaussianMeasure(None, T, PROCESS.noise).covariance(GRID)
    x_t = torch.tensor([0.3, 0.2, -0.1, 0.1, 0.25, 0.05], dtype=torch.float64)
    residual = x_t - alpha * signal
    log = -0.5 * (residual @ torch.linalg.inv(sigma**2 * C) * residual).sum(-1)
    weights = log.softmax(0)
    assert 1.0 / weights.square().sum() > 200
    said = ORACLE(Function(GRID, x_t.reshape(1, -1, 1)), t)
    for drawn, found in ((signal, said.signal), (x0.values[..., 0], said.clean)):
        average = weights @ drawn
        spread = (weights.square() @ (drawn - average).square()).sqrt()
        assert ((found.values[0, :, 0] - average).abs() < 5.0 * spread).all()


def test_the_gaussian_draws_are_its_measure_s():
    oracle = GaussianDenoiser(PROCESS, PARTS[0])
    found, expected = (
        source(GRID, batch=3, channels=1, generator=torch.Generator().manual_seed(1))
        for source in (oracle.sample_data, PARTS[0].sample)
    )
    assert torch.equal(found.values, expected.values)
