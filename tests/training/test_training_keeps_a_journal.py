"""Lines of JSON, sheets of samples and tensorboard's curves tell of a run as it is."""

import builtins
import dataclasses
import json

import numpy as np
import pytest
import torch
from PIL import Image
from training_runs import SETTINGS, held_out, model, pictures, run, same

from inftydiff.pipelines import InftyDiff
from inftydiff.training import read_progress, train
from inftydiff.training.validation import drawn, image_grid


def lines(file):
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_steps_are_noted_when_asked(tmp_path):
    run(tmp_path / "a", log_every=2)
    noted = lines(tmp_path / "a" / "steps.jsonl")
    assert [line["step"] for line in noted] == [2, 4, 6]
    for line in noted:
        assert line["loss"] > 0.0
        assert line["gradient"] > 0.0
        rate = SETTINGS.rate(line["step"] - 1, 0.0)
        assert line["rate"] == pytest.approx(rate)
    run(tmp_path / "b")
    assert not (tmp_path / "b" / "steps.jsonl").exists()


def test_lines_that_are_done_anew_are_not_there_twice(tmp_path):
    run(tmp_path, log_every=1, max_steps=3)
    with (tmp_path / "steps.jsonl").open("a") as file:
        file.write('{"step": 4, "loss": 1.0}\n{"step": 5, "lo')
    run(tmp_path, log_every=1, resume=True)
    assert [line["step"] for line in lines(tmp_path / "steps.jsonl")] == [1, 2, 3, 4, 5, 6]


@pytest.mark.thorough
@pytest.mark.parametrize("latent", [None, 4])
def test_samples_come_by_the_timetable_and_change_nothing(tmp_path, latent):
    plain = run(tmp_path / "a", latent=latent)
    shown = run(tmp_path / "b", latent=latent, sample_every=3)
    assert same(plain, shown)
    files = sorted((tmp_path / "b" / "samples").iterdir())
    assert [file.name for file in files] == ["step-00000003.png", "step-00000006.png"]
    columns = 8 if latent is None else 4  # there are four held-out pictures
    with Image.open(files[-1]) as picture:
        assert picture.size == (columns * 16, 2 * 16)
        seen = np.asarray(picture)
    pictures_drawn = drawn(shown, held_out())
    assert np.array_equal(seen, image_grid(pictures_drawn, columns).numpy())
    if latent is not None:
        known = torch.stack([held_out()[i] for i in range(4)])
        assert torch.equal(pictures_drawn[:4], known)


def test_sheets_are_rows_of_bytes():
    one = torch.tensor([-2.0, -1.0, 0.0, 1.0, float("nan")]).reshape(5, 1, 1, 1)
    made = image_grid(one, 3)
    assert made.shape == (2, 3, 3)
    assert made[..., 0].tolist() == [[0, 0, 128], [255, 0, 0]]
    coloured = torch.stack([torch.full((3, 2, 4), v) for v in (-1.0, 1.0)])
    assert image_grid(coloured, 2).shape == (2, 8, 3)
    assert image_grid(coloured, 2)[:, 4:].min() == 255


def test_other_channels_are_shown_in_grey():
    config = model(channels=2)
    shown = drawn(InftyDiff(config), pictures(4, channels=2))
    assert image_grid(shown, 8).shape == (32, 128, 3)


@pytest.mark.thorough
def test_tensorboard_has_the_curves(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run(tmp_path, max_steps=4, tensorboard=True, log_every=2, sample_every=2, validate_every=2)
    run(tmp_path, resume=True, tensorboard=True, log_every=2, sample_every=2, validate_every=2)
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    tags = events.Tags()
    assert set(tags["scalars"]) == {
        "loss/training",
        "loss/held out",
        "gradient",
        "learning rate",
        "images a second",
    }
    assert tags["images"] == ["samples"]
    for tag in tags["scalars"]:
        assert [event.step for event in events.Scalars(tag)] == [2, 4, 6]
        assert all(np.isfinite(event.value) for event in events.Scalars(tag))
    last = events.Scalars("loss/held out")[-1].value
    assert last == pytest.approx(read_progress(tmp_path).held_out, rel=1e-6)


def test_tensorboard_that_is_missing_is_named(tmp_path, monkeypatch):
    original = builtins.__import__

    def missing(name, *args, **kwargs):
        if "tensorboard" in name:
            raise ModuleNotFoundError("No module named 'tensorboard'", name="tensorboard")
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", missing)
    config = dataclasses.replace(SETTINGS, tensorboard=True)
    with pytest.raises(ModuleNotFoundError, match=r"pip install .inftydiff\[tensorboard\]"):
        train(model(), pictures(), None, config, tmp_path / "run")
    assert not (tmp_path / "run").exists()
