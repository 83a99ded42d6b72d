"""Bad settings and unsuitable pictures raise one clear error before anything is written."""

import dataclasses

import pytest
import torch
from torch.utils.data import TensorDataset
from training_runs import SETTINGS, held_out, model, pictures

from inftydiff import Box
from inftydiff.data import Images
from inftydiff.training import TrainConfig, train


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"max_steps": None}, "Nothing ends this run"),
        ({"max_steps": 0}, "max_steps must be"),
        ({"minutes": 0.0}, "minutes must be"),
        ({"minutes": float("inf")}, "minutes must be"),
        ({"batch_size": 0}, "batch_size must be"),
        ({"learning_rate": -1.0}, "learning_rate must be"),
        ({"clip_norm": 0.0}, "clip_norm must be"),
        ({"warmup": -1}, "warmup must be a whole number of at least 0"),
        ({"seed": -1}, "seed must be a whole number from 0"),
        ({"weight_decay": float("nan")}, "weight_decay must be a finite number of at least 0"),
        ({"gradient_accumulation": 0}, "gradient_accumulation must be"),
        (
            {"gradient_accumulation": 5},
            "4 pictures has at most so many parts; got gradient_accumulation=5",
        ),
        ({"workers": -1}, "workers must be a whole number of at least 0"),
        ({"patience": 0}, "patience must be"),
        ({"max_skipped": 0}, "max_skipped must be"),
        ({"log_every": 0}, "log_every must be"),
        ({"sample_every": 0}, "sample_every must be"),
        ({"ema": 1.0}, r"ema must be a number in \[0, 1\)"),
        ({"points": 0.0}, "points must be a finite number above 0 and at most 1"),
        ({"points": 1.5}, "points must be a finite number above 0 and at most 1"),
        ({"keep": 0}, "keep must be"),
        ({"validate_every": 0}, "validate_every must be"),
    ],
)
def test_settings(changes, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(SETTINGS, **changes)


@pytest.mark.parametrize(
    ("data", "validation", "message"),
    [
        (pictures(channels=1), held_out(), r"pictures of shape \(3, h, w\); got \(1, 16, 16\)"),
        (pictures(shape=(8, 16)), held_out(), r"8 rows and 16 columns need \(0.5, 1.0\)"),
        (pictures(2), held_out(), "A step takes 4 pictures and there are 2"),
        (pictures(), pictures(channels=1), "got \\(1, 16, 16\\)"),
    ],
)
def test_pictures(tmp_path, data, validation, message):
    with pytest.raises(ValueError, match=message):
        train(model(), data, validation, SETTINGS, tmp_path / "run", progress=False)
    assert list(tmp_path.iterdir()) == []


def test_no_pictures(tmp_path):
    with pytest.raises(ValueError, match="at least one picture"):
        train(model(), TensorDataset(torch.zeros(0, 3, 16, 16)), None, SETTINGS, tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_no_run_folder(tmp_path):
    file = tmp_path / "run"
    file.write_text("mine")
    with pytest.raises(ValueError, match="is a file"):
        train(model(), pictures(), None, SETTINGS, file, progress=False)
    assert file.read_text() == "mine"


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path):
    config = dataclasses.replace(SETTINGS, learning_rate=1e30, warmup=0, max_steps=50)
    with pytest.raises(FloatingPointError, match="Lower the learning rate"):
        train(model(), pictures(), None, config, tmp_path / "run", progress=False)
    assert not list((tmp_path / "run").glob("step-*"))


def test_rectangles_and_other_channels_are_trained_on(tmp_path):
    data = pictures(channels=2, shape=(8, 16))
    config = dataclasses.replace(model(), domain=Box((0.5, 1.0)), channels=2)
    settings = TrainConfig(max_steps=2, batch_size=2, precision="float32")
    trained = train(config, data, Images(data.pixels[:3]), settings, tmp_path, progress=False)
    x = trained.sample(on=trained.grid(16), batch=1, generator=torch.Generator().manual_seed(0))
    assert x.to_image().shape == (1, 2, 8, 16)
