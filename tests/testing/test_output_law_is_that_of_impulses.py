"""The law of a sampler's output is that of impulses sent through it, on whatever grid.

``output_law`` runs the solver once for each ratio of variances. Here it is run on the grid itself,
with an impulse in every mode for each draw of the noise, and on dense matrices.
"""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inftydiff import (
    Box,
    CosineSchedule,
    DiffusionProcess,
    Function,
    GaussianMeasure,
    Grid,
    Identity,
    WhiteNoise,
    gaussian_mollifier,
    sample,
)
from inftydiff.operators.basis import eigenbasis
from inftydiff.operators.covariance import bessel, matern
from inftydiff.operators.domain import BOUNDARIES, Point
from inftydiff.processes import Blurring, CallableDenoiser
from inftydiff.processes.solvers import DDIM, DDPM, DPMSolverPP, EulerMaruyama, Heun, UniPC
from inftydiff.processes.times import timesteps
from inftydiff.testing import GaussianDenoiser
from inftydiff.testing._impulses import ImpulseNoise
from inftydiff.testing.output_law import output_law
from inftydiff.testing.strategies import grids, seeds

COSINE = CosineSchedule()
T = gaussian_mollifier(1 / 16)
MOLLIFIED = DiffusionProcess.mollified(COSINE, T, noise=WhiteNoise(1 / 16))
WHITE = DiffusionProcess.white(COSINE, noise=WhiteNoise(1 / 16))
NOISE_ONLY = DiffusionProcess.noise_only(COSINE, T, noise=WhiteNoise(1 / 16))
BLURRING = DiffusionProcess.blurring(COSINE, Blurring(0.1), noise=WhiteNoise(1 / 16))
TRACE_CLASS = DiffusionProcess.trace_class(
    COSINE,
    bessel(4.0, 0.2 / 5.0**0.5, cutoff=40.0),
    domain=Box((1.0, 1.0, 1.0)),
    noise=WhiteNoise(1 / 16),
)
PROCESSES = {
    "mollified": MOLLIFIED,
    "white": WHITE,
    "noise only": NOISE_ONLY,
    "blurring": BLURRING,
    "trace-class": TRACE_CLASS,
}
SOLVERS = [
    DDIM(),
    DDIM(0.5),
    DDPM(),
    DDPM("transition"),
    EulerMaruyama(),
    Heun(),
    DPMSolverPP(2),
    DPMSolverPP(3),
    DPMSolverPP(2, stochastic=True),
    UniPC(3),
]


def on_the_grid(solver, process, data, grid: Grid, times, channels: int) -> torch.Tensor:
    """The variances by impulses on the grid: the solver draws at most ``channels - 1`` times."""
    basis, noise = eigenbasis(grid.domain), ImpulseNoise(process.noise)
    impulsive = replace(process, noise=noise)
    generator = torch.Generator().manual_seed(0)
    first = impulsive.draw_noise(
        grid, batch=1, channels=channels, generator=generator, dtype=torch.float64
    )
    x = sample(
        solver,
        CallableDenoiser(impulsive, GaussianDenoiser(process, data)),
        on=grid,
        times=times,
        batch=1,
        channels=channels,
        generator=generator,
        start=first * process.schedule.sigma(times[0]),
    )
    assert noise.drawn in (1, channels)
    responses = basis.analysis(x.to_image()[0]) * grid.cell_volume**0.5
    return responses.square().sum(0)


@pytest.mark.parametrize(
    ("solver", "name"),
    [
        (DDPM("transition"), "mollified"),
        (EulerMaruyama(), "white"),
        (DPMSolverPP(2, stochastic=True), "noise only"),
        (DDIM(0.5), "blurring"),
        (UniPC(3), "blurring"),
        (DDPM(), "trace-class"),
    ],
    ids=str,
)
def test_on_256_points(solver, name: str):
    grid, process = Grid((16, 16)), PROCESSES[name]
    data = GaussianMeasure(None, matern(0.5, 0.2, dim=2, cutoff=200.0), WhiteNoise())
    times = timesteps(6, spacing="log_snr", schedule=COSINE)
    law = output_law(solver, process, data, on=grid, times=times)
    expected = on_the_grid(solver, process, data, grid, times, 7)
    torch.testing.assert_close(law.variances, expected, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("solver", [DDPM(), UniPC(3)], ids=str)
def test_on_1024_points(solver):
    grid, times = Grid((32, 32)), timesteps(4)
    data = GaussianMeasure(None, matern(2.5, 0.2, dim=2), WhiteNoise())
    law = output_law(solver, MOLLIFIED, data, on=grid, times=times)
    expected = on_the_grid(solver, MOLLIFIED, data, grid, times, 5)
    torch.testing.assert_close(law.variances, expected, rtol=1e-9, atol=1e-14)


@given(
    grid=grids(most_dim=3, most=64, boundaries=BOUNDARIES),
    solver=st.sampled_from(SOLVERS),
    name=st.sampled_from(sorted(PROCESSES)),
    number=st.integers(1, 5),
)
def test_on_any_box(grid: Grid, solver, name: str, number: int):
    data = GaussianMeasure(None, gaussian_mollifier(0.1), WhiteNoise(0.4))
    process, times = PROCESSES[name], timesteps(number)
    law = output_law(solver, process, data, on=grid, times=times)
    expected = on_the_grid(solver, process, data, grid, times, number + 1)
    scale = expected.max().item()
    torch.testing.assert_close(law.variances, expected, rtol=1e-8, atol=1e-14 * scale)


@pytest.mark.parametrize("solver", [DDIM(), DDPM(), UniPC(2)], ids=str)
def test_many_sources_are_carried_in_blocks(solver, monkeypatch: pytest.MonkeyPatch):
    data = GaussianMeasure(None, gaussian_mollifier(0.1), WhiteNoise(0.4))
    whole, parts = [
        output_law(solver, MOLLIFIED, data, on=Grid((3, 2)), times=timesteps(7)).variances
        for block in (1 << 17, 4)
        if monkeypatch.setattr("inftydiff.testing._mode_runs.BLOCK", block) is None
    ]
    torch.testing.assert_close(parts, whole)


@pytest.mark.thorough
@given(seed=seeds(), name=st.sampled_from(sorted(PROCESSES)), solver=st.sampled_from(SOLVERS))
def test_the_mean_is_that_of_a_run_without_noise(seed: int, name: str, solver):
    """Of which the noise is impulses in channels beyond those that there are."""
    grid, process = Grid((5, 4)), PROCESSES[name]
    generator = torch.Generator().manual_seed(seed)
    mean = Function(grid, torch.randn(20, 2, generator=generator, dtype=torch.float64))
    data = GaussianMeasure(mean, gaussian_mollifier(0.1), WhiteNoise(0.4))
    times = timesteps(5)
    law = output_law(solver, process, data, on=grid, times=times)
    quiet = replace(process, noise=ImpulseNoise(process.noise, first=100))
    expected = sample(
        solver,
        CallableDenoiser(quiet, GaussianDenoiser(process, data)),
        on=grid,
        times=times,
        batch=1,
        channels=2,
        generator=generator,
        start=mean_of_noise(grid),
    )
    torch.testing.assert_close(law.mean.values, expected.values[0], rtol=1e-8, atol=1e-8)
    wanted = mean if name == "blurring" else process.signal(mean)
    torch.testing.assert_close(law.data_mean.values, wanted.values)
    squares = (law.mean - law.data_mean).values.square().sum(0) * grid.cell_volume
    deviations = (law.variances.sqrt() - law.data_variances.sqrt()).square().sum()
    torch.testing.assert_close(law.wasserstein_to_data(), (squares + deviations).sqrt())


def mean_of_noise(grid: Grid) -> Function:
    return Function(grid, torch.zeros(1, grid.size, 2, dtype=torch.float64))


def test_data_without_noise_in_a_mode_and_noise_without_data():
    """A mode that only one of the two has, and one that neither has."""
    narrow, wide = gaussian_mollifier(0.02), gaussian_mollifier(0.5)
    grid, times = Grid((32,)), timesteps(5)
    few = DiffusionProcess.noise_only(COSINE, wide)
    law = output_law(DDIM(), few, GaussianMeasure(None, narrow, WhiteNoise()), on=grid, times=times)
    assert (law.variances[20:] == 0.0).all()
    assert law.data_variances[20] > 0.0
    assert law.wasserstein_to_data().isfinite().all()
    assert law.kl_to_data().isinf().all()
    many = DiffusionProcess.noise_only(COSINE, narrow)
    law = output_law(DDIM(), many, GaussianMeasure(None, wide, WhiteNoise()), on=grid, times=times)
    assert (law.variances[20:] == 0.0).all()
    both = output_law(DDIM(), few, GaussianMeasure(None, wide, WhiteNoise()), on=grid, times=times)
    assert both.kl_to_data().isfinite().all()


def test_on_a_point():
    process = DiffusionProcess.white(COSINE, noise=WhiteNoise(0.5))
    data = GaussianMeasure(None, 2.0 * Identity(), WhiteNoise())
    law = output_law(DDPM(), process, data, on=Grid((), Point()), times=timesteps(100))
    assert law.variances.item() == pytest.approx(4.0, rel=0.1)
