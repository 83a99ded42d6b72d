"""Likelihood and bound are numbers without a unit: of the values, or of length.

Values in other units come with an intensity of the noise in these units; lengths in other units
with an intensity that changes by the root of a volume.
"""

import pytest
import torch
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
from inftydiff.processes import elbo, log_likelihood
from inftydiff.testing import GaussianDenoiser
from inftydiff.testing.strategies import KnotSchedule

TIMES = torch.tensor([1.0, 0.6, 0.4], dtype=torch.float64)


def in_units(value: float, length: float) -> torch.Tensor:
    """The log-likelihood and the bound if a unit is divided by these numbers."""
    grid = Grid((4, 2), Box((length, 0.7 * length), boundary=("periodic", "reflecting")))
    noise = WhiteNoise(0.3 * value * length)
    T = gaussian_mollifier(0.2 * length)
    process = DiffusionProcess.mollified(KnotSchedule((1.0, 0.6, 0.1)), T, noise=noise)
    data = GaussianMeasure(None, gaussian_mollifier(0.3 * length), WhiteNoise(value * length))
    denoiser = GaussianDenoiser(process, data)
    g = torch.Generator().manual_seed(0)
    x = Function(grid, torch.randn(2, 8, 1, generator=g, dtype=torch.float64) * value)
    found = log_likelihood(denoiser, x, time=0.4, probes=1, generator=g, rtol=1e-2, atol=1e-2)
    return torch.stack([found, elbo(denoiser, x, times=TIMES, generator=g)])


@pytest.mark.thorough
def test_they_are_the_same_in_all_units():
    expected = in_units(1.0, 1.0)
    assert bool((expected.abs() > 0.1).all())
    for value, length in ((255.0, 1.0), (1.0, 40.0), (0.01, 3.0)):
        assert_close(in_units(value, length), expected, rtol=1e-8, atol=1e-8)
