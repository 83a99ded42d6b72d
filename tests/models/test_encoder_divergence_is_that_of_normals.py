"""A variational latent is drawn from the stated normal, and its divergence is that of torch's."""

import pytest
import torch
from encoders import encoder
from hypothesis import given
from hypothesis import strategies as st
from networks import functions, grid_16
from torch.distributions import Independent, Normal, kl_divergence

from inftydiff.models import DiagonalGaussian


@given(batch=st.integers(1, 4), features=st.integers(1, 6), seed=st.integers(0, 2**31))
def test_the_divergence(batch: int, features: int, seed: int):
    generator = torch.Generator().manual_seed(seed)
    mean, log_variance = 2.0 * torch.randn(
        2, batch, features, generator=generator, dtype=torch.float64
    )
    posterior = Independent(Normal(mean, (0.5 * log_variance).exp()), 1)
    prior = Independent(Normal(torch.zeros_like(mean), torch.ones_like(mean)), 1)
    torch.testing.assert_close(
        DiagonalGaussian(mean, log_variance).divergence(), kl_divergence(posterior, prior)
    )


def test_the_divergence_of_a_draw_from_the_standard_normal_is_none():
    zero = torch.zeros(3, 5, dtype=torch.float64)
    assert torch.equal(DiagonalGaussian(zero, zero).divergence(), zero[:, 0])


def test_a_latent_is_the_mean_and_a_multiple_of_the_noise():
    code = encoder(variational=True)(functions(grid_16))
    noise = torch.randn(2, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    drawn = Normal(code.mean, (0.5 * code.log_variance).exp())
    assert torch.equal(code.at(None), code.mean)
    torch.testing.assert_close(
        drawn.cdf(code.at(noise)), Normal(0.0, 1.0).cdf(noise), rtol=1e-9, atol=1e-12
    )


def test_a_plain_encoder_has_no_variance():
    code = encoder()(functions(grid_16))
    assert code.log_variance is None
    assert torch.equal(code.at(torch.ones(2, 5)), code.mean)
    assert not code.divergence().any()


@pytest.mark.parametrize("variational", [True, False])
def test_every_parameter_reaches_the_latent(variational: bool):
    net = encoder(variational=variational, attention=(4, 8))
    code = net(functions(grid_16))
    (code.at(torch.ones(2, 5, dtype=torch.float64)).square().sum()).backward()
    silent = [n for n, p in net.named_parameters() if p.grad is None or not p.grad.any()]
    assert silent == []
