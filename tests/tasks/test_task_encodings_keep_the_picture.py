"""Encodings go back to the picture, with the modes that it has not drawn anew."""

import pytest
import torch
from autoencoders import autoencoder
from task_models import exact_model, seeded, smooth_pictures

from inftydiff import Function, Grid, interpolate, recommended_timesteps
from inftydiff.operators.basis import eigenbasis
from inftydiff.pipelines import tasks
from inftydiff.pipelines.tasks._encodings import DOWN, mixed_noise, with_drawn_modes

MODEL = exact_model(steps=60)


def test_low_modes_are_the_encoding_s_and_the_others_drawn():
    fine, coarse = Grid((6, 8)), Grid((2, 3))
    one, other = (
        Function(fine, torch.randn(2, 48, 3, generator=seeded(k), dtype=torch.float64))
        for k in (0, 1)
    )
    mixed = with_drawn_modes(one, other, coarse=coarse)
    found, low, high = (eigenbasis(fine.domain).analysis(f.to_image()) for f in (mixed, one, other))
    torch.testing.assert_close(found[..., :2, :3], low[..., :2, :3])
    torch.testing.assert_close(found[..., 2:, :], high[..., 2:, :])
    torch.testing.assert_close(found[..., 3:], high[..., 3:])


@pytest.mark.thorough
def test_a_picture_is_made_finer_and_kept():
    x = smooth_pictures(MODEL, 8)
    on = MODEL.grid(16)
    found = tasks.super_resolve(
        MODEL, x, on=on, method="encodings", samples=2, composite=False, generator=seeded()
    )
    assert (found.misfit < 0.1 * x.values.std()).all()
    assert found.std.values.max() > 0.0
    near = interpolate(x, on).values
    assert (found.mean.values - near).square().mean().sqrt() < 0.15 * near.std()


@pytest.mark.thorough
def test_the_ends_of_a_way_of_encodings_are_the_pictures():
    x = smooth_pictures(MODEL, 8, count=2)
    way = tasks.interpolate(MODEL, x, count=3, encodings=True, generator=seeded())
    ends = way.samples.values[[0, 2], 0]
    assert (ends - x.values).square().mean().sqrt() < 0.05 * x.values.std()
    assert (way.samples.values[1, 0] - x.values).abs().amax(1).min() > 0.0


def test_noises_are_mixed_with_the_variance_that_they_have():
    a, b = (torch.randn(20000, 1, generator=seeded(k), dtype=torch.float64) for k in (0, 1))
    weights = torch.linspace(0.0, 1.0, 5, dtype=torch.float64)
    mixed = mixed_noise(a, b, weights)
    torch.testing.assert_close(mixed[0], a)
    torch.testing.assert_close(mixed[-1], b)
    assert ((mixed.std(1) - 1.0).abs() < 5.0 / 20000**0.5).all()


def test_models_with_latents_encode_with_their_own():
    model = autoencoder()
    x = Function(model.grid(16), torch.rand(2, 256, 3, generator=seeded()).double())
    times = recommended_timesteps(3, DOWN, model.process.schedule)
    noise = model.invert(x, times=times, latent=model.encode(x))
    way = tasks.interpolate(model, x, count=2, encodings=True, generator=seeded())
    back = model.sample(
        on=x.on,
        batch=2,
        generator=seeded(),
        solver=DOWN,
        times=times,
        start=noise,
        latent=model.encode(x),
        oversample=1,
    )
    torch.testing.assert_close(way.samples.values[:, 0], back.values)


def test_what_has_no_encoding_is_refused():
    model = autoencoder()
    x = Function(model.grid(16), torch.rand(2, 256, 3, generator=seeded()).double())
    prior = tasks.Sampling(latent="prior")
    with pytest.raises(ValueError, match="not with one of the prior"):
        tasks.super_resolve(model, x, on=x.on, method="encodings", how=prior, generator=seeded())
    with pytest.raises(ValueError, match="leave nothing to draw"):
        tasks.interpolate(model, x, count=3, samples=2, encodings=True, generator=seeded())
