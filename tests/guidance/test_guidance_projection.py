"""Projection is the conditional mean under ΠGDM's covariance, and needs no gradients."""

import pytest
import torch
from functions import values
from posteriors import KINDS, PROCESS, problem

from inftydiff import (
    CosineSchedule,
    DiffusionProcess,
    Function,
    GaussianMeasure,
    Grid,
    MomentMatching,
    Observation,
    ProjectedDenoiser,
    Projection,
    Subset,
    WhiteNoise,
    cell_averages,
    gaussian_mollifier,
    guided,
    wiener_inverse,
)
from inftydiff.processes import CallableDenoiser, Prediction
from inftydiff.testing import GaussianDenoiser
from inftydiff.testing.posterior import functionals_matrix

T = gaussian_mollifier(1 / 8)
GRID = Grid((6, 6))
MOLLIFIED = DiffusionProcess.mollified(CosineSchedule(), T, noise=WhiteNoise(1 / 6))
EXACT = Projection(500, 1e-12)


def broken(x_t: Function, t: torch.Tensor) -> Prediction:
    """A denoiser without gradients that is wrong, and steep."""
    with torch.no_grad():
        signal = Function(x_t.on, 1e3 * x_t.values.sin())
        return Prediction(signal, x_t - signal, signal)


def seen(noise_std: float = 0.1) -> Observation:
    reads = cell_averages(Grid((3, 3)), on=GRID)
    back = wiener_inverse(T, noise_to_signal=0.1) * 1.01
    return Observation(reads, values(1, 2, 9, 1), noise_std, back)


def states() -> tuple[Function, torch.Tensor]:
    return Function(GRID, values(2, 2, 36, 1)), torch.tensor([0.3, 1.0], dtype=torch.float64)


def test_it_is_its_formula_by_dense_matrices():
    (x_t, t), look = states(), seen()
    found = ProjectedDenoiser(EXACT, CallableDenoiser(MOLLIFIED, broken), look)(x_t, t)
    units = Function(GRID, torch.eye(36, dtype=torch.float64).unsqueeze(-1))
    back = look.deconvolve(units).values.squeeze(-1).mT
    B = functionals_matrix(look.reads) @ back
    noise = GaussianMeasure(None, T, WhiteNoise(1 / 6))
    C = noise.covariance(GRID)
    for i in range(2):
        alpha, sigma = MOLLIFIED.schedule.alpha(t[i]), MOLLIFIED.schedule.sigma(t[i])
        V = sigma**2 / (alpha**2 + sigma**2) * C
        m = broken(x_t, t).signal.values[i]
        gain = V @ B.mT @ torch.linalg.inv(B @ V @ B.mT + 0.01 * torch.eye(9).double())
        expected = m + gain @ (look.values[i] - B @ m)
        torch.testing.assert_close(found.signal.values[i], expected, rtol=1e-8, atol=1e-6)
        noise_of = (x_t.values[i] - alpha * expected) / sigma
        torch.testing.assert_close(found.noise.values[i], noise_of, rtol=1e-8, atol=1e-6)


def test_it_never_diverges():
    (x_t, t), look = states(), seen(1e-3)
    before = (look.values - look.read_signal(broken(x_t, t).signal)).norm(dim=(1, 2))
    after = ProjectedDenoiser(EXACT, CallableDenoiser(MOLLIFIED, broken), look)(x_t, t)
    assert ((look.values - look.read(after)).norm(dim=(1, 2)) < 0.1 * before).all()


@pytest.mark.parametrize("kind", KINDS)
def test_for_data_with_the_law_of_the_noise_it_is_moment_matching(kind: str):
    grid, look = problem(kind, 16)
    data = GaussianMeasure(None, PROCESS.noise_factor, PROCESS.noise)
    exact = GaussianDenoiser(PROCESS, data)
    x_t = Function(grid, values(3, 1, grid.size, 1))
    t = torch.tensor([0.4], dtype=torch.float64)
    expected = guided(MomentMatching(300, 1e-12), exact, look)(x_t, t)
    found = ProjectedDenoiser(EXACT, exact, look)(x_t, t)
    torch.testing.assert_close(found.signal.values, expected.signal.values, rtol=1e-6, atol=1e-8)


def test_it_refuses_what_it_cannot_use():
    reads = cell_averages(Grid((3, 3)), on=GRID)
    with pytest.raises(ValueError, match="Projection needs an observation with errors"):
        ProjectedDenoiser(
            EXACT, CallableDenoiser(MOLLIFIED, broken), Observation(reads, torch.zeros(9, 1))
        )
    squares = Observation(lambda f: f.values.square(), torch.zeros(36, 1), 0.1)
    with pytest.raises(ValueError, match="for linear observations"):
        ProjectedDenoiser(EXACT, CallableDenoiser(MOLLIFIED, broken), squares)
    x_t, t = states()
    some = x_t.restrict(Subset(GRID, torch.arange(4)))
    with pytest.raises(ValueError, match="on a full Grid"):
        ProjectedDenoiser(EXACT, CallableDenoiser(MOLLIFIED, broken), seen())(some, t)
