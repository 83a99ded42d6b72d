"""Classes and vectors given to ``train-prior`` are those that ``sample`` draws under."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from test_cli_bad_input_is_one_line import bad

from inftydiff import timesteps
from inftydiff.cli import main
from inftydiff.cli.labels import read_labels, split_labels
from inftydiff.cli.sources import ArraySource
from inftydiff.data import Images
from inftydiff.pipelines import load_pipeline

COMMON = ["--held-out", "4", "--max-steps", "2", "--minutes", "None", "--precision", "float32"]
FIRST = ["--preset", "tiny", "--latent", "4", "--batch-size", "4", *COMMON]
PRIOR = ["--prior.width", "8", "--prior.layers", "3", "--batch-size", "8", *COMMON]
NAMES, COUNT = ("dark", "light"), 8


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Dark and light pictures in a subfolder each, and an array of the same, with labels."""
    where = tmp_path_factory.mktemp("labels")
    noise = np.random.default_rng(0)
    pictures = []
    for number, name in enumerate(NAMES):
        (where / "pictures" / name).mkdir(parents=True)
        for index in range(COUNT):
            pixels = noise.integers(128 * number, 128 * (number + 1), (16, 16, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(where / "pictures" / name / f"{index}.png")
            pictures.append(pixels)
    np.save(where / "pictures.npy", np.stack(pictures).transpose(0, 3, 1, 2))
    np.save(where / "classes.npy", np.repeat([0, 1], COUNT))
    np.save(where / "vectors.npy", noise.normal(size=(2 * COUNT, 3)))
    assert main(["train", str(where / "pictures.npy"), *FIRST, "--out", str(where / "first")]) == 0
    return where


def second(folder: Path, pictures: str, labels: str, *words: str) -> tuple[Path, int]:
    """The run folder of a prior, and the exit status of its training."""
    out = folder / f"second-{pictures}-{Path(labels).stem}"
    name = labels if labels == "subfolders" else str(folder / labels)
    data = [str(folder / pictures), "--resolution", "16", "--labels", name]
    base = ["train-prior", str(folder / "first"), *data, *PRIOR]
    return out, main([*base, *words, "--out", str(out)])


@pytest.fixture(scope="module")
def labelled(folder) -> Path:
    """The run of a prior that knows the classes in a file."""
    run, status = second(folder, "pictures.npy", "classes.npy")
    assert status == 0
    return run


def condition_in(run: Path) -> int:
    file = max(run.glob("step-*")) / "config.json"
    return json.loads(file.read_text())["pipeline"]["prior"]["condition"]


def sampled(run: Path, file: Path, *words: str) -> np.ndarray:
    size = ["--size", "8", "--count", "2", "--steps", "2", "--overwrite"]
    assert main(["sample", str(run), *size, *words, "--out", str(file)]) == 0
    return np.load(file)


@pytest.mark.thorough
def test_classes_are_those_of_subfolders_or_of_a_file(folder, labelled, capsys):
    from_folder, status = second(folder, "pictures", "subfolders")
    assert status == 0
    assert "Classes: 0 dark, 1 light" in capsys.readouterr().out
    assert condition_in(from_folder) == condition_in(labelled) == 2
    one, other = (load_pipeline(run).state_dict() for run in (from_folder, labelled))
    assert all(torch.allclose(one[name], other[name], atol=1e-5) for name in one)
    assert second(folder, "pictures", "subfolders", "--resume", "--max-steps", "3")[1] == 0


@pytest.mark.thorough
def test_samples_are_drawn_under_a_label(labelled, tmp_path):
    file, pipeline = tmp_path / "x.npy", load_pipeline(labelled)
    zero = sampled(labelled, file, "--label", "0")
    g = torch.Generator().manual_seed(0)
    pipeline.start(on=pipeline.grid(8), batch=1, generator=g)
    latent = pipeline.draw_latents(batch=1, generator=g, condition=torch.tensor([[1.0, 0.0]]))
    assert np.array_equal(zero, sampled(labelled, file, "--condition", "1", "0"))
    decoded = pipeline.sample(
        on=pipeline.grid(8),
        batch=1,
        generator=torch.Generator().manual_seed(0),
        times=timesteps(2),
        latent=latent,
    )
    assert np.allclose(zero[:1], decoded.to_image().numpy(), atol=1e-5)
    for words in (["--label", "1"], ["--label", "0", "--guidance", "3"], []):
        assert sampled(labelled, file, *words).shape == zero.shape


def test_vectors_are_conditions(folder, tmp_path):
    run, status = second(folder, "pictures.npy", "vectors.npy", "--drop-condition", "0.3")
    assert status == 0
    assert condition_in(run) == 3
    sampled(run, tmp_path / "x.npy", "--condition", "0.5", "-1", "2", "--guidance", "2")


@pytest.mark.parametrize("held_out", [1, 5])
def test_labels_are_divided_as_their_pictures(held_out):
    values = torch.linspace(-1, 1, 12)
    images = Images(values.reshape(12, 1, 1, 1))
    train, others = ArraySource(images, held_out, 3).load()
    conditions = split_labels(values[:, None], len(train), held_out, 3)
    for labels, pictures in zip(conditions, (train, others), strict=True):
        assert torch.equal(labels.flatten(), torch.stack(list(pictures)).flatten())


def test_bad_labels_are_refused(folder, tmp_path, capsys):
    first, pictures = str(folder / "first"), str(folder / "pictures")
    base = [
        "train-prior",
        first,
        pictures,
        "--resolution",
        "16",
        "16",
        "--out",
        str(tmp_path / "x"),
    ]
    bad([*base, *PRIOR, "--prior.condition", "3"], "got none. Give --labels", capsys)
    bad(
        [*base, *PRIOR, "--prior.condition", "3", "--labels", "subfolders"],
        "--prior.condition 3 takes labels with so many features; got 2",
        capsys,
    )
    bad([*base, *PRIOR, "--labels", "missing.npy"], "cannot be read as labels", capsys)
    np.save(tmp_path / "few.npy", np.arange(3))
    assert main([*base, *PRIOR, "--labels", str(tmp_path / "few.npy")]) == 2
    assert "3 labels and 16 pictures" in capsys.readouterr().err
    bad([*base, *PRIOR, "--labels", "subfolders", "--on-error", "skip"], "none can be left", capsys)
    faces = ["train-prior", first, "faces", "--labels", "subfolders", "--out", str(tmp_path / "x")]
    bad(faces, "'faces' has none", capsys)
    assert not (tmp_path / "x").exists()
    np.save(tmp_path / "ones.npy", np.array([1, 2, 2]))
    np.save(tmp_path / "words.npy", np.array(["a", "b"]))
    for file, match in (("ones.npy", "from 0 on, each with"), ("words.npy", "holds <U1 of shape")):
        with pytest.raises(ValueError, match=match):
            read_labels(str(tmp_path / file), folder / "pictures")
    with pytest.raises(ValueError, match="is for a folder of pictures"):
        read_labels("subfolders", folder / "pictures.npy")
    shutil.copytree(folder / "pictures" / "dark", tmp_path / "only" / "dark")
    with pytest.raises(ValueError, match="there is one, dark"):
        read_labels("subfolders", tmp_path / "only")
    with pytest.raises(ValueError, match=r"0\.png is in none"):
        read_labels("subfolders", folder / "pictures" / "dark")


def test_samples_under_a_bad_label_are_refused(folder, labelled, tmp_path, capsys):
    base = ["sample", str(labelled), "--size", "8", "--count", "1", "--out", str(tmp_path / "x")]
    bad([*base, "--label", "2"], "0 to 1; got 2", capsys)
    bad([*base, "--condition", "1"], "conditioned on 2 finite numbers", capsys)
    bad([*base, "--condition", "1", "0", "--label", "0"], "and not both", capsys)
    bad([*base, "--guidance", "2"], "--label or --condition; give one", capsys)
    base[1] = str(folder / "first")
    bad([*base, "--label", "0"], "samples of one kind only", capsys)
