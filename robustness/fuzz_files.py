"""Tries of files: a good folder is copied, one thing in it changed, and the copy read.

Judged are the error, which is documented and names the file; the time and the memory where they
are bounded; whether what is read is finite; whether anything outside the folder is read through a
link or changed; and whether what lay in the folder before, and is no other's to remove, still does.
"""

import contextlib
import hashlib
import os
import random
import re
import shutil
import time
import warnings
from pathlib import Path
from typing import Any, final

import numpy as np
import torch

from robustness.fuzz_findings import Finding
from robustness.fuzz_good_files import Kind, Refused
from robustness.fuzz_judge import described, documented
from robustness.fuzz_mutations import ANY, LINKS, TEXT, Mutation, Unfit
from robustness.fuzz_mutations_arrays import ARRAYS
from robustness.fuzz_mutations_kinds import KINDS
from robustness.fuzz_mutations_weights import WEIGHTS
from robustness.fuzz_values_seen import finite, leaves

__all__ = ["Files"]

SECONDS, BYTES = 2.0, 500 * 2**20
"""The most that reading a file of a bounded kind may take."""

OTHER_TYPE = re.compile(r"(step-00000002/)?model.safetensors: (int64|bool|complex) weights")
"""Mutations that give the weights that are read another type."""

VICTIM = bytes(range(32, 127)) * 10
"""The bytes of the file that links lead to."""


@final
class Files:
    """The tries of files.

    Args:
        kinds: of files.
        good: the folder of their good ones.
        seed: of all choices.
        package: the folder of the package.
        scratch: a folder for the copies.
    """

    def __init__(
        self, kinds: list[Kind], good: Path, seed: int, package: Path, scratch: Path
    ) -> None:
        self.kinds = kinds
        self.good = good
        self.seed = seed
        self.package = package
        self.scratch = scratch
        self.pairs = [(kind, reader) for kind in kinds for reader in kind.readers]

    def describe(self, number: int) -> tuple[str, str, str]:
        """The target, the argument and the reproduction of a try."""
        kind, reader, _ = self._drawn(number)
        try:
            note = (self.scratch / f"file-{number}" / "mutation.txt").read_text()
        except OSError:
            note = "a mutation"
        again = f"python -m robustness.fuzz --seed {self.seed} --only files:{number}"
        return f"{kind.name} by {reader}", note, again

    def __call__(self, number: int) -> list[Finding]:
        """Make a try."""
        kind, reader, draw = self._drawn(number)
        place = self.scratch / f"file-{number}"
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(self.good / kind.name, place / kind.name)
        (place / "outside" / "folder").mkdir(parents=True)
        for victim in ("victim.txt", "folder/other.txt"):
            (place / "outside" / victim).write_bytes(VICTIM)
        said = "none" if number < len(self.pairs) else self._mutated(draw, place / kind.name)
        (place / "mutation.txt").write_text(said)
        found = self._read(kind, reader, place, said)
        target, _, again = self.describe(number)
        _removed(place)
        return [Finding(what, target, said, words, again, "files", number) for what, words in found]

    def _drawn(self, number: int) -> tuple[Kind, str, random.Random]:
        draw = random.Random(f"{self.seed} files {number}")
        if number < len(self.pairs):
            return *self.pairs[number], draw
        # models and runs come from strangers, and have the most to go wrong
        first = [pair for pair in self.pairs if pair[0].name in ("model", "model_1", "run")]
        return *draw.choice(first if draw.random() < 0.45 else self.pairs), draw

    def _mutated(self, draw: random.Random, folder: Path) -> str:
        for _ in range(50):
            group: tuple[Mutation, ...] = draw.choice([ANY, LINKS, TEXT, ARRAYS, WEIGHTS, KINDS])
            mutation = draw.choice(group)
            files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
            draw.shuffle(files)
            if draw.random() < 0.7:  # the newest checkpoint is the one that is read
                files.sort(key=lambda file: "step-00000002" not in str(file))
            for file in files:
                try:
                    words = mutation(draw, folder, file)
                except (Unfit, ImportError):
                    continue
                return f"{file.relative_to(folder)}: {words}"
        return "none"

    def _read(self, kind: Kind, reader: str, place: Path, said: str) -> list[tuple[str, str]]:
        folder, outside = place / kind.name, place / "outside"
        before, around = _contents(folder), _contents(outside)
        _reset_peak()
        held, begun = _peak(), time.process_time()
        answer: Any = None
        found: list[tuple[str, str]] = []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                answer = kind.readers[reader](folder)
            except BaseException as error:
                found += self._judged(error, kind, said)
            else:
                found += _looked_at(answer)
                weighs = not reader.startswith(("train", "best", "read_progress"))
                if weighs and OTHER_TYPE.match(said):
                    found.append(("silent", "weights that are no real numbers are cast and loaded"))
        seconds, grown = time.process_time() - begun, _peak() - held
        answer = None
        allowed = SECONDS + (8.0 if reader.startswith("train") else 0.0)
        if kind.bounded and seconds > allowed:
            found.append(("hang", f"takes {seconds:.1f} s"))
        if kind.bounded and grown > BYTES:
            found.append(("hang", f"takes {grown // 2**20} MB"))
        if _contents(outside) != around:
            found.append(("followed", "what lies outside the folder is another"))
        found += _kept(kind, reader, before, _contents(folder), said)
        return found

    def _judged(self, error: BaseException, kind: Kind, said: str) -> list[tuple[str, str]]:
        words = str(error)
        if said == "none":
            return [("lost", f"a good file is refused: {described(error, self.package)}")]
        if isinstance(error, Refused):
            lines = [line for line in words.splitlines() if line.strip()]
            if "Traceback" in words:
                return [("crash", f"a traceback: {words[-300:]}")]
            ours = any(line.startswith("inftydiff: ") for line in lines)
            parsed = any(mark in words for mark in ("usage", "╭", "----"))  # of the words' parser
            return [] if ours or parsed else [("crash", f"ends without a word: {words[:200]}")]
        if not documented(error, self.package):
            return [("crash", described(error, self.package))]
        file = Path(said.partition(":")[0]).name
        names = (file, kind.name, str(getattr(error, "filename", "") or file))
        if not any(name in words for name in names):
            return [("crash", f"does not name the file: {described(error, self.package)}")]
        return []


def _looked_at(answer: Any) -> list[tuple[str, str]]:
    """Say what is wrong with what has been read."""
    if isinstance(answer, torch.nn.Module):
        for name, tensor in answer.state_dict().items():
            if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
                return [("silent", f"{name.split('.')[0]}… is loaded, and is not finite")]
        if not all(p.is_floating_point() for p in answer.parameters()):
            return [("silent", "weights that are no real numbers are loaded")]
    elif not finite(answer):
        return [("silent", "what is read is not finite")]
    if not isinstance(answer, torch.nn.Module):
        stolen = np.frombuffer(VICTIM, "<f4", 4).astype(np.float64)
        for leaf in leaves(answer):
            if isinstance(leaf, np.ndarray) and np.array_equal(leaf.ravel()[:4], stolen):
                return [("followed", "another file is read through the folder's")]
    return []


def _kept(
    kind: Kind, reader: str, before: dict[str, str], after: dict[str, str], said: str
) -> list[tuple[str, str]]:
    """Say what is missing in the folder, or changed by a reader that does not write."""
    if not kind.written and before != after:
        return [("changed", "reading changes the folder")]
    if kind.written and not reader.startswith("train resumed") and "out" not in said:
        gone = {name: value for name, value in before.items() if after.get(name) != value}
        gone.pop(".lock", None)
        if gone:
            return [("lost", f"{sorted(gone)[0]} is another after it has been read")]
    if reader.startswith("train resumed") and "stray" in said:
        mine = [name for name in before if "mine.txt" in name or "notes" in name]
        mine = [name for name in mine if ".tmp-" not in name]  # whose names are the library's own
        missing = [name for name in mine if name not in after]
        if missing:
            return [("lost", f"{missing[0]} was nobody's to remove")]
    return []


def _contents(folder: Path) -> dict[str, str]:
    """List a folder by name: digests of files, and where links lead."""
    found = {}
    for directory, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(directory) / name
            key = str(path.relative_to(folder))
            if path.is_symlink():
                found[key] = f"link to {os.readlink(path)}"
            elif path.is_file():
                found[key] = _digest(path)
            else:
                found[key] = "folder" if path.is_dir() else "other"
    return found


def _digest(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError:
        return "unreadable"


def _reset_peak() -> None:
    with contextlib.suppress(OSError):  # then the peak is that of the process
        Path("/proc/self/clear_refs").write_text("5")


def _peak() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    return 0


def _removed(place: Path) -> None:
    for path in place.rglob("*"):
        if not path.is_symlink() and path.is_file():
            path.chmod(0o600)
    shutil.rmtree(place, ignore_errors=True)
