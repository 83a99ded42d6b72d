"""The verdict after a fault: every good file old or new and whole, and words, not tracebacks.

A verdict is a list of pairs of what is counted (a key of ``COUNTED``) and what is wrong, in words.
"""

import hashlib
import io
import json
import os
import re
import signal
import stat
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np

from robustness.faults_run import Outcome

__all__ = [
    "CHECKPOINT",
    "COUNTED",
    "JOURNALS",
    "Verdict",
    "behaved",
    "broken",
    "kept",
    "lines_kept",
    "snapshot",
]

Verdict = list[tuple[str, str]]
COUNTED = {
    "crash": "crashes",
    "hang": "hangs",
    "lost": "lost files",
    "followed": "followed links",
    "truncated": "truncated outputs",
    "litter": "leftovers",
}
CHECKPOINT = re.compile(r"step-\d{8,}")
UNTIDY = ("Traceback (most recent call last)", "Exception ignored", "Fatal Python error")
JOURNALS = ("log.jsonl", "steps.jsonl")


def snapshot(folder: Path) -> dict[str, str]:
    """The digests of the files in a folder, by their paths in it; links are told by their ends."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = f"link to {os.readlink(path)}"
        elif stat.S_ISREG(path.stat().st_mode):
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def behaved(
    outcome: Outcome, *, sent: int | None = None, allowed: Collection[int] = (0, 2)
) -> Verdict:
    """Judge whether a process ended as it should, and said so in words.

    Args:
        outcome: how it ended.
        sent: the signal that it was sent, if any, of which it may die.
        allowed: the exit statuses that are right.
    """
    said = outcome.err.strip().splitlines()
    full = said[-1] if said else ""
    last = full[-300:]
    if outcome.hung:
        return [("hang", f"went on for {outcome.seconds:.0f} s, and was killed")]
    if outcome.orphans:
        return [("hang", "left processes that went on")]
    printed = outcome.err
    if sent == signal.SIGINT:  # Python drops one that falls into a finaliser, and says so
        printed = re.sub(
            r"Exception ignored(?s:.*?)^KeyboardInterrupt: ?$", "", printed, flags=re.M
        )
    untidy = [mark for mark in UNTIDY if mark in printed]
    if untidy:
        return [("crash", f"{untidy[0]}: {last}")]
    right = set(allowed) if sent is None else {0, -sent, 128 + sent}
    if outcome.code not in right:
        how = (
            f"died of signal {-outcome.code}" if outcome.code < 0 else f"ended with {outcome.code}"
        )
        return [("crash", f"{how}: {last}")]
    if outcome.code == 2 and not re.search(r"(^|\s)(inftydiff|\w*Error|NotWritten): \S", full):
        return [("crash", f"ended with 2, and its last words are {last!r}")]
    return []


def broken(file: Path) -> str | None:
    """Say what is wrong with a file by its form, whatever is in it; None if it is whole."""
    try:
        data = file.read_bytes()
        if file.suffix == ".npy":
            with io.BytesIO(data) as opened:
                found = np.load(opened, allow_pickle=False)
                if opened.read(1):
                    return "has more than an array"
            return None if np.isfinite(found).all() else "is not finite"
        if file.suffix == ".npz":
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                return None if archive.testzip() is None else "is damaged"
        if file.suffix == ".png":
            from PIL import Image

            with Image.open(io.BytesIO(data)) as image:
                image.load()
            return None if data.endswith(b"IEND\xaeB`\x82") else "has no end"
        if file.suffix == ".json":
            json.loads(data.decode())
        if file.suffix == ".jsonl":
            for line in data.decode().splitlines():
                json.loads(line)
        if file.suffix == ".safetensors":
            from safetensors.numpy import load

            load(data)
        if file.suffix == ".md" and not data:
            return "is empty"
    except Exception as error:
        return f"cannot be read ({type(error).__name__}: {error})"
    return None


def kept(
    before: Mapping[str, str], folder: Path, final: Collection[str], *, failed: bool = False
) -> Verdict:
    """Judge whether what was good is old or new and whole, and what is new is whole.

    Checkpoints and journals are looked at by others.

    Args:
        before: the snapshot of the folder before.
        folder: the folder now.
        final: the names of files that an undisturbed run leaves; others are partial ones.
        failed: whether an error was told, after which no new folder is left half made.
    """
    after, verdict = snapshot(folder), Verdict()
    for name, digest in before.items():
        if _apart(name) or name.endswith(".lock"):
            continue
        if name not in after:
            verdict.append(("lost", f"{name} is gone"))
        elif after[name] != digest and (wrong := broken(folder / name)):
            verdict.append(("lost", f"{name} is neither old nor new: it {wrong}"))
    for name in after.keys() - before.keys():
        if name in final and not _apart(name) and (wrong := broken(folder / name)):
            verdict.append(("truncated", f"{name} {wrong}"))
    if failed:
        verdict += _half_made(before, after, final)
    return verdict


def _half_made(
    before: Mapping[str, str], after: Mapping[str, str], final: Collection[str]
) -> Verdict:
    """New folders of outputs that have some of their files, and not all; a cache may."""
    verdict = Verdict()
    for place in sorted({str(Path(name).parent) for name in final} - {"."}):
        if place.startswith(("run", "cache")) or any(name.startswith(place) for name in before):
            continue
        wanted = {name for name in final if str(Path(name).parent) == place}
        there = wanted & after.keys()
        if there and there != wanted:
            missing = ", ".join(sorted(wanted - there)[:3])
            verdict.append(("truncated", f"{place} is left half made, without {missing}"))
    return verdict


def lines_kept(before: str, file: Path, step: int) -> Verdict:
    """Judge whether a journal still has its lines up to the step of the newest checkpoint."""
    now = file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""
    lines = set(now.splitlines())
    for line in before.splitlines():
        if json.loads(line)["step"] <= step and line not in lines:
            return [("lost", f"{file.name} has lost the line of step {json.loads(line)['step']}")]
    return []


def _apart(name: str) -> bool:
    """Say whether a file is part of a checkpoint, or a journal."""
    parts = Path(name).parts
    return parts[-1] in JOURNALS or any(CHECKPOINT.match(part) for part in parts[:-1])
