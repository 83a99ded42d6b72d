"""InftyDiff.invert mollifies, encodes and goes up; sample goes back down from what it gives."""

import dataclasses

import pytest
import torch
from networks import randomised

from inftydiff import (
    DDIM,
    DDIMInversion,
    FixedPointInversion,
    Function,
    Grid,
    HeunInversion,
    invert,
    recommended_timesteps,
    timesteps,
)
from inftydiff.pipelines import InftyDiff, preset
from inftydiff.processes import VelocityPrediction

GRID = Grid((12, 12))


def model(**changes) -> InftyDiff:
    """A tiny model whose answers are small, so that its flow is no wilder than a trained one's."""
    pipeline = randomised(InftyDiff(dataclasses.replace(preset("tiny", resolution=16), **changes)))
    with torch.no_grad():
        pipeline.network.projection.weight.mul_(0.1)
        pipeline.network.projection.bias.mul_(0.1)
    return pipeline


def functions(batch: int = 2) -> Function:
    generator = torch.Generator().manual_seed(5)
    values = torch.randn(batch, GRID.size, 3, generator=generator, dtype=torch.float64)
    return Function(GRID, values.tanh())


@pytest.mark.parametrize("inversion", [DDIMInversion(), HeunInversion()])
def test_the_parts(inversion):
    pipeline, x0 = model(), functions()
    times = recommended_timesteps(3, DDIM(), pipeline.process.schedule)
    signal = pipeline.process.constant_signal(x0)
    with torch.no_grad():
        expected = invert(inversion, pipeline.denoiser(), signal, times=times).values
    found = pipeline.invert(x0, times=times, inversion=inversion)
    assert torch.equal(found.values, expected)
    assert not found.values.requires_grad


def test_the_latents_are_those_of_the_functions():
    pipeline, x0 = model(latent=4), functions()
    times = recommended_timesteps(2, DDIM(), pipeline.process.schedule)
    found = pipeline.invert(x0, times=times)
    given = pipeline.invert(x0, times=times, latent=pipeline.encode(x0))
    other = pipeline.invert(x0, times=times, latent=-pipeline.encode(x0))
    assert torch.equal(found.values, given.values)
    assert not torch.equal(found.values, other.values)


def test_sampling_goes_back():
    pipeline, x0 = model(range_floor=None, clip=None, predict=VelocityPrediction()), functions(1)
    times = timesteps(8, spacing="log_snr", schedule=pipeline.process.schedule, end=0.02)
    inversion = FixedPointInversion(tolerance=1e-10, iterations=60)
    noise = pipeline.invert(x0, times=times, inversion=inversion)
    back = pipeline.sample(
        on=GRID,
        oversample=1,
        batch=1,
        generator=torch.Generator(),
        solver=inversion.solver,
        times=times,
        start=noise,
        deconvolve=False,
    )
    signal = pipeline.process.constant_signal(x0)
    assert (back - signal).norm() < 1e-7 * signal.norm()
