"""A latent scales the features of every block; a new network ignores it."""

import pytest
import torch
from networks import functions, grid_16, network, subset_of, times

from inftydiff import Grid
from inftydiff.models import AdaptiveLayerNorm, MultiscaleNetwork, tiny

LATENT = 5
CONFIG = tiny()


def latents(seed: int, batch: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, LATENT, generator=generator, dtype=torch.float64)


def test_a_new_network_ignores_its_latent():
    torch.manual_seed(0)
    net = MultiscaleNetwork(CONFIG, 3, latent=LATENT).double()
    torch.nn.init.normal_(net.projection.weight)
    a, b = (net(functions(grid_16), times(), latent=latents(seed)).values for seed in (0, 1))
    assert a.abs().max() > 0.0
    assert torch.equal(a, b)


def test_every_norm_has_a_scale_for_the_latent_and_each_moves_the_answer():
    net = network(latent=LATENT)
    net(functions(grid_16), times(), latent=latents(0)).values.square().sum().backward()
    norms = {name: m for name, m in net.named_modules() if isinstance(m, AdaptiveLayerNorm)}
    local = 2 * 2 * CONFIG.local_blocks
    unet = 2 * len(CONFIG.channel_multipliers) * CONFIG.blocks_per_level + 2
    assert len(norms) == local + unet
    assert all(norm.latent_scale.weight.grad.abs().max() > 1e-12 for norm in norms.values())
    assert all(p.grad.any() for p in net.embed_latent.parameters())


@pytest.mark.parametrize("name", ["gathering", "unet", "decoder"])
def test_each_part_is_modulated_by_itself(name: str):
    net = network(latent=LATENT)
    for other in {"gathering", "unet", "decoder"} - {name}:
        for norm in net.get_submodule(other).modules():
            if isinstance(norm, AdaptiveLayerNorm):
                torch.nn.init.zeros_(norm.latent_scale.weight)
    with torch.no_grad():
        a, b = (net(functions(grid_16), times(), latent=latents(seed)).values for seed in (0, 1))
    assert (a - b).abs().max() > 1e-6


@pytest.mark.parametrize("timed", [True, False])
def test_the_modulation_is_that_of_the_paper(timed: bool):
    generator = torch.Generator().manual_seed(0)
    norm = AdaptiveLayerNorm(6, 4 if timed else None, latent=3).double()
    with torch.no_grad():
        for parameter in norm.parameters():
            parameter.normal_(generator=generator)
    x, e, z = (
        torch.randn(*shape, generator=generator, dtype=torch.float64)
        for shape in ((2, 7, 6), (2, 4), (2, 3))
    )
    both = norm.modulation(e) if timed else norm.constant.expand(2, -1)
    scale, shift, code = both[:, :6], both[:, 6:], norm.latent_scale(z)
    mean, var = x.mean(-1, keepdim=True), x.var(-1, keepdim=True, unbiased=False)
    h = (x - mean) / (var + 1e-5).sqrt()
    expected = (h * (1 + scale[:, None]) + shift[:, None]) * (1 + code[:, None])
    torch.testing.assert_close(norm(x, e if timed else None, z), expected, rtol=1e-10, atol=1e-12)


def test_a_sample_knows_its_own_latent_alone():
    net, z, t = network(latent=LATENT), latents(0, 3), times(3)
    subset = subset_of(grid_16, 100, batch=None)
    x = functions(subset, batch=3)
    together = net(x, t, latent=z).values
    other = z.clone()
    other[1] += 1.0
    moved = net(x, t, latent=other).values
    torch.testing.assert_close(moved[[0, 2]], together[[0, 2]], rtol=1e-12, atol=1e-12)
    assert (moved[1] - together[1]).abs().max() > 1e-6


@pytest.mark.parametrize(
    ("keywords", "error", "match"),
    [
        ({}, TypeError, r"takes a latent of shape \(batch, 5\); got none"),
        ({"latent": torch.zeros(2, 4)}, ValueError, r"latents of shape \(2, 5\); got \(2, 4\)"),
        (
            {"latent": torch.zeros(2, 5), "condition": functions(grid_16)},
            TypeError,
            "takes no condition",
        ),
        (
            {"latent": torch.zeros(2, 5), "on": Grid((8, 8))},
            ValueError,
            "answers where its input is known",
        ),
    ],
)
def test_missing_and_wrong_latents_are_refused(keywords, error, match):
    with pytest.raises(error, match=match):
        network(latent=LATENT)(functions(grid_16), times(), **keywords)
