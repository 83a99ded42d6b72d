"""Data and training refuse paths, indices and settings of other kinds, in words that say what."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import jaxtyping
import numpy as np
import pytest
import torch
from PIL import Image

from inftydiff.data import (
    ImageArray,
    ImageFolder,
    Images,
    celeba_hq,
    face_credit,
    face_seeds,
    faces,
    ffhq,
    field_array,
    image_array,
    image_folder,
    lsun_church,
)
from inftydiff.data._npy import INFLATED, RATIO
from inftydiff.data.field_scale import FieldScale
from inftydiff.pipelines import InftyDiff, load_pipeline, preset
from inftydiff.pipelines.checkpoints import latest
from inftydiff.training import TrainConfig, train
from inftydiff.training._stages import LatentStage, PictureStage
from inftydiff.training.checkpoint import best, read_progress
from inftydiff.training.latents import Latents
from inftydiff.training.progress import Progress
from inftydiff.training.validation import held_out_loss

OTHERS = (None, 1.5, b"x", [], {}, object(), int, np.zeros(3), Fraction(1, 3), 1j, lambda: 1)
"""Things that are neither paths nor words nor whole numbers."""

SETTINGS = TrainConfig(max_steps=4)
PROGRESS = Progress(step=3, loss=0.5)
PICTURES = Images(torch.zeros(3, 1, 4, 4))
SCALE = FieldScale({"t": (0.0, 1.0)})


@pytest.fixture(autouse=True)
def _unchecked() -> Iterator[None]:
    """Run as shipped, without the run-time checks of types that the tests have."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pictures")
    for name in "abc":
        Image.new("RGB", (8, 8), "#ff0000").save(path / f"{name}.png")
    np.save(path / "x.npy", np.zeros((3, 1, 4, 4), np.uint8))
    return path


def pipeline() -> InftyDiff:
    return InftyDiff(preset("tiny", resolution=16))


PATHS: dict[str, Callable[[object], object]] = {
    "image_folder": lambda x: image_folder(x, 4, progress=False),
    "ImageFolder": lambda x: ImageFolder(x, 4, progress=False),
    "ImageArray": ImageArray,
    "lsun_church": lsun_church,
    "ffhq": ffhq,
    "celeba_hq": celeba_hq,
    "latest": latest,
    "best": best,
    "read_progress": read_progress,
    "load_pipeline": load_pipeline,
    "from_pretrained": InftyDiff.from_pretrained,
    "train": lambda x: train(preset("tiny", resolution=4), PICTURES, None, SETTINGS, x),
}


@pytest.mark.parametrize("other", OTHERS, ids=repr)
@pytest.mark.parametrize("entry", PATHS)
def test_what_is_no_path_is_refused(entry: str, other: object):
    with pytest.raises(TypeError, match=r"must be a path, as a str or a Path; got"):
        PATHS[entry](other)


@pytest.mark.parametrize("other", [1.5, None, "1", b"1", {}, object(), 1j, slice(3)], ids=repr)
@pytest.mark.parametrize("kind", ["memory", "array", "folder", "part", "name", "fields", "latents"])
def test_what_is_no_index_is_refused(folder: Path, kind: str, other: object):
    read = readers(folder)[kind]
    with pytest.raises(TypeError, match="are asked for by a whole number; got"):
        read(other)
    for outside in (3, -4, 2**63, -(10**400)):
        with pytest.raises(IndexError, match=r"There are 3 \w+; got index"):
            read(outside)
    for same in (-1, np.int64(2), torch.tensor(2)):
        assert same_values(read(same), read(2))


def readers(folder: Path) -> dict[str, Callable[[object], object]]:
    pictures = ImageFolder(folder, 4, pattern="*.png", progress=False)
    whole = pictures.select(range(3))
    fields = field_array(np.arange(48.0).reshape(3, 4, 4), axes=(1, 2))
    return {
        "memory": PICTURES.__getitem__,
        "array": ImageArray(folder / "x.npy").__getitem__,
        "folder": pictures.__getitem__,
        "part": whole.pixels,
        "name": whole.name,
        "fields": fields.raw,
        "latents": Latents(torch.arange(6.0).reshape(3, 2)).__getitem__,
    }


def same_values(found: object, expected: object) -> bool:
    return found == expected if isinstance(found, str) else bool(np.array_equal(found, expected))


@pytest.mark.parametrize("other", [None, 1.5, object(), ["a"], [0.5], torch.tensor(1)], ids=repr)
def test_pictures_are_selected_by_whole_numbers(folder: Path, other: object):
    pictures = ImageFolder(folder, 4, pattern="*.png", progress=False)
    with pytest.raises(TypeError, match="by a .*whole numbers?; got"):
        pictures.select(other)
    with pytest.raises(IndexError, match="There are 3 pictures"):
        pictures.select((2**63, 1))
    assert pictures.select(torch.tensor([2, 0])).name(0).endswith("c.png")


@pytest.mark.parametrize("other", OTHERS[1:], ids=repr)
@pytest.mark.parametrize(
    "name", ["pattern", "background", "on_error", "workers", "progress", "resolution", "channels"]
)
def test_settings_of_pictures_are_refused_by_name(folder: Path, name: str, other: object):
    settings = {"resolution": 4, "pattern": "*.png", "progress": False, name: other}
    for reader in (image_folder, ImageFolder):
        with pytest.raises((TypeError, ValueError), match=f"{name}.* must be .*; got"):
            reader(folder, **settings)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: face_seeds(x, 3),
        lambda x: face_seeds("train", x),
        lambda x: face_credit(x),
        lambda x: faces(style=x),
        lambda x: lsun_church(".", x),
        lambda x: SCALE(x),
        lambda x: SCALE.undo(x),
        lambda x: image_array(np.zeros((1, 1, 4, 4), np.uint8), layout=x),
        lambda x: SETTINGS.rate(x, 0.5),
        lambda x: SETTINGS.rate(0, x),
        lambda x: SETTINGS.fraction(x, 1.0),
        lambda x: SETTINGS.fraction(1, x),
        lambda x: SETTINGS.ema_decay(x),
        lambda x: PROGRESS.moved(x, 1.0),
        lambda x: PROGRESS.moved(0.5, x),
        lambda x: PROGRESS.missed(x),
        lambda x: PROGRESS.missed(1.0, counted=x),
        lambda x: PROGRESS.estimated(x),
        lambda x: held_out_loss(x, PICTURES),
        lambda x: held_out_loss(pipeline(), x),
        lambda x: held_out_loss(pipeline(), PICTURES, batch_size=x),
        lambda x: held_out_loss(pipeline(), PICTURES, images=x),
        lambda x: PictureStage(x),
        lambda x: LatentStage(x, None, None),
        lambda x: PictureStage(preset("tiny", resolution=4)).check(x),
    ],
)
def test_other_kinds_are_refused_in_words(call: Callable[[object], object]):
    for other in ({}, object(), 1j, b"x", int):
        with pytest.raises(TypeError, match=r"must be .*; got"):
            call(other)


def test_a_card_of_another_kind_is_refused_before_anything_is_written(tmp_path: Path):
    with pytest.raises(TypeError, match="card must be a ModelCard; got"):
        pipeline().save_pretrained(tmp_path / "model", card="# Faces")
    assert not list(tmp_path.iterdir())


def test_estimates_that_are_not_finite_and_counts_below_zero():
    assert PROGRESS.estimated(float("nan")).held_out is None
    for wrong in (-10, -(10**400), 10**400):
        with pytest.raises(ValueError, match="updates must be"):
            SETTINGS.ema_decay(wrong)
    with pytest.raises(ValueError, match="at least one picture"):
        held_out_loss(pipeline(), [])


def test_empty_fields_name_their_file(tmp_path: Path):
    np.save(tmp_path / "a.npy", np.zeros((0, 3, 8, 8)))
    with pytest.raises(ValueError, match=r"at least one; got .*a\.npy"):
        field_array(tmp_path / "a.npy", axes=(2, 3))


def test_a_file_of_three_megabytes_takes_less_than_five_hundred():
    assert 2 * max(INFLATED, 3 * 2**20 * RATIO) < 500 * 2**20


@pytest.mark.parametrize("device", ["cuda:99", "fpga", "...", "", 0, True, None, [], object()])
def test_a_model_goes_to_a_device_that_is_here(tmp_path: Path, device: object):
    path = pipeline().save_pretrained(tmp_path / "model")
    with pytest.raises((TypeError, ValueError), match="device of a model must be .*; got"):
        load_pipeline(path, device=device)
