"""Encodings of Gaussian data have the law of the prior, σ(1)²C, and are functions on any grid."""

import math

import jaxtyping
import pytest
import torch
from solver_runs import coefficients, function_of

from inftydiff import (
    CosineSchedule,
    DDIMInversion,
    DiffusionProcess,
    FixedPointInversion,
    Function,
    GaussianMeasure,
    Grid,
    Heun,
    HeunInversion,
    WhiteNoise,
    gaussian_mollifier,
    invert,
    matern,
    timesteps,
)
from inftydiff.testing import GaussianDenoiser
from inftydiff.testing.oracles._joint import ModalLaw, joint_law

COSINE = CosineSchedule()
T = gaussian_mollifier(1 / 24)
PROCESS = DiffusionProcess.mollified(COSINE, T, noise=WhiteNoise(24**-0.5))
NOISE_ONLY = DiffusionProcess.noise_only(COSINE, T, noise=WhiteNoise(24**-0.5))
DATA = GaussianMeasure(None, matern(1.5, 0.3, dim=1), WhiteNoise())
SMOOTH = GaussianMeasure(None, T @ matern(1.5, 0.3, dim=1), WhiteNoise())
SECOND = [HeunInversion(), FixedPointInversion(Heun())]


@pytest.fixture(autouse=True)
def _as_shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the run-time type checks of the tests, which make thousands of calls slow."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


def times_of(n: int) -> torch.Tensor:
    return timesteps(n, spacing="log_snr", schedule=COSINE, least_ratio=1e-3)


def spread(inversion, process, data, grid: Grid, n: int) -> torch.Tensor:
    """The standard deviations of the encodings' modes over those of the prior."""
    law = joint_law(process, data, process.constant_signal, grid)
    assert isinstance(law, ModalLaw)
    typical = law.signal.sqrt()[None, None]
    x = function_of(typical, grid)
    encoding = invert(inversion, GaussianDenoiser(process, data), x, times=times_of(n))
    prior = law.noise.sqrt() * COSINE.sigma(torch.ones(()).double())
    there = law.signal > 1e-3 * law.noise  # the data have no others
    assert there.sum() >= 8
    return (coefficients(encoding)[0, 0] / prior)[there]


@pytest.mark.thorough
@pytest.mark.parametrize(("process", "data"), [(PROCESS, DATA), (NOISE_ONLY, SMOOTH)])
@pytest.mark.parametrize("inversion", SECOND[:1], ids=repr)
@pytest.mark.parametrize("side", [8, 24])
def test_mode_by_mode_on_any_grid(inversion, process, data, side: int):
    assert (spread(inversion, process, data, Grid((side,)), 100) - 1.0).abs().max() < 5e-3


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("inversion", "order"), [(DDIMInversion(), 1), (FixedPointInversion(), 1), (HeunInversion(), 2)]
)
def test_at_the_order_of_the_rule(inversion, order: int):
    few, many = (
        (spread(inversion, PROCESS, DATA, Grid((8,)), n) - 1.0).abs().max() for n in (25, 50)
    )
    assert math.log2(few / many) > order - 0.25


def test_drawn_encodings_have_the_prior_covariance():
    grid, batch = Grid((8,)), 4000
    generator = torch.Generator().manual_seed(0)
    denoiser = GaussianDenoiser(PROCESS, DATA)
    x0 = denoiser.sample_data(grid, batch=batch, channels=1, generator=generator)
    signal = T(Function(grid, x0.values.double()))
    values = invert(HeunInversion(), denoiser, signal, times=times_of(60)).values[..., 0]
    expected = PROCESS.prior.covariance(grid)
    found = values.T @ values / batch
    scale = (torch.outer(expected.diagonal(), expected.diagonal()) + expected**2) / batch
    assert ((found - expected).abs() < 5.0 * scale.sqrt() + 5e-3 * expected.diagonal().max()).all()


@pytest.mark.parametrize("inversion", [DDIMInversion(), HeunInversion(), FixedPointInversion()])
def test_one_function_has_one_encoding_on_every_grid(inversion):
    coarse, fine = Grid((10,)), Grid((30,))
    low = torch.zeros(1, 1, *fine.shape, dtype=torch.float64)
    low[..., :5] = torch.randn(5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    on_fine = function_of(low, fine)
    on_coarse = Function(coarse, on_fine.values[:, 1::3])
    wide = gaussian_mollifier(0.5)  # whose modes end below those of the coarse grid
    process = DiffusionProcess.white(COSINE, noise=WhiteNoise(0.1))
    denoiser = GaussianDenoiser(process, GaussianMeasure(None, wide, WhiteNoise()))
    fine_encoding, coarse_encoding = (
        invert(inversion, denoiser, x, times=timesteps(20)).values for x in (on_fine, on_coarse)
    )
    assert torch.allclose(fine_encoding[:, 1::3], coarse_encoding, atol=1e-6)
