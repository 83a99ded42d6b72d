"""The cache draws each block once, survives damage, and serves processes that draw at once."""

import hashlib
import subprocess
import sys
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from inftydiff.data import _avatars as avatars
from inftydiff.data import _blocks as blocks
from inftydiff.data import cache, faces
from inftydiff.data._blocks import block_length

QUIET = {"resolution": 16, "progress": False, "workers": 1}


def files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.is_file())


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The seeds that this process draws from here on, as noise instead of avatars."""
    seeds = []

    def render(style: str, seed: int, resolution: int, background: str):
        seeds.append(seed)
        key = zlib.crc32(repr((style, seed, resolution, background)).encode())
        shape = (3, resolution, resolution)
        return np.random.default_rng(key).integers(0, 256, shape, dtype=np.uint8)

    monkeypatch.setattr(blocks, "render", render)
    return seeds


def test_only_what_is_new_is_drawn(tmp_path: Path, drawn: list[int]):
    faces(seeds=range(100), cache=tmp_path, **QUIET)
    assert drawn == list(range(128))
    faces(seeds=range(90, 200), cache=tmp_path, **QUIET)
    assert drawn == list(range(256))
    faces(seeds=range(256), cache=tmp_path, **QUIET)
    assert len(drawn) == 256


def test_few_large_pictures_are_not_many(tmp_path: Path, drawn: list[int]):
    faces(seeds=range(3), resolution=1024, cache=tmp_path, workers=1, progress=False)
    assert drawn == [0, 1, 2]


def test_blocks_take_bounded_memory():
    for resolution in (1, 16, 64, 65, 512, 1024, 4096):
        length = block_length(resolution)
        assert 1 <= length <= 128
        assert length == 1 or length * resolution**2 <= 2**19


@pytest.mark.parametrize(
    "change",
    [{"style": "cutouts"}, {"background": "ffffff"}, {"resolution": 8}],
    ids=["style", "background", "resolution"],
)
def test_what_decides_the_pixels_is_part_of_the_key(tmp_path: Path, drawn: list[int], change):
    one, other = QUIET, {**QUIET, **change}
    first = faces(seeds=[0], cache=tmp_path, **one)
    second = faces(seeds=[0], cache=tmp_path, **other)
    assert len(drawn) == 256
    assert first.pixels.shape != second.pixels.shape or not torch.equal(first.pixels, second.pixels)
    assert torch.equal(faces(seeds=[0], cache=tmp_path, **one).pixels, first.pixels)
    assert torch.equal(faces(seeds=[0], cache=tmp_path, **other).pixels, second.pixels)
    assert len(drawn) == 256


def test_versions_are_part_of_the_key(
    tmp_path: Path, drawn: list[int], monkeypatch: pytest.MonkeyPatch
):
    faces(seeds=[0], cache=tmp_path, **QUIET)
    for name in ("dicebear-core", "dicebear-styles", "resvg-py"):
        installed = avatars.version
        with monkeypatch.context() as patch:
            patch.setattr(avatars, "version", lambda x, n=name, v=installed: v(x) + ".1" * (x == n))
            faces(seeds=[0], cache=tmp_path, **QUIET)
    assert len(drawn) == 4 * 128
    assert len(files(tmp_path)) == 4


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def empty(file: Path) -> None:
    file.write_bytes(b"")


def flip_a_bit(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def write_text(file: Path) -> None:
    file.write_text("no archive")


def write_another_shape(file: Path) -> None:
    cache.store(file, np.zeros((1, 3, 16, 16), dtype=np.uint8))


def write_other_numbers(file: Path) -> None:
    with file.open("wb") as stream:
        np.savez(stream, pixels=np.zeros((128, 3, 16, 16)))


def write_another_name(file: Path) -> None:
    with file.open("wb") as stream:
        np.savez(stream, x=np.zeros((128, 3, 16, 16), dtype=np.uint8))


def write_a_bare_array(file: Path) -> None:
    with file.open("wb") as stream:
        np.save(stream, np.zeros((128, 3, 16, 16), dtype=np.uint8))


@pytest.mark.parametrize(
    "damage",
    [
        cut,
        empty,
        flip_a_bit,
        write_text,
        write_another_shape,
        write_other_numbers,
        write_another_name,
        write_a_bare_array,
        Path.unlink,
    ],
)
def test_damaged_files_are_drawn_again(
    tmp_path: Path, drawn: list[int], damage: Callable[[Path], None]
):
    before = faces(seeds=range(3), cache=tmp_path, **QUIET)
    [file] = files(tmp_path)
    damage(file)
    after = faces(seeds=range(3), cache=tmp_path, **QUIET)
    assert torch.equal(after.pixels, before.pixels)
    assert len(drawn) == 256
    faces(seeds=range(3), cache=tmp_path, **QUIET)
    assert len(drawn) == 256


@pytest.mark.parametrize("bit", [0, 7])
def test_damage_anywhere_is_noticed_or_harmless(tmp_path: Path, bit: int):
    pixels = np.arange(48, dtype=np.uint8).reshape(1, 3, 4, 4)
    file = tmp_path / "0.npz"
    cache.store(file, pixels)
    content = file.read_bytes()
    noticed = 0
    for place in range(len(content)):
        for damaged in (
            content[:place],
            content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :],
        ):
            file.write_bytes(damaged)
            read = cache.load(file, pixels.shape)
            assert read is None or np.array_equal(read, pixels)
            noticed += read is None
    assert noticed > len(content)


def test_writers_at_once_leave_a_whole_file(tmp_path: Path):
    file = tmp_path / "0.npz"
    shape = (4, 3, 32, 32)

    def write_and_read(value: int) -> bool:
        cache.store(file, np.full(shape, value, dtype=np.uint8))
        read = cache.load(file, shape)
        return read is not None and bool((read == read.flat[0]).all())

    with ThreadPoolExecutor(8) as executor:
        assert all(executor.map(write_and_read, range(200)))
    assert files(tmp_path) == [file]


def test_an_interrupted_write_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    pixels = np.ones((2, 3, 4, 4), dtype=np.uint8)
    file = tmp_path / "0.npz"
    cache.store(file, pixels)

    def fail(partial, **arrays):
        partial.write_bytes(b"half of")
        raise OSError("No space left on device")

    monkeypatch.setattr(np, "savez_compressed", fail)
    with pytest.raises(OSError, match="No space"):
        cache.store(file, 2 * pixels)
    assert np.array_equal(cache.load(file, pixels.shape), pixels)
    assert files(tmp_path) == [file]


DRAW = """
import hashlib, sys
from inftydiff.data import faces
print("ready", flush=True)
sys.stdin.readline()
images = faces(seeds=range(256), resolution=16, cache=sys.argv[1], workers=1, progress=False)
print(hashlib.sha256(images.pixels.numpy().tobytes()).hexdigest())
"""


@pytest.mark.thorough
def test_two_processes_draw_the_same_faces_at_once(tmp_path: Path):
    command = [sys.executable, "-c", DRAW, str(tmp_path)]
    pipe = subprocess.PIPE
    processes = [
        subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) for _ in range(2)
    ]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    results = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], results
    expected = faces(seeds=range(256), **QUIET).pixels.numpy().tobytes()
    digest = hashlib.sha256(expected).hexdigest()
    assert [out.strip() for out, _ in results] == [digest, digest]
    assert sorted(int(file.stem) for file in files(tmp_path)) == [0, 128]
    assert {file.suffix for file in files(tmp_path)} == {".npz"}


@pytest.mark.parametrize("variable", ["set", "unset", "empty"])
def test_the_folder_is_the_variable_or_the_user_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    if variable == "unset":
        monkeypatch.delenv("INFTYDIFF_CACHE")
    else:
        monkeypatch.setenv("INFTYDIFF_CACHE", str(tmp_path / "mine") * (variable == "set"))
    if variable == "set":
        assert cache.cache_folder() == tmp_path / "mine"
        faces(seeds=[0], **QUIET)
        assert len(files(tmp_path / "mine")) == 1
    else:
        assert cache.cache_folder().name == "inftydiff"
        assert cache.cache_folder().is_absolute()
