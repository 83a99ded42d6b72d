"""A pipeline's configuration comes back from JSON as it was; what it does not know is refused."""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inftydiff.models import MultiscaleConfig, tiny
from inftydiff.pipelines import PRESETS, InftyDiffConfig, preset

LENGTHS = st.floats(1e-3, 1.0)


@given(
    process=st.sampled_from(["mollified", "white", "noise_only"]),
    schedule=st.sampled_from(["cosine", "linear"]),
    predict=st.sampled_from(["noise", "signal", "clean", "velocity"]),
    width=LENGTHS,
    intensity=LENGTHS,
    side=LENGTHS,
    clip=st.sampled_from([None, (-1.0, 1.0), (0.0, 0.3)]),
    network=st.sampled_from([tiny(), MultiscaleConfig(), MultiscaleConfig(width=8, cell=1 / 3)]),
)
def test_json_and_back(process, schedule, predict, width, intensity, side, clip, network):
    config = InftyDiffConfig(
        network=network,
        process=process,
        schedule=schedule,
        predict=predict,
        mollifier_width=width,
        noise_intensity=intensity,
        lengths=(side, 1.0),
        clip=clip,
        range_floor=width,
    )
    assert InftyDiffConfig.from_json(config.to_json()) == config


def changed(**changes):
    record = json.loads(InftyDiffConfig().to_json())
    return json.dumps(record | changes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (changed(predikt="noise"), "'predikt'; the nearest is 'predict'"),
        (changed(network={"widht": 3}), "'widht'; the nearest is 'width'"),
        (changed(version=2), "version 1; got 2"),
        (changed(version=None), "version 1; got None"),
        (changed(process="pink"), "process"),
        (changed(mollifier_width=-1.0), "mollifier_width must be"),
        (changed(mollifier_width="wide"), "mollifier_width|could not convert"),
        (changed(network=3), "is read from a mapping|network"),
        ("{", "read from JSON"),
        ("[]", "read from a mapping; got list"),
    ],
)
def test_what_is_not_known_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        InftyDiffConfig.from_json(text)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"predict": "score"}, "predict"),
        ({"schedule": "sine"}, "schedule"),
        ({"lengths": (1.0, 2.0)}, "of at most 1"),
        ({"clip": (1.0, -1.0)}, "lower first"),
        ({"steps": 0}, "steps must be"),
        ({"noise_intensity": 0.0}, "noise_intensity must be"),
        ({"range_floor": -0.1}, "range_floor must be"),
        ({"network": MultiscaleConfig(out_channels=4)}, "out_channels=4"),
    ],
)
def test_values_out_of_range_are_refused(changes, message):
    with pytest.raises((ValueError, TypeError), match=message):  # TypeError by the type checker
        dataclasses.replace(InftyDiffConfig(), **changes)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_follow_the_resolution(name):
    cells = 1.0 if name.startswith("infty_diff") else 0.75
    for resolution in (32, 128):
        config = preset(name, resolution=resolution, channels=1)
        assert config.network.cell == config.noise_intensity == 1 / resolution
        assert config.mollifier_width == cells / resolution
        assert config.channels == 1
        assert InftyDiffConfig.from_json(config.to_json()) == config


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_made_for_the_resolution_in_their_name(name):
    resolution = name.rpartition("_")[2]
    expected = int(resolution) if resolution.isdigit() else 64
    assert preset(name).network.cell == 1 / expected


def test_the_scale_is_the_standard_deviation_of_the_noise():
    import torch

    from inftydiff import Grid

    config = preset("tiny", resolution=16, mollifier_width=1 / 20)
    process = config.build_process()
    white = process.noise.draw(
        config.domain, batch=1, channels=1, generator=torch.Generator().manual_seed(0)
    )
    variance = process.noise_factor(white).covariance(Grid((16, 16))).diagonal()
    middle = variance.reshape(16, 16)[8, 8]
    assert abs(middle**0.5 / config.network.scale - 1.0) < 1e-4


def test_an_unknown_preset_is_refused():
    with pytest.raises(ValueError, match="name of a preset must be one of"):
        preset("huge")
