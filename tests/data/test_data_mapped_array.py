"""``ImageArray`` gives what ``image_array`` gives, from a file that stays on the disk."""

import pickle
from collections.abc import Iterator
from pathlib import Path

import jaxtyping
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from inftydiff.data import ImageArray, image_array

SHAPES = {"nchw": (5, 2, 4, 3), "nhwc": (5, 4, 6, 2), "nhw": (5, 4, 3)}


@pytest.fixture
def unchecked() -> Iterator[None]:
    """Run as shipped, without the run-time checks of types that the tests have."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def write(folder: Path, values: np.ndarray) -> Path:
    np.save(folder / "x.npy", values)
    return folder / "x.npy"


@pytest.mark.parametrize("dtype", ["u1", "<f2", "<f4", ">f4", "<f8", ">f8"])
@pytest.mark.parametrize("layout", list(SHAPES))
@pytest.mark.parametrize("order", ["C", "F"])
def test_the_pictures_are_those_of_image_array(tmp_path: Path, dtype, layout, order):
    x = np.random.default_rng(0).integers(0, 256, SHAPES[layout], dtype=np.uint8)
    x = x if dtype == "u1" else (x / 127.5 - 1).astype(dtype)
    file = write(tmp_path, np.asarray(x, order=order))
    mapped, held = ImageArray(file, layout=layout), image_array(file, layout=layout)
    assert len(mapped) == 5
    assert mapped.shape == tuple(held.pixels.shape[1:])
    assert torch.equal(torch.stack(list(mapped)), torch.stack(list(held)))
    assert mapped[-1].dtype == torch.float32
    assert mapped[-1].is_contiguous()


def test_workers_give_the_same(tmp_path: Path):
    x = np.random.default_rng(0).integers(0, 256, (7, 1, 4, 4), dtype=np.uint8)
    mapped = ImageArray(write(tmp_path, x))
    alone = torch.cat(list(DataLoader(mapped, batch_size=3)))
    loader = DataLoader(mapped, batch_size=3, num_workers=2)
    assert torch.equal(torch.cat(list(loader)), alone)


def test_a_copy_for_another_process_holds_no_pixels(tmp_path: Path):
    mapped = ImageArray(write(tmp_path, np.zeros((4, 1, 64, 64))))
    content = pickle.dumps(mapped)
    assert len(content) < 1000
    assert torch.equal(pickle.loads(content)[0], mapped[0])


def test_the_pictures_are_copies(tmp_path: Path):
    mapped = ImageArray(write(tmp_path, np.zeros((1, 1, 2, 2), np.float32)))
    mapped[0].fill_(1.0)
    assert (mapped[0] == 0).all()


def test_a_bad_picture_is_named_when_it_is_read(tmp_path: Path):
    x = np.zeros((4, 1, 2, 2))
    x[1, 0, 0, 0], x[2] = np.nan, 255.0
    mapped = ImageArray(write(tmp_path, x))
    assert (mapped[0] == 0).all()
    with pytest.raises(ValueError, match=r"Picture 1 of .*x\.npy has NaN"):
        mapped[1]
    with pytest.raises(ValueError, match=r"Picture 2 of .* has values from 255 to 255"):
        mapped[2]
    with pytest.raises(IndexError, match="There are 4 pictures"):
        mapped[4]


@pytest.mark.usefixtures("unchecked")
def test_files_that_cannot_be_mapped_are_refused(tmp_path: Path):
    file = write(tmp_path, np.zeros((4, 2, 8, 8), np.uint8))
    with pytest.raises(ValueError, match=r"'nhw' has 3 axes; got shape \(4, 2, 8, 8\)"):
        ImageArray(file, layout="nhw")
    with pytest.raises(ValueError, match="must be one of 'nchw', 'nhwc', 'nhw'"):
        ImageArray(file, layout="chwn")
    with pytest.raises(ValueError, match=r"reads \.npy files; got .*npz"):
        ImageArray(tmp_path / "x.npz")
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"x\.npy cannot be read as one array"):
        ImageArray(file)
    with pytest.raises(ValueError, match="cannot be read as one array"):
        ImageArray(write(tmp_path, np.array([None])))
    with pytest.raises(ValueError, match="every size at least 1"):
        ImageArray(write(tmp_path, np.zeros((0, 1, 2, 2), np.uint8)))
    with pytest.raises(TypeError, match="uint8"):
        ImageArray(write(tmp_path, np.zeros((1, 1, 2, 2), np.int64)))
