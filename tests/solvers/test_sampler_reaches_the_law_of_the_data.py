"""With the exact denoiser of Gaussian data the law of the samples tends to the data's, on any grid.

Step by step the covariance is carried by the dense matrices of the steps, which is what
``output_law`` says; and drawn samples have it.
"""

import itertools

import pytest
import torch

from inftydiff import (
    DDIM,
    DDPM,
    CosineSchedule,
    DiffusionProcess,
    Function,
    GaussianMeasure,
    Grid,
    LinearSchedule,
    Subset,
    WhiteNoise,
    gaussian_mollifier,
    sample,
    timesteps,
)
from inftydiff.processes import Schedule
from inftydiff.testing import GaussianDenoiser
from inftydiff.testing.oracles._joint import ModalLaw
from inftydiff.testing.output_law import output_law

DATA = GaussianMeasure(None, gaussian_mollifier(0.18), WhiteNoise(0.8))
COSINE = CosineSchedule()
T, NOISE = gaussian_mollifier(0.12), WhiteNoise(0.3)
SMALL, COARSE, FINE = Grid((4, 4)), Grid((8, 8)), Grid((16, 16))


def process_of(kind: str, schedule: Schedule = COSINE) -> DiffusionProcess:
    if kind == "mollified":
        return DiffusionProcess.mollified(schedule, T, noise=NOISE)
    return DiffusionProcess.noise_only(schedule, T, noise=NOISE)


def step_matrix(solver, denoiser, grid: Grid, t: torch.Tensor, s: torch.Tensor):
    """The matrix of a step's mean, a column a channel; draws cancel in the difference."""
    unit = torch.eye(grid.size, dtype=torch.float64).unsqueeze(0)

    def step(values: torch.Tensor) -> torch.Tensor:
        generator = torch.Generator().manual_seed(0)
        x = Function(grid, values)
        return solver.step(denoiser, x, t[None], s[None], generator=generator).values

    return (step(unit) - step(torch.zeros_like(unit)))[0]


def injected_variance(solver, process, t: torch.Tensor, s: torch.Tensor) -> torch.Tensor:
    if isinstance(solver, DDIM):
        return (solver.eta * process.posterior_coefficients(t, s).std) ** 2
    if solver.variance == "posterior":
        return process.posterior_coefficients(t, s).std ** 2
    variance = process.transition_coefficients(s, t).std ** 2
    return torch.where(s == 0, 0.0, variance)


def law(solver, process, grid: Grid, n: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The matrix that carries the first state to the samples' mean, and the samples' covariance."""
    denoiser = GaussianDenoiser(process, DATA)
    C = GaussianMeasure(None, process.noise_factor, process.noise).covariance(grid)
    carried = torch.eye(grid.size, dtype=torch.float64)
    covariance = process.prior.covariance(grid)
    for t, s in itertools.pairwise(timesteps(n)):
        A = step_matrix(solver, denoiser, grid, t, s)
        carried = A @ carried
        covariance = A @ covariance @ A.T + injected_variance(solver, process, t, s) * C
    return carried, covariance


def error(solver, process, grid: Grid, n: int) -> float:
    """The distance of the samples' covariance to that of S x0, relative."""
    found = output_law(solver, process, DATA, on=grid, times=timesteps(n))
    difference = found.variances - found.data_variances
    return (difference.norm() / found.data_variances.norm()).item()


SOLVERS = [DDIM(), DDIM(0.5), DDIM(1.0), DDPM(), DDPM("transition")]
CASES = [(solver, "mollified") for solver in SOLVERS] + [
    (DDIM(), "noise only"),
    (DDPM(), "noise only"),
]


@pytest.mark.thorough
@pytest.mark.parametrize(("solver", "kind"), CASES, ids=str)
def test_the_covariance_carried_by_dense_matrices_is_that_of_the_output_law(solver, kind: str):
    process = process_of(kind)
    found = output_law(solver, process, DATA, on=SMALL, times=timesteps(6))
    everywhere = Subset(SMALL, torch.arange(SMALL.size))
    modal = ModalLaw(SMALL, found.variances, found.data_variances, found.variances)
    points = modal.at(everywhere)
    _, carried = law(solver, process, SMALL, 6)
    torch.testing.assert_close(points.signal, carried, rtol=1e-9, atol=1e-12)
    target = GaussianMeasure(None, process.signal @ DATA.factor, DATA.noise).covariance(SMALL)
    torch.testing.assert_close(points.noise, target, rtol=1e-9, atol=1e-12)


@pytest.mark.thorough
@pytest.mark.parametrize(("solver", "kind"), CASES, ids=str)
def test_the_error_falls_as_the_steps_grow(solver, kind: str):
    process = process_of(kind)
    errors = [error(solver, process, COARSE, n) for n in (10, 20, 40)]
    for coarse, fine in itertools.pairwise(errors):
        assert fine < 0.65 * coarse
    assert errors[-1] < 0.11


@pytest.mark.parametrize("solver", [DDIM(), DDIM(1.0), DDPM()], ids=str)
def test_the_error_is_the_same_at_every_resolution(solver):
    process = process_of("mollified")
    for n in (5, 20):
        coarse, fine = (error(solver, process, grid, n) for grid in (COARSE, FINE))
        assert fine == pytest.approx(coarse, rel=0.02)


@pytest.mark.thorough
@pytest.mark.parametrize("solver", SOLVERS, ids=str)
def test_the_mean_is_forgotten_or_carried_to_the_data_s(solver):
    process = process_of("mollified", LinearSchedule())
    generator = torch.Generator().manual_seed(0)
    start = process.draw_noise(SMALL, batch=2, channels=1, generator=generator, dtype=torch.float64)
    carried, _ = law(solver, process, SMALL, 8)
    expected = carried @ start.values
    denoiser = GaussianDenoiser(process, DATA)
    drawn = [
        sample(
            solver,
            denoiser,
            on=SMALL,
            times=timesteps(8),
            batch=2,
            channels=1,
            generator=torch.Generator().manual_seed(1),
            start=f,
        ).values
        for f in (start, start * 0.0)
    ]
    torch.testing.assert_close(drawn[0] - drawn[1], expected, rtol=0, atol=1e-9)


def test_drawn_samples_have_the_propagated_covariance():
    process, grid, n = process_of("mollified"), Grid((4, 3)), 4_000
    for solver in (DDIM(), DDPM()):
        x = sample(
            solver,
            GaussianDenoiser(process, DATA),
            on=grid,
            times=timesteps(4),
            batch=2,
            channels=n // 2,
            generator=torch.Generator().manual_seed(0),
        )
        draws = x.values.double().movedim(-1, 0).flatten(0, 1)
        _, exact = law(solver, process, grid, 4)
        variances = exact.diagonal()
        spread = ((torch.outer(variances, variances) + exact**2) / n).sqrt()
        assert ((draws.T @ draws / n - exact).abs() < 5 * spread + 1e-6 * exact.max()).all()
