"""``inftydiff train`` takes faces, folders and arrays; ``inftydiff sample`` draws at any size."""

import dataclasses
from itertools import chain

import numpy as np
import pytest
import torch
from PIL import Image
from training_runs import pictures

from inftydiff import gaussian_mollifier
from inftydiff.cli import main
from inftydiff.cli.figures import to_pixels
from inftydiff.pipelines import load_pipeline
from inftydiff.pipelines.checkpoints import latest
from inftydiff.processes import NoisePrediction
from inftydiff.training import read_progress
from inftydiff.training.checkpoint import read_settings

SMALL = {
    "--preset": "tiny",
    "--batch-size": "4",
    "--held-out": "4",
    "--minutes": "None",
    "--max-steps": "2",
}


def train(data, out, *words):
    return main(["train", str(data), "--out", str(out), *chain(*SMALL.items()), *words])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    np.save(folder / "data.npy", pictures().pixels.numpy())
    assert train(folder / "data.npy", folder / "run", "--steps", "2") == 0
    return folder / "run"


def test_faces(tmp_path, capsys):
    out = tmp_path / "run"
    assert train("faces", out, "--images", "16", "--resolution", "16") == 0
    assert f"inftydiff sample {out}" in capsys.readouterr().out
    assert read_progress(out).step == 2


def test_a_folder_of_rectangles(tmp_path):
    (tmp_path / "images").mkdir()
    for number, picture in enumerate(pictures(shape=(20, 30))):
        Image.fromarray(to_pixels(picture)).save(tmp_path / "images" / f"{number}.png")
    assert train(tmp_path / "images", tmp_path / "run", "--resolution", "12", "16") == 0
    config = load_pipeline(tmp_path / "run").config
    assert config.domain.lengths == (0.75, 1.0)
    assert config.network.cell == 1 / 16
    assert config.process.mollifier == gaussian_mollifier(0.75 / 16)


def test_an_array_of_one_channel(tmp_path):
    np.save(tmp_path / "data.npy", pictures(channels=1).pixels.squeeze(1).numpy())
    assert train(tmp_path / "data.npy", tmp_path / "run", "--layout", "nhw") == 0
    assert load_pipeline(tmp_path / "run").config.channels == 1


def test_every_setting_can_be_given(tmp_path, trained):
    words = "--network.width 12 --predict.kind noise --process.mollifier.width 0.1"
    words += " --learning-rate 0.01 --horizontal-flip"
    data = trained.parent / "data.npy"
    assert train(data, tmp_path / "run", *words.split(), "--range-floor", "0.3") == 0
    model, settings, _ = read_settings(latest(tmp_path / "run"))
    base, base_settings, _ = read_settings(latest(trained))
    assert model == dataclasses.replace(
        base,
        network=dataclasses.replace(base.network, width=12),
        predict=NoisePrediction(),
        process=dataclasses.replace(base.process, mollifier=gaussian_mollifier(0.1)),
        range_floor=0.3,
        steps=15,
    )
    assert settings == dataclasses.replace(base_settings, learning_rate=0.01, horizontal_flip=True)


def test_resume(tmp_path, trained, capsys):
    data = trained.parent / "data.npy"
    assert train(data, tmp_path / "run") == 0
    assert train(data, tmp_path / "run") == 2
    assert "Resume it" in capsys.readouterr().err
    assert train(data, tmp_path / "run", "--resume", "--max-steps", "3") == 0
    assert read_progress(tmp_path / "run").step == 3
    assert train(data, tmp_path / "run", "--resume", "--predict.kind", "noise") == 2
    assert "predict is velocity, not noise" in capsys.readouterr().err


def test_a_sheet_and_single_pictures(trained, tmp_path):
    out = tmp_path / "samples"
    assert main(["sample", str(trained), "--size", "20", "--count", "9", "--out", str(out)]) == 0
    names = sorted(path.name for path in out.iterdir())
    assert names == [*(f"{i:04d}.png" for i in range(9)), "sheet.png"]
    with Image.open(out / "0008.png") as picture, Image.open(out / "sheet.png") as sheet:
        assert picture.size == (20, 20)
        assert sheet.size[0] > 8 * 128


@pytest.mark.parametrize("solver", [["ddim"], ["ddim", "--solver.eta", "1"], ["ddpm"]])
def test_an_array_of_samples(trained, tmp_path, solver):
    file = tmp_path / "x.npy"
    words = ["--size", "8", "12", "--count", "3", "--seed", "5", "--out", str(file)]
    assert main(["sample", str(trained), *words, "--solver.kind", *solver]) == 0
    x = np.load(file)
    assert x.shape == (3, 3, 8, 12)
    assert x.dtype == np.float32
    one = tmp_path / "one.npy"
    words = ["--size", "8", "12", "--count", "1", "--seed", "6", "--out", str(one)]
    assert main(["sample", str(trained), *words, "--solver.kind", *solver]) == 0
    assert np.allclose(np.load(one)[0], x[1], atol=1e-5)


@pytest.mark.thorough
@pytest.mark.parametrize("tile", [["5"], ["7", "30"]])
def test_samples_in_tiles_are_the_same(trained, tmp_path, tile):
    words = ["--size", "20", "24", "--count", "2", "--solver.kind", "ddpm", "--out"]
    assert main(["sample", str(trained), *words, str(tmp_path / "whole.npy")]) == 0
    words += [str(tmp_path / "tiles.npy"), "--tile", *tile]
    assert main(["sample", str(trained), *words]) == 0
    whole, tiles = (np.load(tmp_path / f"{name}.npy") for name in ("whole", "tiles"))
    assert np.allclose(tiles, whole, atol=1e-4)


def test_samples_are_not_overwritten_unasked(trained, tmp_path, capsys):
    for out in (tmp_path / "samples", tmp_path / "x.npy"):
        words = ["sample", str(trained), "--size", "4", "--count", "1", "--out", str(out)]
        assert main(words) == 0
        files = [f for f in tmp_path.rglob("*") if f.is_file()]
        before = {f: f.read_bytes() for f in files}
        assert main([*words, "--seed", "9"]) == 2
        assert "--overwrite" in capsys.readouterr().err
        assert {f: f.read_bytes() for f in files} == before
        assert main([*words, "--seed", "9", "--overwrite"]) == 0
        assert {f: f.read_bytes() for f in files} != before


def test_pictures_of_two_channels_go_to_an_array(tmp_path, capsys):
    np.save(tmp_path / "data.npy", pictures(channels=2).pixels.numpy())
    assert train(tmp_path / "data.npy", tmp_path / "run", "--steps", "2") == 0
    words = ["sample", str(tmp_path / "run"), "--size", "4", "--count", "1", "--out"]
    assert main([*words, str(tmp_path / "samples")]) == 2
    assert ".npy" in capsys.readouterr().err
    assert not (tmp_path / "samples").exists()
    assert main([*words, str(tmp_path / "x.npy")]) == 0
    assert torch.from_numpy(np.load(tmp_path / "x.npy")).shape == (1, 2, 4, 4)
