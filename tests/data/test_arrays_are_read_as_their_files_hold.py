"""Files of arrays give the right values or one error that names them, within bounded memory."""

import contextlib
import os
import pickle
import resource
import struct
import subprocess
import sys
import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from inftydiff.cli import main
from inftydiff.data import ImageArray, image_array
from inftydiff.data._npy import read_array

X = np.random.default_rng(0).integers(0, 256, (6, 2, 5, 7), dtype=np.uint8)


def header(shape: object, descr: object = "|u1", fortran: bool = False, version: int = 1) -> bytes:
    """The head of a ``.npy`` file that declares anything."""
    words = f"{{'descr': {descr!r}, 'fortran_order': {fortran}, 'shape': {shape!r}, }}\n".encode()
    length = struct.pack("<H" if version == 1 else "<I", len(words))
    return b"\x93NUMPY" + bytes([version, 0]) + length + words


def content(array: np.ndarray) -> bytes:
    file = BytesIO()
    np.save(file, array)
    return file.getvalue()


BAD = {
    "huge": header((10**12, 3, 64, 64)),
    "absurd": header((10**40, 3, 64, 64), "<f8"),
    "negative": header((-1, -3, 4, 4)) + bytes(48),
    "float shape": header((1.5, 3, 4, 4)) + bytes(48),
    "words": header("many") + bytes(48),
    "objects": header((1,), "|O") + pickle.dumps(1),
    "unknown version": header((1, 1, 2, 2), version=9) + bytes(4),
    "nested": b"\x93NUMPY\1\0" + struct.pack("<H", 5000) + b"[" * 5000,
    "unclosed": header((1, 1, 2, 2))[:30],
    "empty": b"",
    "magic": b"\x93NUMPY",
    "text": b"no array",
    "cut": content(X)[:-1],
    "zip": b"PK\3\4" + bytes(99),
}
KINDS = {
    "structured": header((2, 2, 2, 2), [("a", "|u1")]) + bytes(16),
    "integers": header((2, 1, 2, 2), "<i4") + bytes(32),
    "text": header((2, 1, 2, 2), "<U1") + bytes(32),
}


@pytest.mark.parametrize("name", list(BAD))
def test_damaged_files_are_named(tmp_path: Path, name: str):
    file = tmp_path / "x.npy"
    file.write_bytes(BAD[name])
    for read in (image_array, ImageArray):
        with pytest.raises(ValueError, match=r"x\.npy cannot be read as one array"):
            read(file)
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("x.npy", BAD[name])
    with pytest.raises(ValueError, match=r"x\.npz cannot be read as one array"):
        image_array(tmp_path / "x.npz")


@pytest.mark.parametrize("name", list(KINDS))
def test_other_kinds_of_numbers_are_refused(tmp_path: Path, name: str):
    (tmp_path / "x.npy").write_bytes(KINDS[name])
    for read in (image_array, ImageArray):
        with pytest.raises(TypeError, match="uint8"):
            read(tmp_path / "x.npy")


@pytest.mark.thorough
@given(at=st.integers(0, 200), value=st.integers(0, 255), end=st.integers(0, 600))
def test_changed_bytes_give_an_error_or_an_array(tmp_path_factory, at: int, value: int, end: int):
    file = tmp_path_factory.mktemp("arrays") / "x.npy"
    changed = bytearray(content(X))
    changed[at] = value
    file.write_bytes(changed[:end])
    for read in (image_array, ImageArray):
        with contextlib.suppress(TypeError, ValueError):
            pictures = read(file)
            assert len([pictures[i] for i in range(len(pictures))]) == len(pictures)


def test_what_is_no_file_is_refused(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.npy")
    (tmp_path / "folder.npy").mkdir()
    for name in ("pipe", "folder"):
        for read in (image_array, ImageArray):
            with pytest.raises(ValueError, match=rf"{name}\.npy cannot .* no regular file"):
                read(tmp_path / f"{name}.npy")


def test_names_are_in_any_case(tmp_path: Path):
    (tmp_path / "x.NPY").write_bytes(content(X))
    assert torch.equal(image_array(tmp_path / "x.NPY").pixels, torch.from_numpy(X))
    assert len(ImageArray(tmp_path / "x.NPY")) == 6


@pytest.mark.parametrize("fortran", [False, True])
def test_a_file_that_becomes_shorter_is_an_error_that_names_the_picture(tmp_path, fortran: bool):
    file = tmp_path / "x.npy"
    np.save(file, np.asfortranarray(X) if fortran else X)
    lazy = ImageArray(file)
    assert torch.equal(lazy[2], image_array(X)[2])
    os.truncate(file, file.stat().st_size - 3 * X[0].size)
    if not fortran:
        assert torch.equal(lazy[2], image_array(X)[2])
    with pytest.raises(ValueError, match=r"Picture 5 of .*x\.npy cannot .* bytes too early"):
        lazy[-1]
    file.unlink()
    with pytest.raises(ValueError, match=r"Picture 2 of .*x\.npy cannot be read: .*No such file"):
        lazy[2]


def test_workers_tell_of_it_in_one_line(tmp_path: Path):
    np.save(tmp_path / "x.npy", X)
    lazy = ImageArray(tmp_path / "x.npy")
    os.truncate(tmp_path / "x.npy", 150)
    with pytest.raises(ValueError, match=r"^Picture 0 of .*x\.npy cannot be read") as caught:
        next(iter(DataLoader(lazy, num_workers=1)))
    assert "\n" not in str(caught.value)


def test_large_fortran_rows_are_read_in_pieces(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("inftydiff.data._npy.PIECE", 50)
    np.save(tmp_path / "x.npy", np.asfortranarray(X))
    lazy = ImageArray(tmp_path / "x.npy")
    assert torch.equal(torch.stack(list(lazy)), torch.stack(list(image_array(X))))


def bomb(file: Path, size: int) -> None:
    """An ``.npz`` file of a thousandth of the size of its array."""
    zeros = bytes(2**24)
    with (
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("x.npy", "w", force_zip64=True) as member,
    ):
        member.write(header((size // 2**24, 1, 2**12, 2**12)))
        for _ in range(size // 2**24):
            member.write(zeros)


def test_a_small_file_that_inflates_is_refused(tmp_path: Path):
    bomb(tmp_path / "x.npz", 2**29)
    assert (tmp_path / "x.npz").stat().st_size < 2**20
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ValueError, match=r"x\.npz cannot .* more than 64 times"):
        image_array(tmp_path / "x.npz")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**16


def test_arrays_that_compress_well_are_read(tmp_path: Path):
    np.savez_compressed(tmp_path / "x.npz", x=np.zeros((64, 1, 256, 256), np.uint8))
    assert len(image_array(tmp_path / "x.npz")) == 64


def test_named_members_are_bounded_too(tmp_path: Path):
    bomb(tmp_path / "x.npz", 2**29)
    with pytest.raises(ValueError, match="more than 64 times"):
        read_array(tmp_path / "x.npz", "x")
    with pytest.raises(ValueError, match=r"no 'y' among its 1 arrays \(x\)"):
        read_array(tmp_path / "x.npz", "y")
    np.save(tmp_path / "x.npy", X)
    with pytest.raises(ValueError, match="one array without a name"):
        read_array(tmp_path / "x.npy", "x")


def test_a_member_that_is_shorter_than_it_declares_is_refused(tmp_path: Path):
    for words in (header((10**9, 1, 8, 8)), header((6, 2, 5, 7)) + bytes(99)):
        with zipfile.ZipFile(tmp_path / "x.npz", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("x.npy", words)
        with pytest.raises(ValueError, match=r"x\.npz cannot be read as one array: it declares"):
            image_array(tmp_path / "x.npz")
    file = bytearray(content(X))
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("x.npy", bytes(file))
    whole = bytearray((tmp_path / "x.npz").read_bytes())
    whole[-200] ^= 1  # in the pixels, so that the check sum differs
    (tmp_path / "x.npz").write_bytes(whole)
    with pytest.raises(ValueError, match="CRC"):
        image_array(tmp_path / "x.npz")


def test_training_on_a_file_that_becomes_shorter_ends_in_one_line(tmp_path: Path):
    """In a process of its own, as a signal would end it."""
    np.save(tmp_path / "x.npy", np.zeros((4096, 1, 32, 32), np.float32))
    code = (
        "import os, sys\nfrom inftydiff.data import ImageArray\n"
        "lazy = ImageArray(sys.argv[1])\nos.truncate(sys.argv[1], 8192)\nlazy[4000]\n"
    )
    words = [sys.executable, "-c", code, str(tmp_path / "x.npy")]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 1
    assert "UnreadableSample: Picture 4000 of" in ended.stderr.splitlines()[-1]


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("shape", "layout", "match"),
    [
        ((40, 3, 16, 16), "nhwc", r"16 channels, and the axis of 3 .* layout=\"nchw\""),
        ((40, 16, 16, 3), "nchw", r"16 channels, and the axis of 3 .* layout=\"nhwc\""),
        ((40, 16, 16, 3), None, "Which axes has .*nhwc, with the channels last"),
        ((40, 16, 16, 16), None, "volumes are no pictures"),
        ((40, 8, 16, 16, 1), None, "volumes are no pictures"),
        ((40, 8, 16, 16, 1), "nhwc", "has 4 axes.*Volumes are no pictures"),
        ((40, 64), None, "Curves and volumes are no pictures"),
        ((40, 64), "nhw", "has 3 axes"),
        ((40, 64, 2), None, "Which axes has"),
        ((40, 64, 2), "nhw", "look like curves"),
        ((40, 2, 64), "nhw", "look like curves"),
        ((40,), None, "Which axes has"),
        ((), None, "Which axes has"),
    ],
)
def test_axes_are_asked_for_and_not_guessed(tmp_path: Path, capsys, shape, layout, match: str):
    np.save(tmp_path / "x.npy", np.zeros(shape, np.uint8))
    for read in (image_array, ImageArray):
        with pytest.raises(ValueError, match=match):
            read(tmp_path / "x.npy", layout=layout)
    words = ["train", str(tmp_path / "x.npy"), "--out", str(tmp_path / "run")]
    assert main([*words, *([] if layout is None else ["--layout", layout])]) == 2
    said = capsys.readouterr().err.strip()
    assert "--layout" in said or "layout=" in said
    assert "\n" not in said
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("shape", "layout", "right"),
    [
        ((6, 3, 16, 16), None, (3, 16, 16)),
        ((6, 16, 16, 3), "nhwc", (3, 16, 16)),
        ((6, 16, 16, 12), "nhwc", (12, 16, 16)),
        ((6, 12, 16, 16), "nchw", (12, 16, 16)),
        ((6, 1, 1, 64), None, (1, 1, 64)),
        ((6, 2, 64, 1), None, (2, 64, 1)),
        ((6, 16, 16), "nhw", (1, 16, 16)),
    ],
)
def test_axes_that_are_told_are_read(tmp_path: Path, shape, layout, right):
    np.save(tmp_path / "x.npy", np.zeros(shape, np.uint8))
    assert image_array(tmp_path / "x.npy", layout=layout).shape == right
    assert ImageArray(tmp_path / "x.npy", layout=layout).shape == right
