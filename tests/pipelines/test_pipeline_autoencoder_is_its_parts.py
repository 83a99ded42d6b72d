"""The methods of a model with latents are compositions of encoder, prior and network."""

import dataclasses
from functools import partial

import pytest
import torch
from autoencoders import LATENT, autoencoder, autoencoder_config, seeded
from hypothesis import given
from hypothesis import strategies as st
from networks import functions, randomised, subset_of, times

from inftydiff import Function, Grid, as_denoiser, denoising_loss, timesteps
from inftydiff.models import LatentPriorConfig
from inftydiff.pipelines import InftyDiff, preset

GRID = Grid((16, 16))
MODEL = autoencoder()


def close(a: torch.Tensor, b: torch.Tensor) -> None:
    torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)


def test_samples_are_decoded_from_drawn_latents():
    g = seeded(4)
    start = MODEL.start(on=GRID, batch=3, generator=g)  # the noise first, then the latents
    latent = MODEL.draw_latents(batch=3, generator=g)
    expected = MODEL.decode(latent, on=GRID, generator=g, start=start)
    drawn = MODEL.sample(on=GRID, batch=3, generator=seeded(4))
    assert torch.equal(drawn.values, expected.values)
    other = MODEL.decode(latent + 1.0, on=GRID, generator=g, start=start)
    assert (other.values - drawn.values).abs().max() > 1e-4


def test_drawn_latents_are_the_priors():
    drawn = MODEL.draw_latents(batch=3, generator=seeded(4))
    assert torch.equal(drawn, MODEL.prior.sample(batch=3, generator=seeded(4)))
    assert drawn.shape == (3, LATENT)


def test_a_batch_of_samples_begins_with_a_smaller_one():
    few, many = (MODEL.sample(on=GRID, batch=n, generator=seeded(2)).values for n in (1, 3))
    close(few, many[:1])


@given(size=st.integers(60, 256), seed=st.integers(0, 2**31))
def test_latents_are_the_encoders(size: int, seed: int):
    x = functions(subset_of(GRID, size, seed), seed)
    with torch.no_grad():
        assert torch.equal(MODEL.encode(x), MODEL.encoder(x).mean)


def test_a_reconstruction_is_a_decoded_latent():
    x, on = functions(subset_of(GRID, 100)), Grid((24, 24))
    found = MODEL.reconstruct(x, on=on, generator=seeded(1))
    expected = MODEL.decode(MODEL.encode(x), on=on, generator=seeded(1))
    assert torch.equal(found.values, expected.values)


def test_the_ends_of_an_interpolation_are_the_decoded_ends():
    first, last = torch.randn(2, LATENT, generator=seeded(), dtype=torch.float64)
    path = MODEL.interpolate(first, last, count=4, on=GRID, generator=seeded(5))
    start = MODEL.start(on=GRID, batch=1, generator=seeded(5))
    for place, weight in ((0, 0.0), (1, 1 / 3), (3, 1.0)):
        latent = (1.0 - weight) * first + weight * last
        alone = MODEL.decode(latent[None], on=GRID, generator=seeded(), start=start)
        close(path.values[place], alone.values[0])


@pytest.mark.parametrize("count", [0, 1])
def test_an_interpolation_has_two_ends(count: int):
    z = torch.zeros(LATENT, dtype=torch.float64)
    with pytest.raises(ValueError, match="two ends|at least 1"):
        MODEL.interpolate(z, z, count=count, on=GRID, generator=seeded())


@pytest.mark.parametrize("variational", [True, False])
@pytest.mark.parametrize("sparse", [True, False])
def test_the_loss(variational: bool, sparse: bool):
    weight = 0.3 if variational else None
    model = autoencoder(kl_weight=weight)
    x0 = Function(GRID, functions(GRID).values.tanh())
    at = subset_of(GRID, 90) if sparse else None
    seen = x0.restrict(subset_of(GRID, 120, seed=1)) if sparse else None
    t, normals = times(), torch.randn(2, LATENT, generator=seeded(8), dtype=torch.float64)
    code = model.encoder(x0 if seen is None else seen)
    latent = code.mean
    if variational:
        latent = latent + code.log_variance.exp().sqrt() * normals
    expected = denoising_loss(
        as_denoiser(model.process, partial(model.network, latent=latent), predict=model.predict),
        x0,
        t,
        at=at,
        generator=seeded(1),
    )
    if variational:
        expected = expected + 0.3 * code.divergence()
    found = model.loss(x0, t, at=at, seen=seen, generator=seeded(1), latent_noise=normals)
    close(found, expected)
    found.sum().backward()
    assert all(p.grad is not None for p in [*model.encoder.parameters()])
    assert all(p.grad is None for p in model.prior.parameters())


def test_a_model_without_latents_has_none_and_says_so():
    plain = randomised(InftyDiff(preset("tiny", resolution=16)))
    z = torch.zeros(2, LATENT, dtype=torch.float64)
    assert plain.encoder is None
    assert plain.prior is None
    assert plain.draw_latents(batch=2, generator=seeded()) is None
    with pytest.raises(ValueError, match="no encoder: its network takes no latent"):
        plain.encode(functions(GRID))
    with pytest.raises(ValueError, match="no latents to decode"):
        plain.decode(z, on=GRID, generator=seeded())
    with pytest.raises(ValueError, match="no encoder"):
        plain.reconstruct(functions(GRID), on=GRID, generator=seeded())
    with pytest.raises(ValueError, match="no latents to decode"):
        plain.interpolate(z[0], z[1], count=2, on=GRID, generator=seeded())
    with pytest.raises(ValueError, match="leave out seen="):
        plain.loss(functions(GRID), times(), seen=functions(GRID), generator=seeded())
    with pytest.raises(TypeError, match="takes no latent"):
        plain.sample(on=GRID, batch=2, generator=seeded(), latent=z, times=timesteps(1))


def test_a_model_without_a_prior_says_how_to_get_one():
    model = autoencoder(prior=None)
    with pytest.raises(ValueError, match="no prior to draw them from.*train-prior"):
        model.sample(on=GRID, batch=1, generator=seeded())
    z = torch.zeros(1, LATENT, dtype=torch.float64)
    assert model.decode(z, on=GRID, generator=seeded()).values.isfinite().all()


def test_a_prior_that_is_not_fitted_says_so():
    with pytest.raises(ValueError, match="does not know the spread.*train-prior"):
        autoencoder(fitted=False).sample(on=GRID, batch=1, generator=seeded())


@pytest.mark.parametrize("change", [{"prior": LatentPriorConfig(8, 2)}, {"kl_weight": 0.1}])
def test_a_prior_needs_latents(change):
    with pytest.raises(ValueError, match="for its latents, and it has none"):
        dataclasses.replace(preset("tiny"), **change)


def test_encoding_and_sampling_leave_the_mode_as_it_was():
    model = autoencoder().train()
    model.encode(functions(GRID))
    model.sample(on=GRID, batch=1, generator=seeded(), times=timesteps(1))
    assert all(module.training for module in model.modules())


def test_coarse_reconstructions_are_averages_of_finer_ones():
    model = autoencoder(training_resolution=16)
    x, coarse = functions(GRID), Grid((8, 8))
    found = model.reconstruct(x, on=coarse, generator=seeded(1)).to_image()
    fine = model.reconstruct(x, on=GRID, generator=seeded(1)).to_image()
    close(found, torch.nn.functional.avg_pool2d(fine, 2))


def test_the_configuration_survives_json():
    config = autoencoder_config(kl_weight=0.1, prior=LatentPriorConfig(8, 2, condition=3))
    assert type(config).from_json(config.to_json()) == config
