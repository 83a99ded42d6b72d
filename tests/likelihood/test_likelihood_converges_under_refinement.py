r"""Relative to the noise's own law the likelihood converges under refinement; the others diverge.

One function, drawn once and read on finer and finer grids, has log-densities that settle. They do
not relative to Lebesgue's measure, nor to the prior at t = 1, nor as t → 0, nor where the noise is
smoother than the signal. Averages over the data's law are Kullback–Leibler divergences.
"""

import math
from itertools import pairwise

import pytest
import torch
from likelihoods import gaussian_log_density, ratios, snr, whitened
from torch import Tensor
from torch.testing import assert_close

from inftydiff import (
    Box,
    DiffusionProcess,
    Function,
    GaussianMeasure,
    Grid,
    WhiteNoise,
    gaussian_mollifier,
)
from inftydiff.operators.covariance import matern
from inftydiff.processes import kl_divergence, log_likelihood
from inftydiff.testing import GaussianDenoiser
from inftydiff.testing.strategies import KnotSchedule

SCHEDULE = KnotSchedule((1.0, 0.6, 0.02), (0.0, 0.5, 1.0))
TIME = 0.3
SIZES = {1: (32, 64, 128), 2: (16, 32, 64)}
NOISE = WhiteNoise(0.1)
WIDTH = 1 / 80


def process(kind: str, width: float = WIDTH) -> DiffusionProcess:
    T = gaussian_mollifier(width)
    match kind:
        case "white":
            return DiffusionProcess.white(SCHEDULE, noise=NOISE)
        case "mollified":
            return DiffusionProcess.mollified(SCHEDULE, T, noise=NOISE)
    return DiffusionProcess.noise_only(SCHEDULE, T, noise=NOISE)


def data(dim: int) -> GaussianMeasure:
    """A rough law: the variances of its modes fall like a power of the wave number."""
    return GaussianMeasure(None, matern(1.0, 0.3, dim=dim, cutoff=800.0 / dim), WhiteNoise())


def states(chain: DiffusionProcess, dim: int, sizes: tuple[int, ...], seed: int) -> list[Function]:
    """The same four states on each grid."""
    g = torch.Generator().manual_seed(seed)
    law, box = data(dim), Box((1.0,) * dim)
    x0 = law.noise.draw(box, batch=4, channels=1, generator=g)
    xi = chain.noise.draw(box, batch=4, channels=1, generator=g)
    t = torch.tensor(TIME, dtype=torch.float64)
    alpha, sigma = chain.schedule.alpha(t).item(), chain.schedule.sigma(t).item()
    signal, noise = chain.signal(law.factor(x0)) * alpha, chain.noise_factor(xi) * sigma
    grids = [Grid((n,) * dim) for n in sizes]
    return [signal(on, dtype=torch.float64) + noise(on, dtype=torch.float64) for on in grids]


def closed_forms(kind: str, dim: int, sizes: tuple[int, ...]) -> list[Tensor]:
    chain, law = process(kind), data(dim)
    begun = snr(chain, 1.0)
    return [
        gaussian_log_density(chain, law, x, TIME, begun=begun) for x in states(chain, dim, sizes, 0)
    ]


def flow(chain: DiffusionProcess, x: Function, **options) -> Tensor:
    """The likelihood by one probe, which is exact where the modes are independent."""
    denoiser = GaussianDenoiser(chain, data(x.on.dim))
    g = torch.Generator().manual_seed(1)
    options = {"time": TIME, "probes": 1, "generator": g, "rtol": 1e-4, "atol": 1e-4} | options
    return log_likelihood(denoiser, x, **options)


def expected(kind: str, n: int, time: float = TIME) -> float:
    """The log-density's average over the law of the states: their divergence from the noise."""
    chain = process(kind)
    gained = snr(chain, time) * ratios(chain, data(1), Grid((n,)))
    return 0.5 * (gained - gained.log1p()).sum().item()


@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize("kind", ["white", "mollified"])
def test_it_converges(kind: str, dim: int):
    coarse, middle, fine = closed_forms(kind, dim, SIZES[dim])
    first, second = (middle - coarse).abs(), (fine - middle).abs()
    assert bool((fine.abs() > 10.0).all())
    assert bool((second < 0.01 * fine.abs()).all())
    assert second.mean() < 0.6 * first.mean()


@pytest.mark.thorough
@pytest.mark.parametrize(("kind", "dim"), [("white", 1), ("mollified", 2)])
def test_the_flow_has_these_values(kind: str, dim: int):
    sizes = SIZES[dim][::2]
    found = [flow(process(kind), x) for x in states(process(kind), dim, sizes, 0)]
    for value, expected in zip(found, closed_forms(kind, dim, sizes), strict=True):
        assert_close(value, expected, rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize("kind", ["white", "mollified"])
def test_its_average_converges(kind: str):
    values = [expected(kind, n) for n in (32, 64, 128, 256 if kind == "white" else 160)]
    assert abs(values[-1] - values[-2]) < 1e-3 * values[-1]


def test_noise_smoother_than_the_signal_makes_it_diverge():
    values = [expected("noise-only", n) for n in (64, 96, 128)]
    assert values[1] > 3 * values[0]
    assert values[2] > 100 * values[1]
    coarse, fine = closed_forms("noise-only", 1, (64, 96))
    assert bool((fine > 2 * coarse).all())


@pytest.mark.parametrize("kind", ["white", "mollified"])
def test_relative_to_lebesgue_it_diverges(kind: str):
    """The logarithm of the volume, which changes with the grid, has no limit."""
    chain = process(kind)
    values = []
    for x in states(chain, 1, (32, 64, 128), 0):
        noise = GaussianMeasure(None, chain.noise_factor, chain.noise).mode_variances(x.on)
        sigma = chain.schedule.sigma(torch.tensor(TIME, dtype=torch.float64))
        reference = -0.5 * (whitened(chain, x, TIME) ** 2).flatten(1).sum(-1)
        reference = reference - 0.5 * (2 * math.pi * sigma**2 * noise).log().sum()
        values.append((reference + gaussian_log_density(chain, data(1), x, TIME)).mean().item())
    changes = [abs(b - a) for a, b in pairwise(values)]
    assert changes[1] > 1.5 * changes[0] > 15.0


@pytest.mark.parametrize("kind", ["white", "mollified"])
def test_relative_to_the_prior_it_diverges(kind: str):
    """Two Gaussians whose covariances differ by a factor are singular on functions."""
    chain = process(kind)
    t = torch.tensor(TIME, dtype=torch.float64)
    sigma = chain.schedule.sigma(t).item()
    noise = GaussianMeasure(None, sigma * chain.noise_factor, chain.noise)
    values = [kl_divergence(noise, chain.prior, on=Grid((n,))).item() for n in (32, 64, 128)]
    each = 0.5 * (sigma**2 - 1.0 - math.log(sigma**2))
    assert values == pytest.approx([32 * each, 64 * each, 128 * each], rel=1e-6)


@pytest.mark.parametrize("kind", ["white", "mollified"])
def test_as_time_falls_it_diverges(kind: str):
    values = [expected(kind, 64, time) for time in (0.1, 0.01, 0.001)]
    assert values[1] > 2 * values[0]
    assert values[2] > 2 * values[1]


@pytest.mark.thorough
def test_a_cut_off_lets_it_converge_where_the_noise_cannot_be_inverted():
    chain, cutoff = process("mollified", 1 / 40), 120.0
    coarse, fine = states(chain, 1, (64, 256), 0)
    found = flow(chain, coarse, cutoff=cutoff)
    assert_close(found, flow(chain, fine, cutoff=cutoff), rtol=1e-3, atol=1e-2)
    kept = torch.arange(64) * math.pi <= cutoff
    gained = ratios(chain, data(1), coarse.on) * snr(chain, TIME)
    terms = gained / (1 + gained) * whitened(chain, coarse, TIME) ** 2 - gained.log1p()
    wanted = 0.5 * torch.where(kept, terms, 0.0).flatten(1).sum(-1)
    assert_close(found, wanted, rtol=1e-3, atol=1e-2)
