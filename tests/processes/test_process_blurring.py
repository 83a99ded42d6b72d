"""With a signal operator that changes with time, the process is the scalar one mode by mode."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from inftydiff import (
    CosineSchedule,
    DiffusionProcess,
    Function,
    Grid,
    Prediction,
    Subset,
    WhiteNoise,
    gaussian_mollifier,
)
from inftydiff.operators import SpectralOperator
from inftydiff.operators.basis import eigenbasis
from inftydiff.processes import Blurring, scale_modes
from inftydiff.processes.spectra import ComputedMultiplier
from inftydiff.testing import matrix_of
from inftydiff.testing.strategies import grids, ordered_times, schedules, seeds

FAMILY = Blurring(width=0.2)
BATCH = 2


def process(schedule=None, family: Blurring = FAMILY) -> DiffusionProcess:
    schedule = CosineSchedule() if schedule is None else schedule
    return DiffusionProcess.blurring(schedule, family, noise=WhiteNoise(0.3))


def clean(grid: Grid, seed: int) -> Function:
    g = torch.Generator().manual_seed(seed)
    return Function(grid, torch.randn(BATCH, grid.size, 1, generator=g, dtype=torch.float64))


def each(t: Tensor) -> Tensor:
    return t.expand(BATCH).clone()


def dense(grid: Grid, factors: Tensor) -> Tensor:
    """The matrix of an operator with these factors in the grid's eigenbasis."""
    operator = SpectralOperator(ComputedMultiplier(lambda _: factors, factors.abs().max().item()))
    return matrix_of(operator, grid)[0]


@given(grids(most=8), schedules(), ordered_times(3), seeds())
def test_transitions_compose(grid: Grid, schedule, times: Tensor, seed: int) -> None:
    r, s, t = (each(time) for time in times)
    chain = process(schedule)
    first = chain.transition_coefficients(r, s, on=grid)
    second = chain.transition_coefficients(s, t, on=grid)
    direct = chain.transition_coefficients(r, t, on=grid)
    assert_close(second.scale * first.scale, direct.scale, rtol=1e-12, atol=0)
    variance = (second.scale * first.std) ** 2 + second.std**2
    assert_close(variance, direct.std**2, rtol=1e-9, atol=1e-14)


@given(grids(most=6), ordered_times(), seeds())
def test_the_posterior_is_the_conditional(grid: Grid, times: Tensor, seed: int) -> None:
    s, t = (each(time) for time in times)
    chain = process()
    x0, x_t = clean(grid, seed), clean(grid, seed + 1)
    spectrum = eigenbasis(grid.domain).eigenvalues(grid.shape)
    factors = [FAMILY.multiplier(time)(spectrum)[:1] for time in (s, t)]
    (a_s, a_t) = (
        chain.schedule.alpha(time)[0] * f for time, f in zip((s, t), factors, strict=True)
    )
    sig_s, sig_t = chain.schedule.sigma(s)[0], chain.schedule.sigma(t)[0]
    eye = torch.eye(grid.size, dtype=torch.float64)
    ratio = dense(grid, a_t / a_s)
    earlier = sig_s**2 * eye
    added = sig_t**2 * eye - ratio @ earlier @ ratio.mT
    gain = earlier @ ratio.mT @ torch.linalg.inv(ratio @ earlier @ ratio.mT + added)
    mean_s = dense(grid, a_s) @ x0.values
    mean = mean_s + gain @ (x_t.values - ratio @ mean_s)
    covariance = earlier - gain @ ratio @ earlier
    law = chain.posterior(x_t, x0, t, s)
    assert_close(law.mean.values, mean, rtol=1e-9, atol=1e-10)
    volume = grid.cell_volume / 0.3**2
    assert_close(law.covariance(grid)[0] * volume, covariance, rtol=1e-9, atol=1e-10)


@given(grids(most=8), ordered_times(), seeds())
def test_a_state_is_its_source_and_its_noise_scaled(grid: Grid, times: Tensor, seed: int) -> None:
    t = each(times[1])
    chain, x0, noise = process(), clean(grid, seed), clean(grid, seed + 1)
    alpha, sigma = chain.amplitudes(t, grid)
    x_t = chain.marginal(x0, t).mean + noise * chain.schedule.sigma(t)
    assert_close(
        (scale_modes(x0, alpha) + scale_modes(noise, sigma)).values, x_t.values, rtol=0, atol=1e-12
    )
    blurred = Prediction(chain.signal_at(t)(x0), noise)
    assert_close(chain.source(blurred, t).values, x0.values, rtol=1e-9, atol=1e-9)
    given_clean = Prediction(blurred.signal, noise, clean=x0)
    assert chain.source(given_clean, t) is x0


def test_at_time_zero_it_is_the_data_and_constants_stay() -> None:
    grid = Grid((6, 5))
    x0 = clean(grid, 0)
    zero = torch.zeros(BATCH, dtype=torch.float64)
    assert_close(process().signal_at(zero)(x0).values, x0.values, rtol=0, atol=1e-12)
    constant = Function(grid, torch.ones(BATCH, grid.size, 1, dtype=torch.float64))
    assert_close(process().signal_at(zero + 1)(constant).values, constant.values)


@given(st.floats(0.05, 1.0), ordered_times())
def test_the_blur_only_grows(width: float, times: Tensor) -> None:
    spectrum = torch.linspace(0, 1e4, 50, dtype=torch.float64)
    less, more = Blurring(width).multiplier(times)(spectrum)
    assert bool((more <= less).all())
    assert bool((more >= 1e-3).all())


def test_a_constant_family_is_the_constant_operator() -> None:
    """A blur too narrow to be seen leaves white-noise diffusion."""
    grid = Grid((5, 4))
    narrow = process(family=Blurring(width=1e-9))
    white = DiffusionProcess.white(CosineSchedule(), noise=WhiteNoise(0.3))
    s, t = each(torch.tensor(0.3)), each(torch.tensor(0.8))
    x0, x_t = clean(grid, 0), clean(grid, 1)
    ours, theirs = narrow.posterior(x_t, x0, t, s), white.posterior(x_t, x0, t, s)
    assert_close(ours.mean.values, theirs.mean.values, rtol=0, atol=1e-10)
    assert_close(ours.covariance(grid), theirs.covariance(grid), rtol=0, atol=1e-10)


def test_it_is_for_grids_and_floors_in_range() -> None:
    grid = Grid((4, 4))
    x = Function(Subset(grid, torch.tensor([0, 3])), torch.zeros(BATCH, 2, 1))
    times = each(torch.tensor(0.2)), each(torch.tensor(0.5))
    with pytest.raises(ValueError, match="full Grid"):
        process().transition(x, *times)
    with pytest.raises(ValueError, match="full Grid"):
        process().transition_coefficients(*times)
    for floor in (0.0, 1.0, -0.1):
        with pytest.raises(ValueError, match="floor"):
            Blurring(0.1, floor)
    with pytest.raises(ValueError, match="width"):
        Blurring(0.0)


def test_it_is_for_white_noise() -> None:
    with pytest.raises(ValueError, match="goes with white noise"):
        DiffusionProcess(
            CosineSchedule(),
            signal=FAMILY,
            noise_factor=gaussian_mollifier(0.1),
            noise=WhiteNoise(),
        )
