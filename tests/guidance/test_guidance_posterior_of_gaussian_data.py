"""Moment matching samples the posterior of Gaussian data, with the same errors on every grid.

The law of the guided sampler's output is known exactly; the truth is the Gaussian process
posterior by dense matrices. What is left with conjugate gradients run to the end are the errors of
the solver, which fall with more steps; and the default is not told from that.
"""

import pytest
import torch
from posteriors import DATA, KINDS, PROCESS, RULE, TIMES, problem

from inftydiff import (
    CosineSchedule,
    DiffusionProcess,
    DPMSolverPP,
    Grid,
    MomentMatching,
    WhiteNoise,
    gaussian_mollifier,
    guided,
    matern,
    sample,
    timesteps,
)
from inftydiff.operators import exact_inverse
from inftydiff.processes import Observation
from inftydiff.testing import GaussianDenoiser, PointwiseLaw, exact_posterior, guided_output

GUIDE = MomentMatching(iterations=200, tolerance=1e-5)
"""One that is linear in the residual, as it does not stop before the end."""


def laws(kind: str, side: int, process=PROCESS, guide=GUIDE) -> tuple[PointwiseLaw, PointwiseLaw]:
    grid, observation = problem(kind, side)
    found = guided_output(
        RULE,
        process,
        lambda denoiser, seen: guided(guide, denoiser, seen),
        DATA,
        observation,
        on=grid,
        times=TIMES,
    )
    return found, exact_posterior(DATA, observation)


def errors(kind: str, side: int) -> tuple[float, float]:
    found, truth = laws(kind, side)
    return found.mean_error(truth), found.variance_error(truth)


def assert_one_problem(kind: str, sides: tuple[int, ...]) -> None:
    means, variances = zip(*(errors(kind, side) for side in sides), strict=True)
    assert max(means) < 0.03
    assert max(variances) < 0.05
    assert max(variances) - min(variances) < 0.1 * max(variances)
    assert max(means) - min(means) < 0.1 * max(means)


@pytest.mark.thorough
@pytest.mark.parametrize("kind", KINDS)
def test_mean_and_variance_are_those_of_the_posterior_on_every_grid(kind: str):
    assert_one_problem(kind, (16, 24))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_they_are_at_64_too(kind: str):
    assert_one_problem(kind, (16, 32, 64))


def assert_default_is_converged(kind: str, side: int) -> None:
    """From the same states it ends where the other does, to a small part of the spread."""
    grid, seen = problem(kind, side)
    start = PROCESS.draw_noise(
        grid, batch=8, channels=1, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    found = [
        sample(
            RULE,
            guided(guide, GaussianDenoiser(PROCESS, DATA), seen),
            on=grid,
            times=TIMES,
            batch=8,
            channels=1,
            generator=torch.Generator().manual_seed(0),
            start=start * PROCESS.schedule.sigma(TIMES[:1]).item(),
        ).values.squeeze(-1)
        for guide in (MomentMatching(), GUIDE)
    ]
    spread = exact_posterior(DATA, seen).variance.sqrt()
    assert ((found[0] - found[1]).abs() / spread).max() < 0.002


@pytest.mark.thorough
@pytest.mark.parametrize("kind", KINDS)
def test_the_default_is_converged(kind: str):
    assert_default_is_converged(kind, 16)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("side", [32, 64])
def test_the_default_is_converged_on_finer_grids(kind: str, side: int):
    assert_default_is_converged(kind, side)


T = gaussian_mollifier(1 / 16)
PROCESSES = {
    "white": DiffusionProcess.white(CosineSchedule(), noise=WhiteNoise(1 / 8)),
    "trace class": DiffusionProcess.trace_class(
        CosineSchedule(), matern(1.5, 0.3, dim=2), domain=Grid((16, 16)).domain
    ),
    "mollified": DiffusionProcess.mollified(CosineSchedule(), T, noise=WhiteNoise(1 / 16)),
}


@pytest.mark.thorough
@pytest.mark.parametrize("name", PROCESSES)
def test_they_are_for_every_process(name: str):
    process, (grid, seen) = PROCESSES[name], problem("sensors", 16)
    if name == "mollified":
        inverse = exact_inverse(T, on=grid)
        seen = Observation(seen.reads, seen.values, seen.noise_std, deconvolve=inverse)
    found = guided_output(
        RULE,
        process,
        lambda denoiser, each: guided(GUIDE, denoiser, each),
        DATA,
        seen,
        on=grid,
        times=TIMES,
    )
    truth = exact_posterior(DATA, seen)
    assert found.mean_error(truth) < 0.03
    assert found.variance_error(truth) < 0.05


@pytest.mark.thorough
def test_the_error_left_is_the_solver_s():
    grid, seen = problem("sensors", 16)
    truth, found = exact_posterior(DATA, seen), []
    for n in (20, 40):
        times = timesteps(n, spacing="log_snr", schedule=PROCESS.schedule)
        law = guided_output(
            DPMSolverPP(2),
            PROCESS,
            lambda denoiser, each: guided(GUIDE, denoiser, each),
            DATA,
            seen,
            on=grid,
            times=times,
        )
        found.append(law.mean_variance_error(truth))
    assert found[1] < 0.4 * found[0]
