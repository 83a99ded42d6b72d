"""Latents are divided by their spread, and the loss is the mean error of the predicted noise."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from networks import randomised

from inftydiff import Function, Grid, Point
from inftydiff.models import LatentPriorConfig
from inftydiff.pipelines._latent_prior import LatentPrior

PLACE = Grid((), Point())
LATENT = 4


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def latents(count: int, seed: int = 0) -> torch.Tensor:
    z = torch.randn(count, LATENT, generator=seeded(seed), dtype=torch.float64)
    return z @ torch.tensor([[2.0, 1, 0, 0], [0, 1, 0, 3], [0, 0, 5, 0], [1, 0, 0, 1]]).double() + 7


def diffusion(seed: int = 0, condition: int | None = None) -> LatentPrior:
    config = LatentPriorConfig(width=16, layers=3, condition=condition)
    return randomised(LatentPrior(LATENT, config), seed)


@given(count=st.integers(2, 50), seed=st.integers(0, 2**31))
def test_normalised_latents_have_mean_zero_and_unit_spread(count: int, seed: int):
    prior, z = diffusion(), latents(count, seed)
    prior.fit(z)
    assert prior.fitted
    normed = prior.normalise(z).numpy()
    np.testing.assert_allclose(normed.mean(0), 0.0, atol=1e-4)
    np.testing.assert_allclose(normed.std(0, ddof=1), 1.0, rtol=1e-4)
    expected = (z.numpy() - z.numpy().mean(0)) / z.numpy().std(0, ddof=1)
    np.testing.assert_allclose(normed, expected, atol=1e-4)


def test_the_statistics_are_saved_with_the_weights():
    prior, other = diffusion(), diffusion(1)
    prior.fit(latents(10))
    other.load_state_dict(prior.state_dict())
    assert other.fitted
    assert torch.equal(other.normalise(latents(3)), prior.normalise(latents(3)))


@given(seed=st.integers(0, 2**31), conditioned=st.booleans(), drawn_before=st.booleans())
def test_the_loss(seed: int, conditioned: bool, drawn_before: bool):
    prior = diffusion(seed, condition=3 if conditioned else None)
    prior.fit(latents(30, seed))
    z, t = latents(5, seed + 1), torch.rand(5, generator=seeded(seed), dtype=torch.float64)
    keywords = {}
    if conditioned:
        keywords["latent"] = torch.randn(5, 3, generator=seeded(seed), dtype=torch.float64)
        keywords["known"] = torch.tensor([True, False, True, True, False])
    noise = prior.process.noise.draw(Point(), batch=5, channels=LATENT, generator=seeded(9))
    source = {"noise": noise} if drawn_before else {"generator": seeded(9)}
    renamed = {"condition": keywords.get("latent"), "known": keywords.get("known")}
    loss = prior.loss(z, t, **renamed, **source)

    xi = noise(PLACE, dtype=torch.float64).values
    bar = torch.tensor([(1 - 0.008) ** (1000 * s) for s in t.tolist()], dtype=torch.float64)
    clean = ((z - prior.mean) / prior.spread).unsqueeze(1)
    x_t = bar.sqrt()[:, None, None] * clean + (1 - bar).sqrt()[:, None, None] * xi
    answer = prior.network(Function(PLACE, x_t), t, **keywords).values
    expected = (answer - xi).abs().mean((1, 2))
    torch.testing.assert_close(loss, expected, rtol=1e-5, atol=1e-6)


def test_the_loss_of_a_new_prior_is_the_mean_of_a_normal_s_absolute_value():
    prior = LatentPrior(LATENT, LatentPriorConfig(width=16, layers=2)).double()
    prior.fit(latents(30))
    z = latents(1).expand(20_000, -1)
    loss = prior.loss(z, torch.full((20_000,), 0.3).double(), generator=seeded())
    spread = math.sqrt((1 - 2 / math.pi) / (LATENT * 20_000))
    assert abs(loss.mean().item() - math.sqrt(2 / math.pi)) < 5 * spread


def test_a_prior_that_is_not_fitted_refuses_to_sample():
    assert not diffusion().fitted
    with pytest.raises(ValueError, match="does not know the spread of the latents"):
        diffusion().sample(batch=1, generator=seeded())


@pytest.mark.parametrize(
    ("z", "match"),
    [
        (latents(1), "at least two latents; got 1"),
        (latents(5) * torch.tensor([1.0, 0.0, 1.0, 0.0]), "2 features of the latents are the same"),
        (latents(5).fill_(torch.nan), "Latents"),
    ],
)
def test_latents_without_a_spread_are_refused(z, match):
    prior = diffusion()
    with pytest.raises(ValueError, match=match):
        prior.fit(z)
    assert not prior.fitted
