"""The absolute error is the weighted mean of |f − y|, and noise drawn before is the noise drawn."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inftydiff import (
    CosineSchedule,
    DiffusionProcess,
    Function,
    Grid,
    NoisePrediction,
    VelocityPrediction,
    WhiteNoise,
    as_denoiser,
    denoising_loss,
    gaussian_mollifier,
)
from inftydiff.testing.strategies import seeds, subsets

GRID = Grid((4, 3))
T = gaussian_mollifier(0.15)
COSINE = CosineSchedule()
PROCESS = DiffusionProcess.mollified(COSINE, T, noise=WhiteNoise(0.3))
TIMES = torch.tensor([0.3, 0.8], dtype=torch.float64)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def clean(seed: int) -> Function:
    return Function(GRID, torch.randn(2, 12, 2, generator=seeded(seed), dtype=torch.float64))


def pointwise(x: Function, t: torch.Tensor) -> Function:
    return Function(x.on, 0.3 * x.values + t[:, None, None] * x.values.sin())


def white(seed: int):
    return PROCESS.noise.draw(GRID.domain, batch=2, channels=2, generator=seeded(seed))


@pytest.mark.parametrize("predict", [NoisePrediction(), VelocityPrediction()], ids=repr)
@given(data=st.data(), seed=seeds(), sampled=st.booleans())
def test_the_absolute_error(predict, data, seed: int, sampled: bool):
    x0, noise = clean(seed), white(seed)
    at = data.draw(subsets(GRID, batch=2)) if sampled else None
    alpha, sigma = (
        f(TIMES)[:, None, None] for f in (CosineSchedule().alpha, CosineSchedule().sigma)
    )
    signal, xi = T(x0).values, T(noise)(GRID, dtype=torch.float64).values
    noisy = alpha * signal + sigma * xi
    target = xi if isinstance(predict, NoisePrediction) else alpha * xi - sigma * signal
    difference = pointwise(Function(GRID, noisy), TIMES).values - target
    if at is not None:
        rows = torch.arange(2)[:, None]
        difference = difference[rows, at.index]
    found = denoising_loss(
        as_denoiser(PROCESS, pointwise, predict=predict),
        x0,
        TIMES,
        at=at,
        error="absolute",
        noise=noise,
    )
    torch.testing.assert_close(found, difference.abs().mean((1, 2)), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("error", ["square", "absolute"])
@given(seed=seeds())
def test_noise_drawn_before_is_that_of_the_generator(error: str, seed: int):
    denoiser = as_denoiser(PROCESS, pointwise, predict=NoisePrediction())
    a = denoising_loss(denoiser, clean(seed), TIMES, generator=seeded(seed), error=error)
    b = denoising_loss(denoiser, clean(seed), TIMES, noise=white(seed), error=error)
    assert torch.equal(a, b)


def test_the_parts_of_a_batch_have_the_losses_of_the_whole():
    x0, noise = clean(0), white(1)
    denoiser = as_denoiser(PROCESS, pointwise, predict=NoisePrediction())
    whole = denoising_loss(denoiser, x0, TIMES, noise=noise)
    for i in range(2):
        part = Function(GRID, x0.values[i : i + 1])
        alone = denoising_loss(denoiser, part, TIMES[i : i + 1], noise=noise.samples(i, 1))
        torch.testing.assert_close(alone, whole[i : i + 1], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("keywords", "match"),
    [
        ({}, "one of generator= and noise="),
        ({"generator": seeded(0), "noise": white(0)}, "one of generator= and noise="),
        ({"generator": seeded(0), "error": "cube"}, "'square' or 'absolute'|error"),
    ],
)
def test_what_cannot_be_is_refused(keywords, match):
    with pytest.raises((ValueError, TypeError), match=match):
        denoising_loss(
            as_denoiser(PROCESS, pointwise, predict=NoisePrediction()), clean(0), TIMES, **keywords
        )
