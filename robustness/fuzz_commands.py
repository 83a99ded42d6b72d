"""Tries of command lines: each in a child of a loaded process, some in processes of their own.

Judged are the status (0, 2, or 128 and more after a signal), the words (no traceback; one line, or
the frame in which the parser of words says what is wrong), the time, what lay there before, and
what is there after: a file of numbers or a picture is whole, or not there.
"""

import contextlib
import os
import random
import shutil
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any, final

import numpy as np

from robustness.fuzz_command_lines import CORNERS, Line, draw_line, good_lines, prepared
from robustness.fuzz_findings import Finding

__all__ = ["Commands"]

SEEDS = 40
"""Every so many tries, one draws by two seeds that are far from each other, or by one too large."""


@final
class Commands:
    """The tries of command lines.

    Args:
        names: the namespace of the examples.
        seed: of all choices.
        scratch: a folder for what the commands write.
    """

    def __init__(self, names: dict[str, Any], seed: int, scratch: Path) -> None:
        self.names = names
        self.seed = seed
        self.scratch = scratch
        self.good = good_lines(names)

    def describe(self, number: int) -> tuple[str, str, str]:
        """The target, the argument and the reproduction of a try."""
        again = f"python -m robustness.fuzz --seed {self.seed} --only commands:{number}"
        special = self._special(number)
        if special is not None:
            return special[0], special[1], again
        name, line = self._drawn(number)
        return name, line.said, f"{again}  # inftydiff {' '.join(line.words)[:200]!r}"

    def __call__(self, number: int) -> list[Finding]:
        """Make a try."""
        place = self.scratch / f"command-{number}"
        _removed(place)
        prepared(place)
        special = self._special(number)
        if special is not None:
            found = self._seeds(place) if special[0] == "seeds" else self._script(place)
        else:
            found = self._run(self._drawn(number)[1], place)
        _removed(place)
        target, argument, again = self.describe(number)
        return [
            Finding(kind, target, argument, words, again, "commands", number)
            for kind, words in found
        ]

    def _drawn(self, number: int) -> tuple[str, Line]:
        draw = random.Random(f"{self.seed} commands {number}")
        return draw_line(draw, self.good, number)

    def _special(self, number: int) -> tuple[str, str] | None:
        if number < len(self.good) + len(CORNERS):
            return None
        if number % SEEDS == 25:
            return "seeds", "5 and 2**32 + 5 are two pictures, 2**64 is refused in words"
        if number == len(self.good) + len(CORNERS):
            return "faces", "a thousand faces in a script without a main guard"
        return None

    def _run(self, line: Line, place: Path) -> list[tuple[str, str]]:
        words = [word.replace("@", str(place)) for word in line.words]
        folder = next((w for w in words if w.startswith(str(place))), None)
        if folder is not None:
            Path(folder).parent.mkdir(parents=True, exist_ok=True)
        before = {f.name: f.read_text() for f in place.glob("*.txt")}
        status, output = _ran(words, line, place)
        found = _judged(status, output, line)
        if {f.name: f.read_text() for f in place.glob("*.txt")} != before:
            found.append(("lost", "a file that lay there is another"))
        for file in place.rglob("*.np[yz]"):
            if file.is_dir():
                continue
            try:
                np.load(file)
            except Exception as error:
                found.append(("lost", f"{file.name} is not whole: {error}"))
        return found

    def _seeds(self, place: Path) -> list[tuple[str, str]]:
        arrays = []
        model = str(self.names["model_folder"])
        for seed in (5, 2**32 + 5):
            words = ["sample", model, "--size", "8", "--count", "1", "--steps", "1", "--seed",
                     str(seed), "--out", str(place / f"{seed}.npy")]  # fmt: skip
            status, output = _ran(words, Line(tuple(words)), place)
            if status:
                return [("crash", f"seed {seed}: {output[-200:]}")]
            arrays.append(np.load(place / f"{seed}.npy"))
        found = []
        if np.array_equal(*arrays):
            found.append(("silent", "seeds 5 and 2**32 + 5 draw the same picture"))
        words = [
            "sample",
            model,
            "--size",
            "8",
            "--count",
            "1",
            "--steps",
            "1",
            "--seed",
            str(2**64),
        ]
        status, output = _ran(words, Line(tuple(words)), place)
        if status != 2 or "seed" not in output.lower() or "unpack" in output:
            found.append(
                ("crash", f"seed 2**64 is not refused in words: {status}, {output[-200:]}")
            )
        return found

    def _script(self, place: Path) -> list[tuple[str, str]]:
        text = "from inftydiff.data import faces\nprint(len(faces('toon-head', range(1000), 8)))\n"
        (place / "script.py").write_text(text)
        way = [sys.executable, "script.py"]
        ended = subprocess.run(
            way, cwd=place, capture_output=True, text=True,
            env={**os.environ, "INFTYDIFF_CACHE": str(place / "cache")},
        )  # fmt: skip
        if ended.returncode or "Traceback" in ended.stderr:
            return [("crash", f"status {ended.returncode}: {ended.stderr[-300:]}")]
        return []


def _ran(words: list[str], line: Line, place: Path) -> tuple[int, str]:
    """The status and the words of a command, run in a child or in a new process."""
    said = place.with_suffix(".said")
    if line.fresh:
        return _fresh(words, line, place)
    pid = os.fork()
    if not pid:
        status = 1
        try:
            status = _in_child(words, line, place, said)
        except BaseException:
            with said.open("a") as opened:
                traceback.print_exc(file=opened)
        finally:
            os._exit(status)
    _, ended = os.waitpid(pid, 0)
    output = said.read_text(errors="replace") if said.exists() else ""
    said.unlink(missing_ok=True)
    return os.waitstatus_to_exitcode(ended), output


def _in_child(words: list[str], line: Line, place: Path, said: Path) -> int:
    os.chdir(place)
    for name, value in line.variables.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value
    opened = os.open(said, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    for number in (1, 2):
        os.dup2(opened, number)
    encoding = str(line.variables.get("PYTHONIOENCODING") or "utf-8")
    if line.variables.get("PYTHONUTF8") == "0":
        encoding = "ascii"
    # as Python opens them: what cannot be written is an error on one, and escaped on the other
    sys.stdout = os.fdopen(1, "w", encoding=encoding, errors="strict", closefd=False)
    sys.stderr = os.fdopen(2, "w", encoding=encoding, errors="backslashreplace", closefd=False)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    if line.stream == "closed input":
        os.close(0)
        sys.stdin = None  # type: ignore[assignment]
    if line.stream == "closed output":
        sys.stdout = None  # type: ignore[assignment]
        os.close(1)
    if line.stream == "closed error":
        sys.stderr = None  # type: ignore[assignment]
        os.close(2)
    if line.stream == "broken pipe":
        reader, writer = os.pipe()
        os.close(reader)
        os.dup2(writer, 1)
    from inftydiff.cli import main

    try:
        status: Any = main(words)
    except SystemExit as stop:
        status = 0 if stop.code is None else stop.code
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(BrokenPipeError, ValueError):  # as Python has it at the end
            if stream is not None:
                stream.flush()
    return status if isinstance(status, int) else 1


def _fresh(words: list[str], line: Line, place: Path) -> tuple[int, str]:
    variables = {k: v for k, v in os.environ.items() if k not in line.variables}
    variables |= {k: v for k, v in line.variables.items() if v is not None}
    if any("\0" in word for word in words):
        return 2, ""
    ended = subprocess.run(
        [sys.executable, "-m", "inftydiff.cli", *words], cwd=place, env=variables,
        stdin=subprocess.DEVNULL, capture_output=True,
    )  # fmt: skip
    return ended.returncode, (ended.stdout + ended.stderr).decode(errors="replace")


def _judged(status: int, output: str, line: Line) -> list[tuple[str, str]]:
    """Say what is wrong with a status and with words."""
    last = " ".join(output.strip().splitlines()[-4:])[-300:]
    if "Traceback" in output:
        where = [x.strip() for x in output.splitlines() if "/inftydiff/" in x][-1:]
        place = where[0].rpartition("/inftydiff/")[2] if where else ""
        return [("crash", f"a traceback: {output.strip().splitlines()[-1][:200]} at {place}")]
    if line.said in ("the good line", "a good line") and status:
        return [("lost", f"a good line ends with {status}: {last}")]
    if status < 0:
        return [("crash", f"the process died by signal {-status}")]
    unread = (141,) if line.stream == "broken pipe" else ()
    if status not in (0, 2, *unread):
        return [("crash", f"ends with {status}: {last}")]
    words = [x for x in output.splitlines() if x.startswith("inftydiff: ")]
    framed = "╭" in output or "---" in output or "usage" in output.lower()
    if status == 2 and not words and not framed and not line.stream and output.strip():
        return [("crash", f"is not told in one line: {last}")]
    if status == 2 and not output.strip() and not line.stream:
        return [("crash", "ends with 2, without a word")]
    return []


def _removed(place: Path) -> None:
    for path in place.rglob("*"):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o700)
    shutil.rmtree(place, ignore_errors=True)
