"""The ends of a way between two samples are the samples, and the noise between has their law."""

import jaxtyping
import pytest
import torch
from autoencoders import autoencoder, seeded
from hypothesis import given, settings
from hypothesis import strategies as st
from task_models import exact_model

from inftydiff.operators import Box, Grid
from inftydiff.pipelines import InftyDiff, tasks
from inftydiff.pipelines.tasks._encodings import mixed_noise

MODELS = {"with latents": autoencoder(), "without": exact_model(steps=3)}


@pytest.mark.thorough
@pytest.mark.parametrize("name", MODELS)
@settings(deadline=None, max_examples=4)
@given(
    size=st.integers(4, 24),
    seeds=st.lists(st.integers(0, 2**31), min_size=2, max_size=2, unique=True),
)
def test_the_ends_are_samples(name: str, size: int, seeds: list[int]):
    model = MODELS[name]
    on = model.grid(size)
    way = tasks.interpolate_samples(model, *map(seeded, seeds), count=3, on=on)
    assert tuple(way.samples.values.shape) == (3, 1, on.size, 3)
    assert way.on == on
    for place, seed in ((0, seeds[0]), (-1, seeds[1])):
        alone = model.sample(on=on, batch=1, generator=seeded(seed)).values
        torch.testing.assert_close(way.samples.values[place], alone, rtol=1e-8, atol=1e-8)
        torch.testing.assert_close(way.observed.values[place], alone[0], rtol=1e-8, atol=1e-8)


def test_between_the_ends_is_what_the_mixed_noise_and_the_mean_latent_give():
    model = MODELS["with latents"]
    on = model.grid(16)
    way = tasks.interpolate_samples(model, seeded(3), seeded(8), count=3, on=on)
    starts, latents = [], []
    for seed in (3, 8):
        g = seeded(seed)
        starts.append(model.start(on=on, batch=1, generator=g))
        latents.append(model.draw_latents(batch=1, generator=g))
    middle = model.decode(
        (latents[0] + latents[1]) / 2,
        on=on,
        generator=seeded(),
        start=(starts[0] + starts[1]) * 0.5**0.5,
    )
    torch.testing.assert_close(way.samples.values[1], middle.values, rtol=1e-8, atol=1e-8)


@given(weight=st.floats(0, 1), seed=st.integers(0, 2**20))
def test_mixed_noise_has_the_variance_of_its_parts(weight: float, seed: int):
    draws = torch.randn(2, 40_000, 1, generator=seeded(seed), dtype=torch.float64)
    mixed = mixed_noise(draws[0], draws[1], torch.tensor([weight], dtype=torch.float64))
    assert abs(mixed.var().item() - 1.0) < 6 * (2 / 40_000) ** 0.5


def refused(match: str, model: InftyDiff, **changes) -> None:
    arguments = {"count": 3, "on": model.grid(8), **changes}
    with pytest.raises(ValueError, match=match):
        tasks.interpolate_samples(model, seeded(0), seeded(1), **arguments)


def test_what_has_no_ways_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    model = MODELS["with latents"]
    refused("at least its two ends", model, count=1)
    refused("functions live on Box", model, on=Grid((4, 8), Box((0.5, 1.0))))
    refused("no prior to draw them from", autoencoder(prior=None))
    refused("has not been trained", autoencoder(fitted=False))
