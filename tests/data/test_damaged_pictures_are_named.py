"""A file that holds no good picture is one error that names it, by whatever way it is read."""

import contextlib
import os
import struct
import warnings
import zlib
from io import BytesIO
from pathlib import Path

import lmdb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from picture_files import png
from PIL import Image
from torch.utils.data import DataLoader

from inftydiff.cli import main
from inftydiff.data import ImageFolder, image_folder, lsun_church
from inftydiff.data._resize import Reduction


def encoded(form: str, mode: str = "RGB", size: tuple[int, int] = (24, 24)) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    file = BytesIO()
    Image.fromarray(pixels).convert(mode).save(file, form)
    return file.getvalue()


def flat(width: int, height: int) -> bytes:
    """A PNG file that says it has so many pixels, and has none."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return png([(b"IHDR", head), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")])


BAD = {
    "empty": b"",
    "text": b"no picture",
    "bomb": flat(60_000, 60_000),
    "no pixels": flat(24, 24),
    "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n",
    **{f"cut {form}": encoded(form)[:-200] for form in ("PNG", "JPEG", "TIFF", "WEBP", "BMP")},
    "cut AVIF": encoded("AVIF")[:150],
    "cut JP2": encoded("JPEG2000")[:80],
}


@pytest.mark.parametrize("name", list(BAD))
def test_damaged_files_are_named(tmp_path: Path, name: str):
    (tmp_path / "good.png").write_bytes(encoded("PNG"))
    (tmp_path / "x.png").write_bytes(BAD[name])
    with pytest.raises(ValueError, match=r"1 of 2 files cannot be read: .*x\.png"):
        image_folder(tmp_path, 4, progress=False)
    lazy = ImageFolder(tmp_path, 4, progress=False, check=False)
    with pytest.raises(ValueError, match=r"x\.png cannot be read"):
        lazy[1]
    lenient = ImageFolder(tmp_path, 4, progress=False, check=False, on_error="skip")
    with pytest.warns(UserWarning, match=r"x\.png cannot be read.*stands in"):
        assert (lenient[1] == lenient[0]).all()


def test_workers_name_them_in_one_line(tmp_path: Path):
    (tmp_path / "x.png").write_bytes(BAD["cut JPEG"])
    lazy = ImageFolder(tmp_path, 4, progress=False, check=False)
    with pytest.raises(ValueError, match=r"^/.*x\.png cannot be read") as caught:
        next(iter(DataLoader(lazy, num_workers=1)))
    assert "\n" not in str(caught.value)


@pytest.mark.thorough
@given(form=st.sampled_from(["PNG", "JPEG", "TIFF", "WEBP", "GIF"]), data=st.data())
def test_changed_bytes_give_an_error_or_a_picture(tmp_path_factory, form: str, data):
    content = bytearray(encoded(form))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    folder = tmp_path_factory.mktemp("pictures")
    (folder / "x.png").write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PIL's, of what it could mend
        with contextlib.suppress(ValueError):
            assert len(ImageFolder(folder, longest=4, progress=False)) == 1
            assert image_folder(folder, 4, progress=False).shape == (3, 4, 4)


@pytest.mark.parametrize("name", ["bomb", "cut JPEG", "text", "pipe"])
def test_tasks_name_a_bad_file_in_one_line(model, tmp_path: Path, capsys, name: str):
    file, good = tmp_path / "x.png", tmp_path / "good.png"
    good.write_bytes(encoded("PNG"))
    if name == "pipe":
        os.mkfifo(file)
    else:
        file.write_bytes(BAD[name])
    out = ["--taken-at", "8", "--steps", "1", "--samples", "1", "--out", str(tmp_path / "out")]
    for words in (["vary", model, str(file)], ["inpaint", model, str(good), "--mask", str(file)]):
        assert main([*words, *out]) == 2
        said = capsys.readouterr().err.strip()
        assert "x.png" in said
        assert "\n" not in said
    assert not (tmp_path / "out").exists()


def test_large_pictures_that_are_decoded_are_no_warning(tmp_path: Path, monkeypatch):
    (tmp_path / "x.png").write_bytes(encoded("PNG"))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 24 * 20)
    assert len(image_folder(tmp_path, 4, progress=False)) == 1
    assert len(ImageFolder(tmp_path, longest=4, progress=False)) == 1
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 24 * 10)
    with pytest.raises(ValueError, match=r"x\.png .*more than 480 pixels"):
        image_folder(tmp_path, 4, progress=False)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB"])
def test_every_mode_is_read(mode: str):
    image = Image.new("RGB", (6, 6)) if mode != "LAB" else Image.new("LAB", (6, 6))
    assert Reduction((2, 2))(image.convert(mode)).shape == (3, 2, 2)


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1)])
def test_every_proportion_is_read(tmp_path: Path, size: tuple[int, int]):
    (tmp_path / "x.png").write_bytes(encoded("PNG", size=size))
    assert image_folder(tmp_path, (3, 5), progress=False).shape == (3, 3, 5)
    assert len(ImageFolder(tmp_path, longest=6, progress=False)) == 1


def test_the_first_frame_is_read(tmp_path: Path):
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    for suffix in ("gif", "png", "webp", "tiff"):
        folder = tmp_path / suffix
        folder.mkdir()
        options = {"lossless": True} if suffix == "webp" else {}
        frames[0].save(folder / f"x.{suffix}", save_all=True, append_images=frames[1:], **options)
        pixels = image_folder(folder, 1, progress=False).pixels
        assert pixels.flatten().tolist() == [255, 0, 0]


@pytest.mark.filterwarnings("ignore:.* holds 3 of the 126227 pictures of LSUN Church")
def test_a_database_that_was_cut_short_is_named(tmp_path: Path):
    folder = tmp_path / "church_outdoor_train_lmdb"
    with lmdb.open(str(folder), map_size=2**22) as opened, opened.begin(write=True) as writer:
        for number in range(3):
            writer.put(str(number).encode(), encoded("PNG", size=(64, 64)))
    pictures = lsun_church(tmp_path, "train", 4)
    assert pictures[2].shape == (3, 4, 4)
    os.truncate(folder / "data.mdb", 3 * 4096)
    with pytest.raises(ValueError, match="church_outdoor_train_lmdb: 2 cannot .* cut short"):
        pictures[2]
    with pytest.raises(ValueError, match="church_outdoor_train_lmdb cannot .* cut short"):
        lsun_church(tmp_path, "train", 4)
