"""W₂ of the output to its law falls at the solver's order, equally at every resolution.

The steps go through an interval inside (0, 1), from the exact law at its beginning, equally spaced
in the log-SNR, so that no other error is left.
"""

import math

import pytest
import torch

from inftydiff import (
    CosineSchedule,
    DiffusionProcess,
    Function,
    GaussianMeasure,
    Grid,
    Subset,
    WhiteNoise,
    gaussian_mollifier,
)
from inftydiff.operators.covariance import matern
from inftydiff.processes import Blurring
from inftydiff.processes.solvers import DDIM, DDPM, DPMSolverPP, EulerMaruyama, Heun, UniPC
from inftydiff.processes.times import timesteps
from inftydiff.testing.oracles._joint import ModalLaw
from inftydiff.testing.output_law import OutputLaw, output_law, variance_gain

COSINE = CosineSchedule()
T = gaussian_mollifier(1 / 32)
MOLLIFIED = DiffusionProcess.mollified(COSINE, T, noise=WhiteNoise(1 / 32))
BLURRING = DiffusionProcess.blurring(COSINE, Blurring(0.05), noise=WhiteNoise(1 / 32))
SMOOTH = GaussianMeasure(None, matern(2.5, 0.2, dim=2), WhiteNoise())
ORDERS = [
    (DDIM(), 1, MOLLIFIED),
    (DDPM(), 1, MOLLIFIED),
    (EulerMaruyama(), 1, MOLLIFIED),
    (Heun(), 2, MOLLIFIED),
    (DPMSolverPP(2), 2, MOLLIFIED),
    (DPMSolverPP(2, stochastic=True), 1, MOLLIFIED),
    (DDIM(), 1, BLURRING),
    (DPMSolverPP(2), 2, BLURRING),
]


def inside(solver, process, n: int) -> OutputLaw:
    times = timesteps(n, spacing="log_snr", schedule=COSINE, start=0.9, end=0.1)
    return output_law(solver, process, SMOOTH, on=Grid((8, 8)), times=times, start="marginal")


@pytest.mark.thorough
@pytest.mark.parametrize(("solver", "order", "process"), ORDERS)
def test_the_order(solver, order: int, process):
    distances = [inside(solver, process, n).wasserstein_to_data().item() for n in (20, 40)]
    assert math.log2(distances[0] / distances[1]) > order - 0.2


def test_unipc_is_of_higher_order():
    distances = [inside(UniPC(2), MOLLIFIED, n).wasserstein_to_data().item() for n in (20, 40)]
    assert math.log2(distances[0] / distances[1]) > 2.5


@pytest.mark.thorough
@pytest.mark.parametrize("solver", [DDIM(), DDPM(), UniPC(3)], ids=str)
@pytest.mark.parametrize("smoothness", [0.5, 2.5])
def test_the_distance_is_the_same_at_every_resolution(solver, smoothness: float):
    data = GaussianMeasure(None, matern(smoothness, 0.2, dim=2), WhiteNoise())
    times = timesteps(15, spacing="log_snr", schedule=COSINE)
    laws = [
        output_law(solver, MOLLIFIED, data, on=Grid((side, side)), times=times)
        for side in (32, 64, 96)
    ]
    distances = [(law.wasserstein_to_data() / law.rms()).item() for law in laws]
    assert distances[1] == pytest.approx(distances[0], rel=2e-3)
    assert distances[2] == pytest.approx(distances[1], rel=1e-4)


def test_the_distances_are_those_of_dense_matrices():
    """W₂ by the formula with the root of a matrix, KL by that of torch's distributions."""
    grid = Grid((4, 3))
    generator = torch.Generator().manual_seed(0)
    mean = Function(grid, torch.randn(12, 2, generator=generator, dtype=torch.float64))
    data = GaussianMeasure(mean, gaussian_mollifier(0.15), WhiteNoise(0.5))
    law = output_law(DDPM(), MOLLIFIED, data, on=grid, times=timesteps(10))
    half = Subset(grid, torch.arange(12))
    matrices = [dense(variances, half) for variances in (law.variances, law.data_variances)]
    output, target = matrices
    values, vectors = torch.linalg.eigh(target)
    root = vectors * values.clamp(min=0.0).sqrt() @ vectors.mT
    between = torch.linalg.eigvalsh(root @ output @ root).clamp(min=0.0).sqrt().sum()
    difference = (law.mean - law.data_mean).values
    w2 = output.trace() + target.trace() - 2.0 * between + difference.square().sum(0)
    found = law.wasserstein_to_data()
    torch.testing.assert_close(found.square(), w2 * grid.cell_volume, rtol=1e-6, atol=1e-12)
    normals = [
        torch.distributions.MultivariateNormal(m.values.mT, covariance)
        for m, covariance in ((law.mean, output), (law.data_mean, target))
    ]
    torch.testing.assert_close(
        law.kl_to_data(), torch.distributions.kl_divergence(*normals), rtol=1e-6, atol=1e-9
    )
    torch.testing.assert_close(
        law.rms().square(),
        grid.cell_volume * (target.trace() + law.data_mean.values.square().sum(0)),
    )


def dense(variances: torch.Tensor, on: Subset) -> torch.Tensor:
    """The covariance of the values, mode by mode."""
    return ModalLaw(on.grid, variances, variances, variances).at(on).signal


def test_the_divergence_of_close_laws_is_half_the_square_of_their_relative_difference():
    law = inside(DDIM(), MOLLIFIED, 100)
    small = law.variances / law.data_variances - 1.0
    assert law.kl_to_data().item() == pytest.approx(0.25 * small.square().sum().item(), rel=0.02)


def test_the_gain_of_a_mode_is_all_there_is():
    times = timesteps(7)
    law = output_law(DDPM(), MOLLIFIED, SMOOTH, on=Grid((8, 8)), times=times)
    pushed = SMOOTH.pushforward(T).mode_variances(Grid((8, 8)))
    noise = GaussianMeasure(None, T, MOLLIFIED.noise).mode_variances(Grid((8, 8)))
    gain = variance_gain(DDPM(), COSINE, (pushed / noise).flatten(), times=times)
    torch.testing.assert_close(gain.reshape(8, 8) * pushed, law.variances)


def test_output_laws_refuse():
    times = timesteps(3)
    half = Subset(Grid((4, 4)), torch.arange(8))
    with pytest.raises(ValueError, match="diagonal on a full Grid; got Subset"):
        output_law(DDIM(), MOLLIFIED, SMOOTH, on=half, times=times)
    each = GaussianMeasure(None, T * torch.tensor([1.0, 2.0]), WhiteNoise())
    with pytest.raises(ValueError, match="one scale a sample"):
        output_law(DDIM(), MOLLIFIED, each, on=Grid((4, 4)), times=times)
    with pytest.raises(ValueError, match="finite and above 0"):
        variance_gain(DDIM(), COSINE, torch.tensor([0.0, 1.0]), times=times)
    with pytest.raises(ValueError, match="decreasing times"):
        output_law(DDIM(), MOLLIFIED, SMOOTH, on=Grid((4, 4)), times=times.flip(0))
