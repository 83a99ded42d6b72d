"""``lsun_church`` reads the database and the files exported from it alike."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import jaxtyping
import lmdb
import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from inftydiff.data import lsun_church

pytestmark = pytest.mark.filterwarnings("ignore:.* of the (126227|300) pictures of LSUN Church")

KEYS = ["0a1", "3fc", "77b", "c0d", "fe2"]


@pytest.fixture
def unchecked() -> Iterator[None]:
    """Run as shipped, without the run-time checks of types that the tests have."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def encoded() -> dict[str, bytes]:
    """Lossless pictures of 8 rows and 12 columns, by key."""
    generator, files = np.random.default_rng(0), {}
    for key in KEYS:
        content = BytesIO()
        pixels = generator.integers(0, 256, (8, 12, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(content, "webp", lossless=True)
        files[key] = content.getvalue()
    return files


def database(folder: Path, files: dict[str, bytes]) -> Path:
    with lmdb.open(str(folder), map_size=2**20) as opened, opened.begin(write=True) as writer:
        for key, content in files.items():
            writer.put(key.encode(), content)
    return folder.parent


def exported(folder: Path, files: dict[str, bytes]) -> Path:
    """As the published script exports: a folder for each of the key's first characters."""
    for key, content in files.items():
        file = folder / key[0] / key[1] / f"{key}.webp"
        file.parent.mkdir(parents=True)
        file.write_bytes(content)
    return folder.parent


@pytest.mark.parametrize(("split", "name"), [("train", "train"), ("validation", "val")])
def test_the_database_and_the_files_agree(tmp_path: Path, split, name: str):
    (tmp_path / "a").mkdir()
    one = database(tmp_path / "a" / f"church_outdoor_{name}_lmdb", encoded())
    other = exported(tmp_path / "b" / f"church_outdoor_{name}", encoded())
    x, y = lsun_church(one, split, 4), lsun_church(other, split, 4)
    assert len(x) == len(y) == len(KEYS)
    assert torch.equal(torch.stack(list(x)), torch.stack(list(y)))
    assert torch.equal(lsun_church(one / f"church_outdoor_{name}_lmdb", split, 4)[1], x[1])
    assert torch.equal(lsun_church(other / f"church_outdoor_{name}", split, 4)[1], x[1])


def test_workers_give_the_same(tmp_path: Path):
    images = lsun_church(database(tmp_path / "church_outdoor_train_lmdb", encoded()), "train", 4)
    alone = torch.stack(list(images))
    loader = DataLoader(images, batch_size=2, num_workers=2)
    assert torch.equal(torch.cat(list(loader)), alone)


def test_the_users_folder_is_left_as_it_is(tmp_path: Path):
    database(tmp_path / "church_outdoor_train_lmdb", encoded())
    (tmp_path / "church_outdoor_train_lmdb" / "lock.mdb").unlink()
    before = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*")}
    _ = lsun_church(tmp_path, "train", 4)[0]
    assert {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*")} == before


def test_a_damaged_picture_is_named_by_its_key(tmp_path: Path):
    root = database(tmp_path / "church_outdoor_train_lmdb", {**encoded(), "3fc": b"no picture"})
    with pytest.raises(ValueError, match=r"church_outdoor_train_lmdb: 3fc cannot be read"):
        lsun_church(root, "train", 4)[1]
    images = lsun_church(root, "train", 4, on_error="skip")
    with pytest.warns(UserWarning, match="3fc cannot be read"):
        assert torch.equal(images[1], images[2])


def test_an_incomplete_copy_is_pointed_out(tmp_path: Path):
    with pytest.warns(UserWarning, match="5 of the 300 pictures of LSUN Church's split"):
        lsun_church(exported(tmp_path / "church_outdoor_val", encoded()), "validation")


@pytest.mark.usefixtures("unchecked")
def test_what_is_expected_is_said(tmp_path: Path):
    with pytest.raises(ValueError, match="The splits are train, validation; got 'val'"):
        lsun_church(tmp_path, "val")
    with pytest.raises(ValueError, match="is none"):
        lsun_church(tmp_path / "absent")
    exported(tmp_path / "church_outdoor_val", encoded())
    with pytest.raises(ValueError, match=r"Expected there: church_outdoor_train_lmdb/data"):
        lsun_church(tmp_path, "train")
    folder = tmp_path / "church_outdoor_train_lmdb"
    folder.mkdir()
    with pytest.raises(ValueError, match="holds no file ending with"):
        lsun_church(tmp_path, "train")
    (folder / "data.mdb").write_text("no database")
    with pytest.raises(ValueError, match="cannot be read as an LMDB database"):
        lsun_church(tmp_path, "train")
    (folder / "data.mdb").unlink()
    database(folder, {})
    with pytest.raises(ValueError, match="without pictures"):
        lsun_church(tmp_path, "train")
