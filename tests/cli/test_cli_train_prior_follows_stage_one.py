"""``train-prior`` takes from stage one what it does not say, and refuses what would do nothing."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_cli_bad_input_is_one_line import bad
from training_runs import pictures

from inftydiff.cli import main
from inftydiff.models import LatentPriorConfig
from inftydiff.pipelines import InftyDiff, load_pipeline
from inftydiff.pipelines.checkpoints import latest
from inftydiff.training.checkpoint import read_settings

COMMON = ["--held-out", "4", "--minutes", "None", "--batch-size", "8", "--precision", "float32"]
FIRST = [
    *("--preset", "tiny", "--latent", "4", "--points", "0.5", "--max-steps", "2"),
    *("--prior.width", "8", "--prior.layers", "3"),
]


@pytest.fixture(scope="module")
def first(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("follows")
    np.save(folder / "data.npy", pictures().pixels.numpy())
    words = [str(folder / "data.npy"), *FIRST, *COMMON, "--out", str(folder / "first")]
    assert main(["train", *words]) == 0
    return folder / "first"


def prior(checkpoint: Path, data: Path, out: Path, *words: str) -> list[str]:
    """The words that train a prior."""
    steps = [] if "--max-steps" in words else ["--max-steps", "2"]
    return [
        *("train-prior", str(checkpoint), str(data), *COMMON, *steps, *words, "--out", str(out))
    ]


@pytest.mark.thorough
def test_prior_and_density_are_those_of_the_checkpoint(first, tmp_path):
    data = first.parent / "data.npy"
    assert main(prior(first, data, tmp_path / "a")) == 0
    model, settings, _ = read_settings(latest(tmp_path / "a"))
    assert model.prior == LatentPriorConfig(width=8, layers=3)
    assert settings.points == 0.5
    assert main(prior(first, data, tmp_path / "b", "--seen", "0.5", "--prior.width", "8")) == 0
    one, other = (load_pipeline(tmp_path / name).state_dict() for name in "ab")
    assert all(np.array_equal(one[name], other[name]) for name in one)
    words = ["--seen", "0.25", "--prior.layers", "2"]
    assert main(prior(first, data, tmp_path / "c", *words)) == 0
    model, settings, _ = read_settings(latest(tmp_path / "c"))
    assert model.prior == LatentPriorConfig(width=8, layers=2)
    assert settings.points == 0.25
    assert not np.array_equal(load_pipeline(tmp_path / "c").prior.mean, one["prior.mean"])


def test_a_prior_is_trained_again_at_the_density_of_the_first_time(first, tmp_path):
    data = first.parent / "data.npy"
    assert main(prior(first, data, tmp_path / "a", "--seen", "0.75")) == 0
    assert main(prior(tmp_path / "a", data, tmp_path / "b")) == 0
    assert read_settings(latest(tmp_path / "b"))[1].points == 0.75


def test_a_saved_model_does_not_say_its_density(first, tmp_path, capsys):
    saved = load_pipeline(first).save_pretrained(tmp_path / "saved")
    assert isinstance(InftyDiff.from_pretrained(saved), InftyDiff)
    data = first.parent / "data.npy"
    bad(prior(saved, data, tmp_path / "a"), "Give it by --seen", capsys)
    assert main(prior(saved, data, tmp_path / "a", "--seen", "0.5")) == 0


@pytest.mark.thorough
@pytest.mark.parametrize("training_resolution", [None, 32])
def test_samples_come_by_the_timetable_and_change_nothing(first, tmp_path, training_resolution):
    data = first.parent / "data.npy"
    if training_resolution is not None:
        words = [
            "--training-resolution",
            str(training_resolution),
            "--out",
            str(tmp_path / "first"),
        ]
        assert main(["train", str(data), *FIRST, *COMMON, *words]) == 0
        first = tmp_path / "first"
    words = ["--max-steps", "4", "--sample-every", "2"]
    assert main(prior(first, data, tmp_path / "a", *words)) == 0
    assert main(prior(first, data, tmp_path / "b", *words[:2])) == 0
    one, other = (load_pipeline(tmp_path / name).state_dict() for name in "ab")
    assert all(np.array_equal(one[name], other[name]) for name in one)
    files = sorted((tmp_path / "a" / "samples").iterdir())
    assert [file.name for file in files] == ["step-00000002.png", "step-00000004.png"]
    side = training_resolution or 16
    with Image.open(files[-1]) as picture:
        assert picture.size == (8 * side, 2 * side)
        assert np.asarray(picture).std() > 0


def test_samples_of_a_conditional_prior_are_shown(first, tmp_path):
    data = first.parent / "data.npy"
    np.save(tmp_path / "labels.npy", np.arange(len(pictures())) % 2)
    words = ["--sample-every", "2", "--labels", str(tmp_path / "labels.npy")]
    assert main(prior(first, data, tmp_path / "a", *words)) == 0
    assert (tmp_path / "a" / "samples" / "step-00000002.png").is_file()
    newest = latest(tmp_path / "a") / "config.json"
    assert json.loads(newest.read_text())["pipeline"]["prior"]["condition"] == 2


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (["--horizontal-flip"], "in float32: horizontal_flip would do nothing"),
        (
            ["--gradient-checkpointing", "--compile"],
            "gradient_checkpointing, compile would do nothing",
        ),
        (["--precision", "bf16"], "precision would do nothing"),
        (["--points", "1.0"], "is --seen"),
    ],
)
def test_what_would_do_nothing_is_refused(first, tmp_path, capsys, words, match):
    given = prior(first, first.parent / "data.npy", tmp_path / "a", *words)
    assert main(given) == 2
    assert match in capsys.readouterr().err
    assert not (tmp_path / "a").exists()
