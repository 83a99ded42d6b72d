"""The likelihood is the density of data whose modes depend on each other and that are not Gaussian.

The data are mixtures of Gaussians with dense covariances, on the values of two channels; the
denoiser is Tweedie's, from the gradient of the mixture's density.
"""

import pytest
import torch
from likelihoods import DenseMixture
from torch import Tensor
from torch.testing import assert_close

from inftydiff import Box, DiffusionProcess, Function, Grid, WhiteNoise, gaussian_mollifier
from inftydiff.processes import log_likelihood
from inftydiff.testing.strategies import KnotSchedule

SCHEDULE = KnotSchedule((1.0, 0.5, 0.0))
GRIDS = (
    Grid((3,)),
    Grid((3,), Box((0.5,), boundary="absorbing")),
    Grid((2, 2), Box((1.0, 2.0), boundary=("periodic", "reflecting"))),
)


def mixture(process: DiffusionProcess, grid: Grid, seed: int) -> DenseMixture:
    g = torch.Generator().manual_seed(seed)
    size = 2 * grid.size
    means, roots = (
        torch.randn(shape, generator=g, dtype=torch.float64)
        for shape in ((2, size), (2, size, size))
    )
    covariances = roots @ roots.mT / size
    return DenseMixture(process, grid, torch.tensor([0.3, 0.7]), 0.5 * means, covariances)


def states(grid: Grid, seed: int, batch: int = 2) -> Function:
    g = torch.Generator().manual_seed(seed + 1)
    return Function(grid, torch.randn(batch, grid.size, 2, generator=g, dtype=torch.float64))


def process(grid: Grid, mollified: bool) -> DiffusionProcess:
    if not mollified:
        return DiffusionProcess.white(SCHEDULE, noise=WhiteNoise(0.6))
    T = gaussian_mollifier(0.5 * min(grid.spacing))
    return DiffusionProcess.mollified(SCHEDULE, T, noise=WhiteNoise(0.6))


@pytest.mark.thorough
@pytest.mark.parametrize(("number", "mollified"), [(1, True), (2, False)])
def test_it_is_the_mixture_s(number: int, mollified: bool):
    grid, time = GRIDS[number], (0.3, 0.5, 0.7)[number]
    data = mixture(process(grid, mollified), grid, number)
    x = states(grid, number)
    found = log_likelihood(data, x, time=time)
    assert_close(found, data.relative_log_density(x, time), rtol=1e-4, atol=1e-4)


def estimates(probes: int, batch: int) -> tuple[Tensor, Tensor]:
    """Many estimates of one likelihood, and its exact value."""
    grid = GRIDS[0]
    data = mixture(process(grid, True), grid, 5)
    x = states(grid, 5, batch=1)
    many = Function(grid, x.values.expand(batch, -1, -1).clone())
    g = torch.Generator().manual_seed(0)
    found = log_likelihood(data, many, time=0.5, probes=probes, generator=g, rtol=1e-4)
    return found, data.relative_log_density(x, 0.5)


@pytest.mark.thorough
def test_probes_are_unbiased_and_their_variance_falls_like_their_number():
    (one, exact), (four, _) = estimates(1, 2000), estimates(4, 2000)
    for found in (one, four):
        error = found.std() / len(found) ** 0.5
        assert 0.001 < error < 0.01
        assert (found.mean() - exact).abs() < 5 * error
    assert 3.2 < one.var() / four.var() < 5.0
