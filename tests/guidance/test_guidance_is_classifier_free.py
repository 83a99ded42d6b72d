"""Classifier-free guidance is the stated combination of two denoisers, each asked once a step.

For two Gaussian laws of one covariance the combination is the exact denoiser of a third: its mean
is the same combination of theirs, so that every solver draws from that law.
"""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inftydiff import (
    DDIM,
    CosineSchedule,
    DiffusionProcess,
    DPMSolverPP,
    Function,
    GaussianMeasure,
    Grid,
    Heun,
    Prediction,
    UniPC,
    WhiteNoise,
    as_denoiser,
    gaussian_mollifier,
    sample,
    timesteps,
)
from inftydiff.processes import CallableDenoiser, NoisePrediction, classifier_free
from inftydiff.testing import GaussianDenoiser

GRID = Grid((4, 4))
T = gaussian_mollifier(0.15)
PROCESS = DiffusionProcess.mollified(CosineSchedule(), T, noise=WhiteNoise(0.3))
WIDE = GaussianMeasure(None, gaussian_mollifier(0.2), WhiteNoise(0.8))


def drawn(seed: int, batch: int = 2, channels: int = 1) -> Function:
    generator = torch.Generator().manual_seed(seed)
    shape = (batch, GRID.size, channels)
    return Function(GRID, torch.randn(*shape, generator=generator, dtype=torch.float64))


def times(seed: int, batch: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 0.05 + 0.9 * torch.rand(batch, generator=generator, dtype=torch.float64)


MEAN = Function(GRID, drawn(7, 1).values)


def with_mean(share: float):
    """The exact denoiser of WIDE moved by a share of MEAN."""
    exact, shift = GaussianDenoiser(PROCESS, WIDE), MEAN * share

    def denoiser(x_t: Function, t: torch.Tensor) -> Prediction:
        moved = Function(GRID, shift.values.expand_as(x_t.values))
        mean = PROCESS.signal_at(t)(moved)
        found = exact(x_t - mean * PROCESS.schedule.alpha(t), t)
        clean = None if found.clean is None else found.clean + moved
        return Prediction(found.signal + mean, found.noise, clean)

    return CallableDenoiser(PROCESS, denoiser)


def counted(denoiser):
    calls = []

    def counting(x_t, t):
        calls.append(t)
        return denoiser(x_t, t)

    return CallableDenoiser(denoiser.process, counting), calls


def parts(prediction: Prediction) -> tuple[Function | None, ...]:
    return prediction.signal, prediction.noise, prediction.clean


def assert_same(a: Prediction, b: Prediction, tol: float = 1e-9) -> None:
    for one, other in zip(parts(a), parts(b), strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            torch.testing.assert_close(one.values, other.values, rtol=tol, atol=tol)


@given(seed=st.integers(0, 2**31), weight=st.floats(-3.0, 8.0))
def test_it_is_the_formula(seed: int, weight: float):
    x_t, t = drawn(seed), times(seed)
    a, b = with_mean(0.0)(x_t, t), with_mean(1.0)(x_t, t)
    found = classifier_free(with_mean(1.0), with_mean(0.0), strength=weight)(x_t, t)
    for one, without, knowing in zip(parts(found), parts(a), parts(b), strict=True):
        if one is not None:
            expected = (1.0 - weight) * without.values + weight * knowing.values
            torch.testing.assert_close(one.values, expected, rtol=1e-10, atol=1e-10)
    alpha, sigma = PROCESS.schedule.alpha(t), PROCESS.schedule.sigma(t)
    again = found.signal * alpha + found.noise * sigma
    torch.testing.assert_close(again.values, x_t.values, rtol=1e-9, atol=1e-9)


def test_the_weights_one_and_zero_are_the_two():
    x_t, t = drawn(0), times(0)
    conditional, unconditional = with_mean(1.0), with_mean(0.0)
    for weight, expected in ((1.0, conditional), (0.0, unconditional)):
        guided = classifier_free(conditional, unconditional, strength=weight)
        assert_same(guided(x_t, t), expected(x_t, t), 1e-12)


def test_each_is_asked_once_a_step():
    conditional, one = counted(with_mean(1.0))
    unconditional, other = counted(with_mean(0.0))
    guided = classifier_free(conditional, unconditional, strength=2.0)
    run(DDIM(), guided, 7)
    assert len(one) == len(other) == 7
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def run(solver, denoiser, n: int) -> Function:
    return sample(
        solver,
        denoiser,
        on=GRID,
        times=timesteps(n),
        batch=2,
        channels=1,
        generator=torch.Generator().manual_seed(3),
        start=drawn(5),
    )


@given(seed=st.integers(0, 2**31), weight=st.floats(-2.0, 5.0))
def test_of_two_normals_it_is_the_denoiser_of_a_third(seed: int, weight: float):
    x_t, t = drawn(seed), times(seed)
    guided = classifier_free(with_mean(1.0), with_mean(0.0), strength=weight)
    assert_same(guided(x_t, t), with_mean(weight)(x_t, t), 1e-8)


@pytest.mark.parametrize("solver", [DDIM(), DDIM(1.0), Heun(), DPMSolverPP(), UniPC()], ids=repr)
def test_every_solver_draws_from_the_third(solver):
    guided = classifier_free(with_mean(1.0), with_mean(0.0), strength=1.7)
    a, b = run(solver, guided, 6), run(solver, with_mean(1.7), 6)
    torch.testing.assert_close(a.values, b.values, rtol=1e-7, atol=1e-7)


def test_a_denoiser_without_a_clean_estimate_leaves_none():
    network = as_denoiser(PROCESS, lambda x, t: x * 0.1, predict=NoisePrediction())
    guided = classifier_free(with_mean(1.0), network, strength=2.0)
    assert guided(drawn(0), times(0)).clean is None


@pytest.mark.parametrize("strength", [float("nan"), float("inf")])
def test_a_strength_that_is_not_finite_is_refused(strength: float):
    with pytest.raises(ValueError, match="strength must be a finite number"):
        classifier_free(with_mean(1.0), with_mean(0.0), strength=strength)
