"""The denoising loss is the weighted mean square of a dense computation, on any subset."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inftydiff import (
    Box,
    CleanPrediction,
    CosineSchedule,
    DiffusionProcess,
    Function,
    GaussianMeasure,
    Grid,
    LinearSchedule,
    NoisePrediction,
    SignalPrediction,
    Subset,
    VelocityPrediction,
    WhiteNoise,
    as_denoiser,
    denoising_loss,
    gaussian_mollifier,
)
from inftydiff.testing import matrix_of
from inftydiff.testing.strategies import seeds, subsets

ALL = [NoisePrediction(), SignalPrediction(), CleanPrediction(), VelocityPrediction()]
GRID = Grid((4, 3), Box((1.0, 0.75)))
T = gaussian_mollifier(0.15)
PROCESS = DiffusionProcess.mollified(CosineSchedule(), T, noise=WhiteNoise(0.3))


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def clean(seed: int, batch: int = 2, channels: int = 2) -> Function:
    shape = (batch, GRID.size, channels)
    return Function(GRID, torch.randn(*shape, generator=generator(seed), dtype=torch.float64))


def pointwise(x: Function, t: torch.Tensor) -> Function:
    """A model that acts on each point by itself."""
    return Function(x.on, 0.3 * x.values + t[:, None, None] * x.values.sin())


def times(seed: int, batch: int = 2) -> torch.Tensor:
    return 0.05 + 0.9 * torch.rand(batch, generator=generator(seed + 7), dtype=torch.float64)


@pytest.mark.thorough
@pytest.mark.parametrize("predict", ALL)
@given(data=st.data(), seed=seeds(), sampled=st.booleans())
def test_it_equals_a_dense_computation(predict, data, seed: int, sampled: bool):
    x0, t = clean(seed), times(seed)
    at = data.draw(subsets(GRID, batch=2)) if sampled else None
    index = at.index if sampled else torch.arange(GRID.size).expand(2, -1)
    loss = denoising_loss(
        as_denoiser(PROCESS, pointwise, predict=predict), x0, t, at=at, generator=generator(seed)
    )

    draw = PROCESS.noise.draw(GRID.domain, batch=2, channels=2, generator=generator(seed))
    noise = T(draw)(GRID, dtype=torch.float64).values
    signal = matrix_of(T, GRID)[0] @ x0.values
    alpha, sigma = (
        a[:, None, None] for a in (PROCESS.schedule.alpha(t), PROCESS.schedule.sigma(t))
    )
    target = {
        NoisePrediction: noise,
        SignalPrediction: signal,
        CleanPrediction: x0.values,
        VelocityPrediction: alpha * noise - sigma * signal,
    }[type(predict)]
    x_t = alpha * signal + sigma * noise
    error = 0.3 * x_t + t[:, None, None] * x_t.sin() - target
    expected = torch.stack([error[b, index[b]].square().mean() for b in range(2)])
    torch.testing.assert_close(loss, expected, rtol=1e-10, atol=0)


@pytest.mark.parametrize("predict", ALL)
@pytest.mark.parametrize("size", [1, 2, 5])
def test_over_all_subsets_of_a_size_its_mean_is_the_full_loss(predict, size: int):
    grid = Grid((5,))
    x0 = Function(grid, torch.randn(1, 5, 2, generator=generator(1), dtype=torch.float64))
    t = torch.tensor([0.4], dtype=torch.float64)
    whole = denoising_loss(
        as_denoiser(PROCESS_1D, pointwise, predict=predict), x0, t, generator=generator(2)
    )
    parts = [
        denoising_loss(
            as_denoiser(PROCESS_1D, pointwise, predict=predict),
            x0,
            t,
            at=Subset(grid, torch.tensor(chosen)),
            generator=generator(2),
        )
        for chosen in itertools.combinations(range(5), size)
    ]
    torch.testing.assert_close(torch.stack(parts).mean(0), whole, rtol=1e-12, atol=0)


PROCESS_1D = DiffusionProcess.noise_only(LinearSchedule(), T, noise=WhiteNoise(0.5))


@pytest.mark.parametrize("kind", ["white", "mollified", "noise_only"])
def test_an_untrained_network_that_is_zero_has_the_variance_of_the_noise(kind: str):
    schedule, noise, batch = CosineSchedule(), WhiteNoise(0.3), 2_000
    process = {
        "white": DiffusionProcess.white(schedule, noise=noise),
        "mollified": DiffusionProcess.mollified(schedule, T, noise=noise),
        "noise_only": DiffusionProcess.noise_only(schedule, T, noise=noise),
    }[kind]
    loss = denoising_loss(
        as_denoiser(process, lambda x, t: x * 0.0, predict=NoisePrediction()),
        clean(0, batch=batch, channels=1),
        times(0, batch=batch),
        generator=generator(5),
    )
    C = GaussianMeasure(None, process.noise_factor, noise).covariance(GRID)
    expected = C.diagonal().mean()
    spread = (2 * C.square().sum() / GRID.size**2 / batch).sqrt()
    assert abs(loss.mean() - expected) < 5 * spread
    assert abs(loss.var() / (2 * C.square().sum() / GRID.size**2) - 1) < 0.4


def test_the_paper_s_untrained_loss_is_eight_hundredths_on_a_quarter_of_the_points():
    grid = Grid((64, 64))
    process = DiffusionProcess.mollified(
        CosineSchedule(), gaussian_mollifier(1 / 64), noise=WhiteNoise(1 / 64)
    )
    index = torch.rand(8, grid.size, generator=generator(0)).argsort(-1)[:, : grid.size // 4]
    loss = denoising_loss(
        as_denoiser(process, lambda x, t: x * 0.0, predict=NoisePrediction()),
        Function(grid, torch.zeros(8, grid.size, 3)),
        torch.rand(8, generator=generator(1)),
        at=Subset(grid, index),
        generator=generator(2),
    )
    assert loss.mean().item() == pytest.approx(0.083, abs=0.004)
    assert loss.dtype == torch.float32


def test_a_perfect_network_has_no_loss():
    x0, t = clean(0), times(0)
    draw = PROCESS.noise.draw(GRID.domain, batch=2, channels=2, generator=generator(3))
    noise = T(draw)(GRID, dtype=torch.float64)
    loss = denoising_loss(
        as_denoiser(PROCESS, lambda x, t: noise, predict=NoisePrediction()),
        x0,
        t,
        generator=generator(3),
    )
    assert torch.equal(loss, torch.zeros(2, dtype=torch.float64))


def test_the_gradient_reaches_the_model():
    weight = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    loss = denoising_loss(
        as_denoiser(
            PROCESS, lambda x, t: Function(x.on, weight * x.values), predict=NoisePrediction()
        ),
        clean(0),
        times(0),
        generator=generator(0),
    )
    loss.sum().backward()
    assert weight.grad is not None
    assert weight.grad.abs() > 0


@given(seed=seeds())
def test_a_larger_batch_begins_with_the_smaller(seed: int):
    x0, t = clean(seed, batch=4), times(seed, batch=4)
    whole = denoising_loss(
        as_denoiser(PROCESS, pointwise, predict=NoisePrediction()), x0, t, generator=generator(seed)
    )
    few = Function(GRID, x0.values[:2])
    part = denoising_loss(
        as_denoiser(PROCESS, pointwise, predict=NoisePrediction()),
        few,
        t[:2],
        generator=generator(seed),
    )
    torch.testing.assert_close(whole[:2], part, rtol=1e-12, atol=0)
