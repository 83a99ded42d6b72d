"""The exact denoiser is the conditional mean of signal and noise given the state."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inftydiff import (
    CosineSchedule,
    DiffusionProcess,
    Function,
    GaussianMeasure,
    Grid,
    Identity,
    WhiteNoise,
    gaussian_mollifier,
)
from inftydiff.operators.local import LocalOperator
from inftydiff.testing import GaussianDenoiser, matrix_of
from inftydiff.testing.strategies import grids, processes, seeds


@given(data=st.data(), grid=grids(most=9), time=st.floats(0.05, 0.95), seed=seeds())
def test_it_is_the_conditional_mean_of_joint_gaussians(data, grid: Grid, time: float, seed: int):
    process = data.draw(processes(grid, cells=(0.2, 0.6)))
    factor = gaussian_mollifier(0.4 * min(grid.spacing))
    law = GaussianMeasure(None, factor, WhiteNoise(0.7))
    t = torch.full((2,), time, dtype=torch.float64)
    generator = torch.Generator().manual_seed(seed)
    x_t = torch.randn(2, grid.size, 3, generator=generator, dtype=torch.float64)
    prediction = GaussianDenoiser(process, law)(Function(grid, x_t), t)

    def modes(operator, intensity: float) -> torch.Tensor:
        """The covariance of the grid's own modes, of variance intensity² / cell volume."""
        matrix = matrix_of(operator, grid)[0]
        return intensity**2 / grid.cell_volume * matrix @ matrix.T

    P = modes(process.signal @ factor, 0.7)
    V = modes(process.noise_factor, process.noise.intensity)
    alpha, sigma = process.schedule.alpha(t)[0], process.schedule.sigma(t)[0]
    weights = torch.linalg.solve(alpha**2 * P + sigma**2 * V, x_t)
    scale = x_t.abs().max().item() / min(alpha.item(), sigma.item())
    for found, expected in (
        (prediction.signal, alpha * P @ weights),
        (prediction.noise, sigma * V @ weights),
    ):
        torch.testing.assert_close(found.values, expected, rtol=0, atol=1e-8 * scale)


def test_data_with_a_mean_and_operators_that_are_not_spectral_are_refused():
    white = DiffusionProcess.white(CosineSchedule())
    mean = Function(Grid((4,)), torch.ones(4, 1))
    with pytest.raises(ValueError, match="data of mean zero; subtract the mean first"):
        GaussianDenoiser(white, GaussianMeasure(mean, Identity(), WhiteNoise()))
    local = LocalOperator(torch.ones(1, 3), 0.1)
    with pytest.raises(TypeError):
        GaussianDenoiser(white, GaussianMeasure(None, local, WhiteNoise()))
