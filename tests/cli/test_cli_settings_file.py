"""``--config FILE`` stands for the settings in it, which words overrule; wrong keys are told."""

import json

import pytest
from test_cli_bad_input_is_one_line import bad

from inftydiff.cli import main
from inftydiff.cli.settings_file import settings, with_settings
from inftydiff.cli.train import Train
from inftydiff.cli.train_prior import TrainPrior
from inftydiff.pipelines.checkpoints import latest
from inftydiff.training.checkpoint import read_settings

TOML = """
data = "faces"      # vector faces
resolution = 16
preset = "tiny"
images = 32
held_out = 8
batch_size = 8
validation-images = 8
max-steps = 2
minutes = "None"
horizontal_flip = true
clip = [-1.5, 1.5]

latent = 4

[network]
width = 12
"""


def test_a_run_follows_the_file(tmp_path):
    (tmp_path / "run.toml").write_text(TOML)
    words = ["train", "--config", str(tmp_path / "run.toml"), "--out", str(tmp_path / "run")]
    assert main([*words, "--max-steps", "3", "--latent", "5"]) == 0
    model, training, progress = read_settings(latest(tmp_path / "run"))
    assert (model.network.width, model.latent, model.clip) == (12, 5, (-1.5, 1.5))
    assert (training.batch_size, training.horizontal_flip, training.minutes) == (8, True, None)
    assert progress.step == 3


def test_json_says_the_same(tmp_path):
    (tmp_path / "a.toml").write_text(TOML)
    record = {"data": "faces", "horizontal_flip": False, "minutes": None, "network": {"width": 4}}
    (tmp_path / "a.json").write_text(json.dumps(record))
    words = with_settings([f"--config={tmp_path / 'a.json'}", "--out", "run"], Train)
    expected = "--out run --data faces --no-horizontal-flip --minutes None --network.width 4"
    assert words == expected.split()


def test_words_overrule_the_file(tmp_path):
    (tmp_path / "a.toml").write_text("horizontal_flip = true\nbatch_size = 4\nlatent = 3\n")
    rest = ["faces", "--no-horizontal-flip", "--batch_size=8", "--latent", "7"]
    assert with_settings(["--config", str(tmp_path / "a.toml"), *rest], Train) == rest


def test_words_without_a_name_overrule_the_file(tmp_path):
    (tmp_path / "a.toml").write_text("data = 'faces'\nimages = 9\n")
    config = ["--config", str(tmp_path / "a.toml")]
    assert with_settings(["images", *config], Train) == ["images", "--images", "9"]
    assert with_settings(["run", "mine", *config], TrainPrior) == ["run", "mine", "--images", "9"]
    words = ["run", "--data", "faces", "--images", "9"]
    assert with_settings(["run", *config], TrainPrior) == words
    words = ["--out", "data", "--data", "faces", "--images", "9"]
    assert with_settings([*config, "--out", "data"], Train) == words


def test_without_a_file_the_words_stay():
    words = ["faces", "--out", "run"]
    assert with_settings(words, Train) == words


@pytest.mark.parametrize("kind", [Train, TrainPrior])
def test_every_option_is_a_setting(kind, capsys):
    name = {Train: "train", TrainPrior: "train-prior"}[kind]
    with pytest.raises(SystemExit):
        main([name, "--help"])
    said = capsys.readouterr().out
    for setting in settings(kind)[0]:
        assert f"--{setting}" in said or setting == "prior", setting


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("a.toml", "learning_rat = 1e-3", "the nearest is 'learning-rate'"),
        ("a.toml", "[network]\nwidht = 3", "the nearest is 'network.width'"),
        ("a.toml", "config = 'b.toml'", "no setting is called 'config'"),
        ("a.toml", "pictures = 'faces'", "no setting is called 'pictures'"),
        ("a.toml", "images = [[1]]", "a number, a word or a list"),
        ("a.toml", "images 3", "cannot be read as settings"),
        ("a.json", "[1]", "it holds no table"),
        ("a.json", "{", "cannot be read as settings"),
        ("a.yaml", "", "neither .toml nor .json"),
    ],
)
def test_files_that_are_refused(tmp_path, capsys, name, content, match):
    (tmp_path / name).write_text(content)
    bad(["train", "faces", "--config", str(tmp_path / name)], match, capsys)


@pytest.mark.parametrize("words", [["--config"], ["--config", "--out"], ["--config", "a"] * 2])
def test_one_file_is_given(capsys, words):
    bad(["train", "faces", *words], "--config takes one file", capsys)


def test_the_place_of_the_pictures_is_said_once(capsys):
    bad(["train"], "Say once where the pictures come from", capsys)
    bad(["train", "faces", "--data", "faces"], "Say once", capsys)
