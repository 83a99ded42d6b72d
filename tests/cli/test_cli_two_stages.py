"""Four commands train a model with latents, give it a prior, sample and reconstruct."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from training_runs import pictures

from inftydiff.cli import main
from inftydiff.cli.figures import to_pixels

TINY = [
    *("--preset", "tiny", "--resolution", "16", "--images", "24", "--held-out", "8"),
    *("--latent", "4", "--max-steps", "3", "--minutes", "None", "--batch-size", "4"),
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
    assert record["pipeline"]["latent"] == 4


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
    tiles = ["--tile", "9", "12", "--out", str(tmp_path / "tiles")]
    assert main(["reconstruct", runs[0], *words, *tiles]) == 0
    assert capsys.readouterr().out.splitlines()[:-1] == printed.splitlines()[:-1]


QUICK = ["--count", "2", "--steps", "1"]


@pytest.mark.thorough
@pytest.mark.parametrize("channels", [1, 3])
def test_rectangles_are_reconstructed(tmp_path, capsys, monkeypatch, channels):
    monkeypatch.chdir(tmp_path)
    Path("files").mkdir()
    for number, picture in enumerate(pictures(14, 3, (40, 60))):
        Image.fromarray(to_pixels(picture)).save(f"files/{number:02d}.png")
    words = [*TINY, "--held-out", "4", "--channels", str(channels), "--out", "run"]
    assert main(["train", "files", *words]) == 0
    words = [*QUICK, "--data", "files", "--size", "16", "--sizes", "8", "16"]
    assert main(["reconstruct", "run", *words]) == 0
    printed = capsys.readouterr().out
    assert "25% of the points at 11 × 16" in printed
    assert "11 × 16: " in printed
    assert "5 × 8: " not in printed  # the pictures are known at one size
    assert Path("reconstructions/reconstructions.png").stat().st_size > 1000
    again = ["reconstruct", "run", *words, "--out", "x"]
    assert main([*again, "--count", "99"]) == 2
    said = capsys.readouterr().err
    assert "holds 14 pictures, and 99 are needed. Change --count." in said
    assert "--reference" not in said
    assert main([*again, "--data", "faces"]) == 2
    assert "Faces are square; got 11 × 16" in capsys.readouterr().err


def test_arrays_are_reconstructed_in_their_own_layout(runs, tmp_path, capsys):
    for name, shape in (("good", (16, 16)), ("wide", (16, 20))):
        values = pictures(4, 3, shape).pixels.movedim(1, -1)
        np.save(tmp_path / f"{name}.npy", values.numpy())
    words = ["reconstruct", runs[0], *QUICK, "--sizes", "16", "--out", str(tmp_path / "out")]
    words += ["--layout", "nhwc", "--data"]
    assert main([*words, str(tmp_path / "good.npy")]) == 0
    assert "points at 16²\n16²: " in capsys.readouterr().out
    for name, layout, match in (
        ("wide", "nhwc", "16 × 20 pixels, and this model's of so many along the longest side have"),
        ("good", "nhw", "has 3 axes"),
    ):
        data = [str(tmp_path / f"{name}.npy"), "--layout", layout, "--overwrite"]
        assert main([*words, *data]) == 2
        assert match in capsys.readouterr().err
    np.save(tmp_path / "grey.npy", pictures(4, 1).pixels.numpy())
    assert main([*words, str(tmp_path / "grey.npy"), "--layout", "nchw", "--overwrite"]) == 2
    assert "has pictures of 1 channels, and this model 3" in capsys.readouterr().err


def test_bad_input_is_one_line(runs, tmp_path, capsys):
    plain = str(tmp_path / "plain")
    assert main(["train", "faces", *TINY, "--latent", "None", "--out", plain]) == 0
    for command in (["train-prior", plain, "faces"], ["reconstruct", plain]):
        assert main([*command, "--out", str(tmp_path / "x")]) == 2
        assert "without latents" in capsys.readouterr().err
    assert main(["reconstruct", runs[0], "--points", "0", "--out", str(tmp_path / "x")]) == 2
    assert "--points is a fraction" in capsys.readouterr().err
