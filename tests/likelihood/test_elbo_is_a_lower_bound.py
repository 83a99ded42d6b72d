r"""The bound lies below the log-density, by a gap known mode by mode that closes at first order.

For Gaussian data with the ratios :math:`\rho` of the variances of the modes of :math:`S x_0` and
:math:`N\xi`, and :math:`v = \mathrm{SNR}`, the exact denoiser leaves of the whitened data the
variance :math:`\rho/(1 + v\rho)`, so that the average gap is a left Riemann sum less its integral:

.. math:: \frac12\sum_k\Bigl[v_0\rho_k + \sum_i\frac{(v_{i+1} - v_i)\rho_k}{1 + v_i\rho_k}
          - \log(1 + v_n\rho_k)\Bigr] \ge 0.
"""

from itertools import pairwise

import pytest
import torch
from likelihoods import ratios, snr
from torch import Tensor

from inftydiff import (
    CosineSchedule,
    DiffusionProcess,
    Function,
    GaussianMeasure,
    Grid,
    WhiteNoise,
    gaussian_mollifier,
    timesteps,
)
from inftydiff.operators.covariance import squared_exponential
from inftydiff.processes import evidence_bound
from inftydiff.testing import GaussianDenoiser

GRID = Grid((6,))
NOISE = WhiteNoise(0.4)
LAST = 0.3
DATA = GaussianMeasure(None, squared_exponential(0.7, dim=1), WhiteNoise())
PROCESSES = {
    "white": DiffusionProcess.white(CosineSchedule(), noise=NOISE),
    "mollified": DiffusionProcess.mollified(CosineSchedule(), gaussian_mollifier(0.1), noise=NOISE),
}


def mean_log_density(process: DiffusionProcess) -> float:
    """The average of the exact log-density over the law of the states at the last time."""
    gained = snr(process, LAST) * ratios(process, DATA, GRID)
    return 0.5 * (gained - gained.log1p()).sum().item()


def gap(process: DiffusionProcess, times: Tensor) -> float:
    rho = ratios(process, DATA, GRID)
    v = torch.tensor([snr(process, t) for t in times.tolist()], dtype=torch.float64)
    terms = ((v[1:] - v[:-1]).unsqueeze(1) * rho / (1 + v[:-1].unsqueeze(1) * rho)).sum(0)
    return 0.5 * (v[0] * rho + terms - (v[-1] * rho).log1p()).sum().item()


def totals(process: DiffusionProcess, n: int, batch: int = 4000) -> Tensor:
    g = torch.Generator().manual_seed(n)
    x0 = DATA.sample(GRID, batch=batch, channels=1, generator=g)
    x0 = Function(GRID, x0.values.double())
    denoiser = GaussianDenoiser(process, DATA)
    return evidence_bound(denoiser, x0, times=timesteps(n, end=LAST), generator=g).total


@pytest.mark.parametrize("n", [2, 8, 32])
@pytest.mark.parametrize("name", PROCESSES)
def test_it_is_below_the_log_density_by_the_gap(name: str, n: int):
    process = PROCESSES[name]
    found = totals(process, n)
    error = found.std().item() / len(found) ** 0.5
    below = gap(process, timesteps(n, end=LAST))
    assert 5 * error < 0.25 * mean_log_density(process)
    assert abs(found.mean().item() + below - mean_log_density(process)) < 5 * error


@pytest.mark.parametrize("name", PROCESSES)
def test_the_gap_closes_at_first_order(name: str):
    gaps = [gap(PROCESSES[name], timesteps(n, end=LAST)) for n in (64, 128, 256)]
    assert gaps[2] > 0
    for coarse, fine in pairwise(gaps):
        assert 1.8 < coarse / fine < 2.2


def test_a_worse_denoiser_has_a_lower_bound():
    process = PROCESSES["white"]
    wrong = GaussianMeasure(None, 3.0 * DATA.factor, DATA.noise)
    g = torch.Generator().manual_seed(0)
    x0 = Function(GRID, DATA.sample(GRID, batch=500, channels=1, generator=g).values.double())
    right, worse = (
        evidence_bound(
            GaussianDenoiser(process, law),
            x0,
            times=timesteps(16, end=LAST),
            generator=torch.Generator().manual_seed(1),
        ).total.mean()
        for law in (DATA, wrong)
    )
    assert worse < right - 0.1
