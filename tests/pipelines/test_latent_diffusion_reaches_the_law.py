"""With the exact denoiser of Gaussian latents, the prior draws latents of their law.

The network is replaced by the conditional mean of the noise, in closed form. The law of the samples
is then that of an affine map of the first state, which is read off impulses; the law of conditioned
and of guided samples follows likewise.
"""

import pytest
import torch
from torch import nn

from inftydiff import Function
from inftydiff.models import LatentPriorConfig
from inftydiff.pipelines._latent_prior import PLACE, RULE, SCHEDULE, TIMES, LatentPrior
from inftydiff.processes import classifier_free, sample

LATENT = 3
MEAN = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
FACTOR = torch.tensor([[1.5, 0, 0], [0.7, 0.4, 0], [-0.2, 0.3, 2.0]], dtype=torch.float64)
COVARIANCE = FACTOR @ FACTOR.T
SPREAD = COVARIANCE.diagonal().sqrt()
CORRELATION = COVARIANCE / SPREAD.outer(SPREAD)
OFFSET = torch.tensor([0.4, 0.0, -0.3], dtype=torch.float64)


class Exact(nn.Module):
    """The mean of the noise given a noisy normalised latent, and what it is conditioned on.

    Given a condition c, latents have the mean c · OFFSET and half the covariance.
    """

    latent = LATENT

    def forward(self, x, t, *, on=None, latent=None, condition=None, known=None):
        alpha, sigma = (f(t.double())[:, None] for f in (SCHEDULE.alpha, SCHEDULE.sigma))
        y = x.values.squeeze(1)
        mean = torch.zeros(LATENT, dtype=y.dtype) if latent is None else latent * OFFSET
        share = 1.0 if latent is None else 0.5
        identity = torch.eye(LATENT, dtype=y.dtype)
        total = alpha[..., None] ** 2 * share * CORRELATION + sigma[..., None] ** 2 * identity
        noise = torch.linalg.solve(total, (y - alpha * mean).unsqueeze(-1)).squeeze(-1)
        return Function(x.on, (sigma * noise).unsqueeze(1))


def prior() -> LatentPrior:
    made = LatentPrior(LATENT, LatentPriorConfig(width=8, layers=2, condition=1)).double()
    made.mean.copy_(MEAN)
    made.spread.copy_(SPREAD)
    made.network = Exact()
    return made


def affine(denoiser) -> tuple[torch.Tensor, torch.Tensor]:
    """The shift and the matrix of the map from first states to samples, both normalised."""
    batch = LATENT + 1
    start = torch.cat([torch.zeros(1, LATENT), torch.eye(LATENT)]).double()
    out = sample(
        RULE,
        denoiser,
        on=PLACE,
        times=TIMES,
        batch=batch,
        channels=LATENT,
        generator=torch.Generator().manual_seed(0),
        start=Function(PLACE, start.unsqueeze(1)),
    ).values.squeeze(1)
    return out[0], (out[1:] - out[0]).T


def law(denoiser) -> tuple[torch.Tensor, torch.Tensor]:
    shift, matrix = affine(denoiser)
    return shift, float(SCHEDULE.sigma(torch.ones(()).double())) ** 2 * matrix @ matrix.T


def test_the_law_of_the_samples_is_that_of_the_latents():
    mean, covariance = law(prior().denoiser())
    assert mean.abs().max() < 1e-12
    torch.testing.assert_close(covariance, CORRELATION, rtol=0.02, atol=0.01)


def test_samples_have_it_scaled_and_shifted_back():
    z = prior().sample(batch=20_000, generator=torch.Generator().manual_seed(1))
    assert z.dtype == torch.float64
    error = z.mean(0) - MEAN
    assert (error.abs() < 5 * SPREAD / 20_000**0.5).all()
    spread = SPREAD.outer(SPREAD) * (1 + CORRELATION**2).sqrt() / 20_000**0.5
    assert ((z.T.cov() - COVARIANCE).abs() < 5 * spread + 0.02 * COVARIANCE.abs()).all()


def test_one_seed_is_one_sample_and_a_batch_begins_with_a_smaller_one():
    few, many = (
        prior().sample(batch=n, generator=torch.Generator().manual_seed(2)) for n in (2, 5)
    )
    torch.testing.assert_close(few, many[:2], rtol=1e-10, atol=1e-12)


def test_conditioned_samples_have_the_conditional_law():
    c = torch.full((LATENT + 1, 1), 2.0, dtype=torch.float64)
    mean, covariance = law(prior().denoiser(c))
    torch.testing.assert_close(mean, 2.0 * OFFSET, rtol=0.02, atol=0.01)
    torch.testing.assert_close(covariance, 0.5 * CORRELATION, rtol=0.02, atol=0.01)


@pytest.mark.thorough
@pytest.mark.parametrize("weight", [0.0, 1.0, 2.5])
def test_guidance_in_the_prior_is_the_function(weight: float):
    c = torch.full((LATENT + 1, 1), 2.0, dtype=torch.float64)
    made = prior()
    guided = affine(made.denoiser(c, guidance=weight))
    expected = affine(classifier_free(made.denoiser(c), made.denoiser(), strength=weight))
    for one, other in zip(guided, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)
