"""A model's configuration comes back from JSON as it was; what it does not know is refused."""

import dataclasses
import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inftydiff import (
    Box,
    CosineSchedule,
    Grid,
    LinearSchedule,
    Point,
    WhiteNoise,
    gaussian_mollifier,
    matern,
)
from inftydiff.models import LatentPriorConfig, MultiscaleConfig, tiny
from inftydiff.pipelines import PRESETS, InftyDiffConfig, preset
from inftydiff.processes import (
    Blurring,
    BlurringProcess,
    CleanPrediction,
    GeneralProcess,
    MollifiedProcess,
    NoiseOnlyProcess,
    NoisePrediction,
    SignalPrediction,
    TraceClassProcess,
    VelocityPrediction,
    WhiteProcess,
)
from inftydiff.processes.schedules import SigmoidSchedule, TabulatedSchedule

LENGTHS = st.floats(1e-3, 1.0)
DOMAINS = {"plane": Box((0.3, 1.0)), "line": Box((2.0,), boundary="periodic"), "point": Point()}
SCHEDULES = [
    CosineSchedule(),
    LinearSchedule(),
    SigmoidSchedule(start=-2.0),
    TabulatedSchedule((0.0, 0.5, 1.0), (1.0, 0.8, 0.6), (0.0, 0.6, 0.8)),
]


def processes(schedule, width, intensity):
    """A process of each kind, with operators that have something to say."""
    noise = WhiteNoise(intensity)
    heat, rough = gaussian_mollifier(width), matern(1.5, width, dim=2, std=2.0)
    return [
        MollifiedProcess(heat, schedule, noise),
        WhiteProcess(schedule, noise),
        NoiseOnlyProcess(rough, schedule, noise),
        TraceClassProcess(rough, schedule, noise),
        BlurringProcess(Blurring(width), schedule, noise),
        GeneralProcess(2.0 * heat, heat @ rough, schedule, noise),
    ]


@given(
    number=st.integers(0, 5),
    schedule=st.sampled_from(SCHEDULES),
    width=LENGTHS,
    intensity=LENGTHS,
    predict=st.sampled_from(
        [NoisePrediction(), SignalPrediction(), CleanPrediction(), VelocityPrediction()]
    ),
    domain=st.sampled_from(sorted(DOMAINS)),
    floor=LENGTHS,
    clip=st.sampled_from([None, (-1.0, 1.0), (0.0, 0.3)]),
    network=st.sampled_from([tiny(), MultiscaleConfig(), MultiscaleConfig(width=8, cell=1 / 3)]),
    latent=st.sampled_from([None, 3]),
)
def test_json_and_back(
    number, schedule, width, intensity, predict, domain, floor, clip, network, latent
):
    process = processes(schedule, width, intensity)[number]
    config = InftyDiffConfig(
        network=network,
        process=process,
        predict=predict,
        domain=DOMAINS[domain],
        clip=clip,
        range_floor=floor,
        latent=latent,
        encoder=None if latent is None else tiny(),
        prior=None if latent is None else LatentPriorConfig(),
    )
    assert InftyDiffConfig.from_json(config.to_json()) == config


def changed(**changes):
    record = json.loads(InftyDiffConfig().to_json())
    return json.dumps(record | changes)


WHITE = {"kind": "white", "noise": {"kind": "white", "intensity": 0.1}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (changed(predikt="noise"), "'predikt'; the nearest is 'predict'"),
        (changed(network={"kind": "multiscale", "widht": 3}), "'widht'; the nearest is 'width'"),
        (changed(network={"kind": "multiscal"}), "'multiscal'; the nearest is 'multiscale'"),
        (changed(network={"width": 3}), "with a 'kind'"),
        (changed(version=3), "version 3, and this release"),
        (changed(version=None), "versions 1 to 2; got None"),
        (changed(process={"kind": "pink"}), "process that is installed is of the kind 'pink'"),
        (changed(process=WHITE | {"mollifier": {"kind": "heat"}}), "no field 'mollifier'"),
        (changed(process=WHITE | {"noise": {"kind": "white", "intensity": -1.0}}), "intensity"),
        (changed(process=WHITE | {"schedule": {"kind": "sine"}}), "nearest is 'cosine'|'sine'"),
        (changed(predict="noise"), "is a parameterisation; got 'noise'"),
        (changed(network=3), "is a network; got 3"),
        (changed(domain={"kind": "ball"}), "of a kind of 'box', 'point'; got 'ball'"),
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
        ({"predict": "noise"}, "predict"),
        ({"process": "white"}, "process"),
        ({"network": object()}, "network"),
        ({"domain": (1.0, 1.0)}, "domain"),
        ({"clip": (1.0, -1.0)}, "lower first"),
        ({"steps": 0}, "steps must be"),
        ({"channels": 0}, "channels must be"),
        ({"range_floor": -0.1}, "range_floor must be"),
        ({"kl_weight": 0.1}, "kl_weight of a model are for its latents"),
        ({"prior": LatentPriorConfig()}, "prior of a model are for its latents"),
        ({"encoder": tiny()}, "encoder of a model are for its latents"),
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
        process = config.process
        assert isinstance(process, MollifiedProcess)
        assert config.network.cell == process.noise.intensity == 1 / resolution
        assert process.mollifier == gaussian_mollifier(cells / resolution)
        assert config.channels == 1
        assert InftyDiffConfig.from_json(config.to_json()) == config


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_made_for_the_resolution_in_their_name(name):
    resolution = name.rpartition("_")[2]
    expected = int(resolution) if resolution.isdigit() else 64
    assert preset(name).network.cell == 1 / expected


def test_the_scale_is_the_standard_deviation_of_the_noise():
    config = preset("tiny", resolution=16, mollifier_width=1 / 20)
    process = config.process.build(config.domain)
    white = process.noise.draw(
        config.domain, batch=1, channels=1, generator=torch.Generator().manual_seed(0)
    )
    variance = process.noise_factor(white).covariance(Grid((16, 16))).diagonal()
    middle = variance.reshape(16, 16)[8, 8]
    assert abs(middle**0.5 / config.network.scale - 1.0) < 1e-4


def test_an_unknown_preset_is_refused():
    with pytest.raises(ValueError, match="name of a preset must be one of"):
        preset("huge")
