"""Of no functions an operator, a process and a run make none; what needs one says so in words."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inftydiff import (
    DDIM,
    DDPM,
    CosineSchedule,
    DiffusionProcess,
    Function,
    GaussianMeasure,
    Grid,
    Identity,
    WhiteNoise,
    gaussian_mollifier,
    random_subset,
    sample,
    timesteps,
    wiener_inverse,
)
from inftydiff.operators import LocalOperator, exact_inverse, known_points
from inftydiff.operators.covariance import bessel
from inftydiff.operators.domain import BOUNDARIES
from inftydiff.processes import (
    Blurring,
    DDIMInversion,
    DPMSolverPP,
    EulerMaruyama,
    FixedPointInversion,
    Heun,
    HeunInversion,
    MomentMatching,
    Observation,
    ProbabilityFlow,
    UniPC,
    cameron_martin_norm,
    elbo,
    empirical_spectrum,
    guided,
    invert,
    kl_divergence,
    log_likelihood,
    round_trip,
    wasserstein,
)
from inftydiff.testing import GaussianDenoiser
from inftydiff.testing.strategies import grids

T, GRID = gaussian_mollifier(0.2), Grid((3, 4))
NONE = torch.zeros(0, dtype=torch.float64)
PROCESSES = {
    "white": DiffusionProcess.white(CosineSchedule()),
    "mollified": DiffusionProcess.mollified(CosineSchedule(), T),
    "blurring": DiffusionProcess.blurring(CosineSchedule(), Blurring(0.1)),
}
SOLVERS = (DDPM(), DDIM(), DPMSolverPP(), UniPC(), Heun(), EulerMaruyama(), ProbabilityFlow())
DRAWING = (DDPM(), EulerMaruyama())
DATA = GaussianMeasure(None, gaussian_mollifier(0.3), WhiteNoise())


def empty(on=GRID, *batch: int, channels: int = 2) -> Function:
    return Function(on, torch.zeros(*(batch or (0,)), on.size, channels, dtype=torch.float64))


@given(
    grid=grids(most=6, boundaries=BOUNDARIES),
    batch=st.lists(st.integers(0, 2), min_size=1, max_size=2).filter(lambda b: 0 in b),
    channels=st.integers(0, 2),
)
def test_operators(grid: Grid, batch, channels):
    f = empty(grid, *batch, channels=channels)
    for operator in (
        T, 2.0 * T, T + Identity(), T @ T, wiener_inverse(T), bessel(1.0), T.adjoint,
        exact_inverse(gaussian_mollifier(0.05), on=grid),
    ):  # fmt: skip
        f.values.requires_grad_()
        found = operator(f)
        assert found.values.shape == f.values.shape
        if found.values.requires_grad:
            found.values.sum().backward()
    if not channels:
        no_channels = empty(grid, 2, channels=0)
        assert T(no_channels).values.shape == no_channels.values.shape


def test_one_scale_a_sample_of_none():
    assert (NONE * T)(empty()).values.shape == (0, 12, 2)


def test_local_operators_functionals_and_subsets():
    subset = random_subset(GRID, 5, generator=torch.Generator())
    local = LocalOperator(torch.ones(2, 3, 3), 0.25)
    for f in (empty(), empty().restrict(subset)):
        for operator in (local, local.adjoint):
            assert operator(f).values.shape == f.values.shape
    reads = known_points(torch.arange(12) < 5, on=GRID)
    assert reads(empty()).shape == (0, 5, 2)
    assert reads.adjoint(torch.zeros(0, 5, 2)).values.shape == (0, 12, 2)


@pytest.mark.parametrize("name", sorted(PROCESSES))
def test_processes(name: str):
    process = PROCESSES[name]
    for law in (
        process.marginal(empty(), NONE),
        process.transition(empty(), NONE, NONE),
        process.posterior(empty(), empty(), NONE, NONE),
    ):
        assert law.mean is not None
        assert law.mean.values.shape == (0, 12, 2)


@pytest.mark.parametrize("name", sorted(PROCESSES))
@pytest.mark.parametrize("solver", SOLVERS, ids=lambda solver: type(solver).__name__)
def test_steps(name: str, solver):
    process, generator = PROCESSES[name], torch.Generator()
    denoiser = GaussianDenoiser(process, DATA)
    if solver not in DRAWING:
        found = solver.step(denoiser, empty(), NONE, NONE, generator=generator)
        assert found.values.shape == (0, 12, 2)
    arguments = {"on": GRID, "times": timesteps(3), "channels": 2, "generator": generator}
    with pytest.raises(ValueError, match="at least 1; got 0"):
        sample(solver, denoiser, batch=0, **arguments)


@pytest.mark.parametrize("name", sorted(PROCESSES))
@pytest.mark.parametrize("solver", [DDIMInversion(), HeunInversion(), FixedPointInversion()])
def test_inversions(name: str, solver):
    process = PROCESSES[name]
    denoiser = GaussianDenoiser(process, DATA)
    assert invert(solver, denoiser, empty(), times=timesteps(3)).values.shape == (0, 12, 2)
    with pytest.raises(ValueError, match="at least 1; got 0"):
        round_trip(solver, denoiser, empty(), times=timesteps(3))


def test_guides():
    process = PROCESSES["mollified"]
    reads = known_points(torch.arange(12) < 5, on=GRID)
    seen = Observation(reads, torch.zeros(5, 2), noise_std=0.1)
    denoiser = guided(MomentMatching(), GaussianDenoiser(process, DATA), seen)
    assert denoiser(empty(), NONE).signal.values.shape == (0, 12, 2)


def test_measures():
    one = GaussianMeasure(empty(channels=1), T, WhiteNoise())
    assert cameron_martin_norm(one, empty(channels=1)).shape == (0,)
    subset = random_subset(GRID, 5, generator=torch.Generator())
    for distance in (kl_divergence, wasserstein):
        assert distance(one, DATA, on=GRID).shape == (0,)
    assert wasserstein(one, DATA, on=subset).shape == (0,)


def test_what_needs_a_function_says_so():
    process = PROCESSES["mollified"]
    denoiser = GaussianDenoiser(process, DATA)
    with pytest.raises(ValueError, match="at least one; got values of shape"):
        empirical_spectrum(empty())
    with pytest.raises(ValueError, match="at least one of each; got"):
        log_likelihood(denoiser, empty(), time=0.5)
    with pytest.raises(ValueError, match="at least one of each; got"):
        elbo(denoiser, empty(), times=timesteps(3, end=0.1), generator=torch.Generator())


@pytest.mark.thorough
@pytest.mark.parametrize("solver", [DDIMInversion(), HeunInversion(), FixedPointInversion()])
def test_the_round_trip_of_zero_has_no_error_or_none_that_is_relative(solver):
    process, x = PROCESSES["white"], Function(GRID, torch.zeros(2, 12, 1, dtype=torch.float64))
    x.values[1] = 1.0
    denoiser = GaussianDenoiser(process, DATA)
    error = round_trip(solver, denoiser, x, times=timesteps(4)).error
    assert error[0] == 0.0
    assert 0.0 < error[1] < 1.0
    mean = Function(GRID, torch.ones(12, 1, dtype=torch.float64))
    other = GaussianDenoiser(process, GaussianMeasure(mean, T, WhiteNoise()))
    with pytest.raises(ValueError, match="relative to the function's norm, and sample 0 is zero"):
        round_trip(solver, other, x, times=timesteps(4))
