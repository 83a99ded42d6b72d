"""``inftydiff interpolate`` draws the functions between two pictures, or between two samples."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from autoencoders import autoencoder
from networks import randomised
from PIL import Image

from inftydiff.cli import main
from inftydiff.pipelines import InftyDiff, preset

QUICK = ["--count", "3", "--steps", "2"]
SINGLE = 2e-3
"""What random weights, which are far from a contraction, make of single precision's rounding; in
float64 it is a billionth of that."""


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> str:
    """A small model without latents, saved."""
    folder = tmp_path_factory.mktemp("models") / "plain"
    randomised(InftyDiff(preset("tiny", resolution=16))).float().save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    """A folder of three pictures of 16², and an array of the first two."""
    folder = tmp_path_factory.mktemp("pictures")
    pixels = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)
    (folder / "files").mkdir()
    for number, picture in enumerate(pixels):
        Image.fromarray(picture).save(folder / "files" / f"{number}.png")
    np.save(folder / "array.npy", pixels.transpose(0, 3, 1, 2))
    return folder


def run(capsys, *words: str) -> str:
    assert main(["interpolate", *words]) == 0
    return capsys.readouterr().out


def arrays(out: Path) -> dict[str, np.ndarray]:
    with np.load(out / "answer.npz") as found:
        return dict(found)


def test_pictures_of_files_folders_and_arrays_have_the_same_way(model, pictures, tmp_path, capsys):
    files = [str(pictures / "files" / f"{number}.png") for number in (0, 1)]
    ways = []
    for name, words in (
        ("files", files),
        ("folder", [str(pictures / "files")]),
        ("array", [str(pictures / "array.npy")]),
    ):
        out = tmp_path / name
        printed = run(capsys, model, *words, *QUICK, "--out", str(out))
        assert "1 ways of 3 functions, 16 × 16" in printed
        assert "rms distance of the ends" in printed
        ways.append(arrays(out)["samples"])
        assert sorted(file.name for file in out.glob("0*.png")) == [
            f"{number:04d}.png" for number in range(3)
        ]
    assert ways[0].shape == (3, 1, 3, 16, 16)
    assert np.allclose(ways[1], ways[0], atol=1e-6)
    assert np.allclose(ways[2], ways[0], atol=1e-4)


def test_several_ways_have_a_spread(model, tmp_path, capsys):
    words = ["faces", "--samples", "2", "--taken-at", "8", "--size", "16", *QUICK]
    run(capsys, model, *words, "--out", str(tmp_path))
    found = arrays(tmp_path)
    assert found["samples"].shape == (3, 2, 3, 16, 16)
    assert np.allclose(found["mean"], found["samples"].mean(1), atol=1e-6)
    assert np.allclose(found["spread"], found["samples"].std(1, ddof=1), atol=1e-6)
    with Image.open(tmp_path / "0004.png") as picture:  # the second function of the second way
        expected = (found["samples"][1, 1].transpose(1, 2, 0) + 1.0) * 127.5
        assert np.abs(np.asarray(picture) - expected.clip(0, 255)).max() <= 0.51
    with Image.open(tmp_path / "way.png") as figure:
        assert figure.size[0] > 5 * 128


@pytest.mark.thorough
def test_the_ends_between_seeds_are_those_of_sample(model, plain, tmp_path, capsys):
    for name, source in (("latents", model), ("plain", plain)):
        out = tmp_path / name
        run(capsys, source, "--seeds", "3", "8", "--size", "16", *QUICK, "--out", str(out))
        way = arrays(out)["samples"][:, 0]
        for place, seed in ((0, "3"), (-1, "8")):
            file = tmp_path / f"{name}{seed}.npy"
            words = ["--size", "16", "--count", "1", "--seed", seed, "--steps", "2"]
            assert main(["sample", source, *words, "--out", str(file)]) == 0
            assert np.allclose(way[place], np.load(file)[0], rtol=0, atol=SINGLE)


@pytest.mark.thorough
def test_tiles_change_nothing(model, tmp_path, capsys):
    for name, tile in (("whole", []), ("tiles", ["--tile", "9", "12"])):
        words = ["--seeds", "0", "1", "--size", "20", *QUICK, *tile]
        run(capsys, model, *words, "--out", str(tmp_path / name))
    whole, tiles = (arrays(tmp_path / name)["samples"] for name in ("whole", "tiles"))
    assert np.allclose(tiles, whole, rtol=0, atol=SINGLE)


def test_encodings_take_models_without_latents(plain, pictures, tmp_path, capsys):
    files = str(pictures / "array.npy")
    printed = run(capsys, plain, files, "--encodings", *QUICK, "--out", str(tmp_path))
    assert "1 ways of 3 functions" in printed


def test_channels_that_are_no_colours_are_shown_in_grey(tmp_path, capsys):
    config = preset("tiny", resolution=16)
    fields = randomised(InftyDiff(dataclasses.replace(config, channels=2, latent=4))).float()
    fields.save_pretrained(tmp_path / "model")
    values = torch.rand(2, 2, 16, 16, generator=torch.Generator().manual_seed(0))
    np.save(tmp_path / "fields.npy", values.numpy())
    words = [str(tmp_path / "model"), str(tmp_path / "fields.npy"), "--samples", "2", *QUICK]
    run(capsys, *words, "--out", str(tmp_path / "out"))
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["answer.npz", "way.png"]


@pytest.mark.thorough
def test_bad_input_is_one_line(model, plain, pictures, tmp_path, capsys):
    def bad(match: str, *words: str) -> None:
        assert main(["interpolate", *words, "--out", str(tmp_path / "out")]) == 2
        said = capsys.readouterr().err.strip()
        assert match in said
        assert "\n" not in said

    one = str(pictures / "files" / "0.png")
    bad("Say what the functions are between", model)
    bad("Say what the functions are between", model, "faces", "--seeds", "1", "2")
    bad("from one picture to another; got 1", model, one)
    bad("from one picture to another; got 3", model, one, one, one)
    bad("Two --seeds differ", model, "--seeds", "1", "1")
    bad("--seeds must be a whole number from 0", model, "--seeds", "-1", "1")
    bad("are for pictures", model, "--seeds", "0", "1", "--encodings")
    bad("the noise is given", model, "--seeds", "0", "1", "--samples", "2")
    bad("the noise is given", model, one, one, "--encodings", "--samples", "2")
    bad("at least 2", model, one, one, "--count", "1")
    bad("--size", model, one, one, "--size", "0")
    bad("Pass --encodings", plain, one, one)
    bad("A tile's side", model, "--seeds", "0", "1", "--size", "8", "--tile", "0")
    bad("Lower --taken-at", model, str(pictures / "array.npy"), "--taken-at", "64")
    bad("nor an array", model, "nowhere.npy")
    untrained = tmp_path / "untrained"
    autoencoder(prior=None).float().save_pretrained(untrained)
    bad("no prior to draw them from", str(untrained), "--seeds", "0", "1", "--size", "8")
    assert not (tmp_path / "out").exists()
