"""The presets have the paper's sizes and settings, and where they differ it is known by how much.

``released`` counts the parameters of the released code from its description, and gives the numbers
that the paper states.
"""

import math
import time

import pytest
import torch

from inftydiff import DDIM, CosineSchedule, Grid, NoisePrediction, WhiteNoise, gaussian_mollifier
from inftydiff.models import (
    Encoder,
    LatentPriorConfig,
    MultiscaleNetwork,
    SkipMLP,
    infty_diff_256,
)
from inftydiff.pipelines import InftyDiff, preset
from inftydiff.pipelines._sampled_model import DETERMINISTIC
from inftydiff.processes import MollifiedProcess


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def on_meta(make, *args, **options):
    with torch.device("meta"):
        return make(*args, **options)


def linear(i: int, o: int) -> int:
    return i * o + o


def convolution(i: int, o: int) -> int:
    return 9 * i * o + o


def perceptrons(width: int, time: int, latent: int) -> int:
    """Scale and shift by the time, and scale by the latent, of one normalisation."""
    return linear(time, 2 * width) + linear(latent, width) + linear(width, width)


def released_local_block(width: int, time: int, latent: int, skip: bool) -> int:
    pointwise = linear(width, 2 * width) + linear(2 * width, width)
    norms = 2 * (2 * width + perceptrons(width, time, latent))
    return 49 * width + pointwise + norms + (linear(2 * width, width) if skip else 0)


def released_unet(width: int, multipliers: list[int], time: int, latent: int, sizes) -> int:
    """Sizes are the cells along a side of each level; attention is at 16 and 8."""

    def block(i: int, o: int) -> int:
        shortcut = linear(i, o) if i != o else 0
        both = convolution(i, o) + convolution(o, o)
        return 2 * i + 2 * o + both + shortcut + perceptrons(o, time, latent)

    def attention(c: int) -> int:
        return 2 * c + linear(c, 3 * c) + linear(c, c)

    widths = [width, *(width * m for m in multipliers)]
    levels = list(zip(widths, widths[1:], sizes, strict=False))
    total = linear(width, width) + linear(width, 128) + linear(128, width)
    for inner, outer, size in levels:
        attends = size in (16, 8)
        total += 2 * (block(inner, inner) + attends * attention(inner)) + convolution(inner, outer)
        total += 2 * (block(outer + inner, outer) + attends * attention(outer))
    for inner, outer, _ in levels[1:]:
        total += 16 * inner * outer + inner  # transposed, 4×4
    total += convolution(widths[1], widths[0])
    return total + 2 * block(outer, outer) + attention(outer)


def released_decoder() -> int:
    sparse = [3 * released_local_block(64, 256, 1024, skip) for skip in (False, True)]
    points = linear(3, 64) + linear(64, 128) + linear(128, 64) + linear(64, 3)
    time_embedding = 2 * linear(256, 256)
    unet = released_unet(128, [1, 2, 4, 8, 8], 256, 1024, [128, 64, 32, 16, 8])
    return sum(sparse) + points + time_embedding + unet


def test_the_released_code_has_the_papers_numbers():
    assert round(released_decoder() / 1e6, 1) == 321.5
    six = sum(3 * released_local_block(64, 256, 1024, skip) for skip in (False, True))
    assert round(six / 1e6, 2) == 1.38


def test_the_local_blocks_differ_by_the_latents_perceptrons():
    network = on_meta(MultiscaleNetwork, infty_diff_256(), 3, latent=1024)
    ours = count(network.gathering.blocks) + count(network.decoder)
    six = sum(3 * released_local_block(64, 256, 1024, skip) for skip in (False, True))
    theirs_only = 12 * (linear(1024, 64) + linear(64, 64) + 2 * 64)
    assert ours == six - theirs_only + 12 * linear(256, 64)
    assert round(ours / 1e6, 2) == 0.74


def test_the_decoder_is_within_a_twentieth_of_the_papers():
    ours = count(on_meta(MultiscaleNetwork, infty_diff_256(), 3, latent=1024))
    assert round(ours / 1e6, 1) == 334.3
    assert abs(ours / released_decoder() - 1.0) < 0.05


@pytest.mark.parametrize(
    ("name", "millions"),
    [
        ("infty_diff_64", 15.2),
        ("infty_diff_128", 55.0),
        ("faces_64", 2.3),
        ("faces_128", 3.4),
    ],
)
def test_the_other_networks_have_the_sizes_they_state(name, millions):
    assert round(count(on_meta(InftyDiff, preset(name)).network) / 1e6, 1) == millions


def test_the_encoder_has_the_size_it_states():
    assert round(count(on_meta(Encoder, infty_diff_256(), 3, 1024)) / 1e6, 1) == 164.5


def test_the_prior_is_that_of_diffusion_autoencoders():
    prior = on_meta(SkipMLP, 1024, LatentPriorConfig())
    layers = linear(1024, 2048) + 8 * linear(3072, 2048) + linear(3072, 1024)
    modulations = 9 * (linear(2048, 2048) + 2 * 2048)
    assert count(prior) == layers + modulations + linear(64, 2048) + linear(2048, 2048)
    config = preset("infty_diff_256").prior
    assert (config.layers, config.width) == (10, 2048)


@pytest.mark.parametrize(
    ("name", "latent"), [("infty_diff_64", 256), ("infty_diff_128", 256), ("infty_diff_256", 1024)]
)
def test_the_settings_are_the_papers(name, latent):
    config = preset(name)
    cell = 1 / int(name.rpartition("_")[2])
    network = config.network
    process = MollifiedProcess(gaussian_mollifier(cell), CosineSchedule(), WhiteNoise(cell))
    assert (config.process, config.predict, network.cell) == (process, NoisePrediction(), cell)
    assert (config.clip, config.range_floor) == ((-1.0, 1.0), None)
    assert (config.noise_to_signal, config.steps, config.kl_weight) == (0.05, 100, None)
    assert (network.local_blocks, network.width, network.kernel_size) == (3, 64, 7)
    assert (config.latent, network.scale, network.position) == (latent, 1.0, False)
    assert network.grid == (round(1 / cell) // 2,) * 2
    assert (network.dropout, network.dropout_at_most) == (0.1, 16)
    assert set(network.attention) == {8, 16}
    assert DDIM() == DETERMINISTIC


@pytest.mark.thorough
def test_unit_noise_a_cell_has_the_variance_of_the_notes():
    config = preset("infty_diff_256")
    process = config.process.build(config.domain)
    white = process.noise.draw(
        config.domain, batch=1, channels=1, generator=torch.Generator().manual_seed(0)
    )
    variance = process.noise_factor(white).covariance(Grid((64, 64))).diagonal()[64 * 32 + 32]
    assert variance.item() == pytest.approx(1 / (4 * math.pi), rel=1e-3)


def test_the_largest_is_built_on_the_meta_device_in_seconds():
    config, began = preset("infty_diff_256"), time.process_time()
    model = on_meta(InftyDiff, config)
    assert time.process_time() - began < 5.0
    assert all(parameter.is_meta for parameter in model.parameters())
