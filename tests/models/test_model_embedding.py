"""The time embedding has the frequencies it states, and modulation is the formula it states."""

import math

import pytest
import torch
from networks import randomised, times

from inftydiff.models import AdaptiveLayerNorm, TimeEmbedding
from inftydiff.models.embedding import timestep_embedding


def test_features_are_sines_and_cosines_of_a_thousand_t():
    t = times(3)
    features = timestep_embedding(t, 8)
    for i, time in enumerate(t.tolist()):
        angles = [1000 * time * 10.0 ** (-4 * j / 4) for j in range(4)]
        expected = [*map(math.sin, angles), *map(math.cos, angles)]
        torch.testing.assert_close(features[i], torch.tensor(expected, dtype=torch.float64))


def test_steps_of_a_thousand_are_told_apart():
    embedded = randomised(TimeEmbedding(16))(torch.linspace(0, 1, 1001, dtype=torch.float64))
    assert (embedded[1:] - embedded[:-1]).norm(dim=-1).min() > 1e-3


def test_half_precision_times_keep_single_precision_features():
    assert timestep_embedding(torch.tensor([0.5], dtype=torch.bfloat16), 4).dtype == torch.float32


def test_odd_features_are_refused():
    with pytest.raises(ValueError, match="odd number of features, 3"):
        timestep_embedding(torch.zeros(1), 3)


@pytest.mark.parametrize("points", [(5,), (3, 4)])
def test_modulation_is_scale_and_shift_of_the_normalised_features(points: tuple[int, ...]):
    norm = randomised(AdaptiveLayerNorm(6, 4))
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, *points, 6, generator=generator, dtype=torch.float64)
    e = torch.randn(2, 4, generator=generator, dtype=torch.float64)
    weight, bias = norm.modulation.weight, norm.modulation.bias
    for i in range(2):
        scale, shift = (weight @ e[i] + bias).split(6)
        centred = x[i] - x[i].mean(-1, keepdim=True)
        normalised = centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt()
        torch.testing.assert_close(norm(x, e)[i], normalised * (1 + scale) + shift)
