"""Four commands train a model with latents, give it a prior, sample and reconstruct."""

import json
from pathlib import Path

import pytest
from PIL import Image

from inftydiff.cli import main

TINY = [
    *("--preset", "tiny", "--resolution", "16", "--images", "24", "--held-out", "8"),
    *("--network.latent", "4", "--max-steps", "3", "--minutes", "None", "--batch-size", "4"),
    *("--precision", "float32"),
]
PRIOR = [
    *("--resolution", "16", "--images", "24", "--held-out", "8", "--max-steps", "3"),
    *("--minutes", "None", "--batch-size", "8", "--prior.width", "8", "--prior.layers", "3"),
]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two-stages")
    first, second = str(folder / "first"), str(folder / "second")
    assert main(["train", "faces", *TINY, "--out", first]) == 0
    assert main(["train-prior", first, "faces", *PRIOR, "--out", second]) == 0
    return first, second


def test_the_second_folder_holds_both(runs):
    newest = max(Path(runs[1]).glob("step-*"))
    record = json.loads((newest / "config.json").read_text())
    assert record["pipeline"]["prior"]["width"] == 8
    assert record["pipeline"]["network"]["latent"] == 4


def test_samples_are_drawn_from_the_second(runs, tmp_path, capsys):
    words = ["--size", "16", "--count", "2", "--steps", "2", "--out", str(tmp_path / "out")]
    assert main(["sample", runs[1], *words]) == 0
    with Image.open(tmp_path / "out" / "0001.png") as picture:
        assert picture.size == (16, 16)
    assert main(["sample", runs[0], *words[:-1], str(tmp_path / "other")]) == 2
    assert "no prior to draw them from" in capsys.readouterr().err


def test_pictures_are_reconstructed(runs, tmp_path, capsys):
    words = ["--count", "2", "--size", "16", "--sizes", "8", "16", "--steps", "2"]
    assert main(["reconstruct", runs[0], *words, "--out", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    assert "8²: " in printed
    assert "16²: " in printed
    assert (tmp_path / "out" / "reconstructions.png").stat().st_size > 1000


def test_bad_input_is_one_line(runs, tmp_path, capsys):
    plain = str(tmp_path / "plain")
    assert main(["train", "faces", *TINY, "--network.latent", "None", "--out", plain]) == 0
    for command in (["train-prior", plain, "faces"], ["reconstruct", plain]):
        assert main([*command, "--out", str(tmp_path / "x")]) == 2
        assert "without latents" in capsys.readouterr().err
    assert main(["reconstruct", runs[0], "--points", "0", "--out", str(tmp_path / "x")]) == 2
    assert "--points is a fraction" in capsys.readouterr().err
