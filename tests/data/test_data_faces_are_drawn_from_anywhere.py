"""Many faces are drawn by several processes, whatever the caller is; a failure is one line.

The processes import nothing of the caller's, keep whole files when they are killed, and end with
the caller.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import inftydiff
from inftydiff.data import faces
from inftydiff.data._blocks import Block
from inftydiff.data._drawing import draw_all
from inftydiff.data.cache import load

SIZE, LENGTH = 8, 128
SCRIPT = """
import sys
from inftydiff.data import faces
x = faces(seeds=range(255, -1, -1), resolution=8, cache=sys.argv[1], workers=2, progress=False)
import numpy as np
np.save(sys.argv[2], np.stack([image.numpy() for image in x]))
"""


def environment() -> dict[str, str]:
    package = str(Path(inftydiff.__file__).parents[1])
    path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path}


@pytest.fixture(scope="module")
def expected() -> np.ndarray:
    blocks = [Block(Path(), "toon-head", "b6e3f4", SIZE, start) for start in (0, LENGTH)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("inftydiff.data._blocks.store", lambda file, pixels: None)
        return np.concatenate([block.draw() for block in blocks])


@pytest.mark.thorough
@pytest.mark.parametrize("way", ["script", "standard input", "-c"])
def test_without_a_guard(way: str, tmp_path: Path, expected: np.ndarray):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    words = {"script": [str(script)], "standard input": ["-"], "-c": ["-c", SCRIPT]}[way]
    done = subprocess.run(
        [sys.executable, *words, "cache", "found.npy"],
        input=SCRIPT if way == "standard input" else "",
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment(),
        timeout=300,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    found = np.load(tmp_path / "found.npy")
    pixels = np.rint((found + 1.0) * 127.5).astype(np.uint8)
    assert np.array_equal(pixels[::-1], expected)


def blocks(folder: Path, number: int) -> list[Block]:
    folder.mkdir(exist_ok=True)
    return [Block(folder, "toon-head", "b6e3f4", SIZE, LENGTH * i) for i in range(number)]


def test_the_order_is_that_of_the_blocks(tmp_path: Path, expected: np.ndarray):
    asked = blocks(tmp_path / "new", 2)[::-1]
    drawn = list(draw_all(asked, 2))
    assert np.array_equal(np.concatenate(drawn[::-1]), expected)
    assert all(np.array_equal(block.load(), part) for block, part in zip(asked, drawn, strict=True))


def wrong_style(folder: Path) -> list[Block]:
    return [Block(folder, "no such style", "b6e3f4", SIZE, 0)]


def no_folder(folder: Path) -> list[Block]:
    (folder / "none").write_text("a file")
    return [Block(folder / "none", "toon-head", "b6e3f4", SIZE, 0)]


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("asked", "message"),
    [(wrong_style, "ValueError: No style is called"), (no_folder, "NotWritten: .*none")],
)
def test_a_failure_is_one_line(asked: Callable[[Path], list[Block]], message: str, tmp_path: Path):
    with pytest.raises(ChildProcessError, match=f"Seeds 0 to 127 of .*: {message}") as failed:
        list(draw_all(asked(tmp_path), 2))
    assert "\n" not in str(failed.value)
    assert failed.value.__cause__ is None


def test_processes_that_do_not_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("inftydiff.data._drawing.PROGRAM", "raise SystemExit('out of luck')")
    with pytest.raises(ChildProcessError, match="ended by itself, saying 'out of luck'"):
        list(draw_all(blocks(tmp_path / "new", 2), 2))
    monkeypatch.setattr("sys.executable", str(tmp_path / "none"))
    with pytest.raises(ChildProcessError, match="could not be started: .*workers=1"):
        list(draw_all(blocks(tmp_path / "new", 2), 2))


def children(of: int) -> list[int]:
    found = Path(f"/proc/{of}/task/{of}/children").read_text().split()
    return [int(number) for number in found]


needs_proc = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")


@pytest.mark.thorough
@needs_proc
def test_a_killed_process_is_one_line_and_leaves_whole_files(tmp_path: Path):
    before = set(children(os.getpid()))
    drawn = draw_all(blocks(tmp_path / "new", 40), 2)
    next(drawn)
    ours = set(children(os.getpid())) - before
    assert len(ours) == 2
    for child in ours:
        os.kill(child, signal.SIGKILL)
    with pytest.raises(ChildProcessError, match="was killed by signal 9"):
        list(drawn)
    kept = sorted((tmp_path / "new").glob("*.npz"))
    assert kept
    assert all(load(file, (LENGTH, 3, SIZE, SIZE)) is not None for file in kept)
    assert not set(children(os.getpid())) - before


SLOW = """
import sys
from inftydiff.data import faces
faces(seeds=range(20000), resolution=64, cache=sys.argv[1], workers=2, progress=False)
"""


@pytest.mark.thorough
@needs_proc
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_the_processes_end_with_the_caller(number: signal.Signals, tmp_path: Path):
    caller = subprocess.Popen(
        [sys.executable, "-c", SLOW, str(tmp_path)],
        stderr=subprocess.PIPE,
        env=environment(),
        text=True,
    )
    while not list(tmp_path.rglob("[0-9]*.npz")) and caller.poll() is None:
        time.sleep(0.05)
    ours = [child for child in children(caller.pid) if Path(f"/proc/{child}").exists()]
    assert len(ours) >= 2
    caller.send_signal(number)
    said = caller.communicate(timeout=120)[1]
    assert said.count("Traceback") == (number == signal.SIGINT)
    assert "spawn" not in said
    until = time.monotonic() + 60
    while any(running(child) for child in ours) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(running(child) for child in ours)
    whole = [load(file, (LENGTH, 3, 64, 64)) for file in tmp_path.rglob("[0-9]*.npz")]
    assert all(pixels is not None for pixels in whole)


def running(process: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{process}/status").read_text()
    except FileNotFoundError:
        return False


def test_faces_tells_what_went_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("inftydiff.data._drawing.PROGRAM", "raise SystemExit(3)")
    with pytest.raises(OSError, match="could not be drawn"):
        faces(seeds=range(256), resolution=SIZE, cache=tmp_path, workers=2, progress=False)
