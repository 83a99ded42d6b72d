"""Links: what lies, or will lie, in a run or output folder is a link to something outside of it."""

import os
import random
import shutil
from pathlib import Path

from robustness.faults_bench import Bench
from robustness.faults_targets import target
from robustness.faults_verdict import Verdict, behaved

__all__ = ["CASES", "Canaries", "drawn", "link", "put"]

RUN_FILES = ("log.jsonl", "steps.jsonl", ".lock", "ranges.json", "samples", "tensorboard")
RUN_DEEP = ("samples/step-00000004.png", "step-00000002/model.safetensors")
RUN_DEEP += ("step-00000002/config.json", "step-00000002/training.safetensors", "step-00000002")
STRAYS = ("step-00000001", "step-00000000", "step-00000001.tmp-0badc0de", "step-00000001.tmp")
STRAYS += ("step-00000009.tmp-0badc0de", ".step-00000001.tmp")
OUTPUTS = {
    "sample to .npy": ("a.npy",),
    "sample to a folder": ("samples/0000.png", "samples/0002.png", "samples/sheet.png"),
    "inpaint": ("out/answer.png", "out/answer.npz", "out/0000.png"),
    "from-sensors": ("out/answer.npz", "out/0001.png"),
    "interpolate": ("out/way.png", "out/answer.npz"),
    "reconstruct": ("out/reconstructions.png",),
    "evaluate": ("e.json",),
    "demo": ("demo/samples.png", "demo/process.png"),
    "save_pretrained": ("model/config.json", "model/model.safetensors", "model/README.md"),
}
KINDS = ("file", "folder", "dangling", "loop", "hard", "file moved out")
RESUMED = "train --resume"


class Canaries:
    """Files and a folder outside, which have to stay as they are.

    Args:
        folder: where they lie.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "canaries").mkdir(parents=True)
        (folder / "canary.txt").write_text("mine\nand mine\n", encoding="utf-8")
        (folder / "canary.txt").chmod(0o640)
        (folder / "canaries" / "inside.txt").write_text("mine too\n", encoding="utf-8")
        self.before = self.state()

    def state(self) -> dict[str, tuple[int, bytes | None]]:
        """Modes and bytes of all that lies there."""
        return {
            str(path.relative_to(self.folder)): (
                path.lstat().st_mode,
                path.read_bytes() if path.is_file() else None,
            )
            for path in sorted(self.folder.rglob("*"))
        }

    def verdict(self) -> Verdict:
        """Say what has been changed."""
        now, found = self.state(), Verdict()
        for name in sorted(self.before.keys() | now.keys()):
            if name not in now:
                found.append(("followed", f"{name} outside is gone"))
            elif name not in self.before:
                found.append(("followed", f"{name} was written outside"))
            elif now[name] != self.before[name]:
                change = "mode" if now[name][1] == self.before[name][1] else "content"
                found.append(("followed", f"the {change} of {name} outside is changed"))
        return found


def put(kind: str, entry: Path, canaries: Canaries) -> None:
    """Put a link in the place of an entry.

    Args:
        kind: to a "file" or a "folder" outside, "dangling" to nothing there, a "loop", "hard", or
            "file moved out": what lay there lies outside, and a link leads to it.
        entry: what is replaced.
        canaries: what the link leads to.
    """
    outside = canaries.folder
    if kind == "file moved out" and entry.exists():
        entry.rename(outside / f"moved-{entry.name}")
        entry.symlink_to(outside / f"moved-{entry.name}")
        canaries.before = canaries.state()
        return
    if entry.is_dir():
        shutil.rmtree(entry)
    entry.unlink(missing_ok=True)
    entry.parent.mkdir(parents=True, exist_ok=True)
    if kind == "hard":
        os.link(outside / "canary.txt", entry)
        return
    ends = {"folder": "canaries", "dangling": "nothing", "loop": None}
    end = ends.get(kind, "canary.txt")
    entry.symlink_to(entry if end is None else outside / end)


def _all() -> list[tuple[str, str, str]]:
    """Every target, entry and kind of link."""
    cases = [(RESUMED, entry, kind) for entry in (*RUN_FILES, *RUN_DEEP, *STRAYS) for kind in KINDS]
    for name, entries in OUTPUTS.items():
        cases += [(name, entry, kind) for entry in entries for kind in KINDS]
    cases += [("train on fields", "ranges.json", kind) for kind in KINDS]
    cases += [("train", entry, kind) for entry in ("log.jsonl", ".lock") for kind in KINDS]
    return cases


CASES = _all()


def link(bench: Bench, number: int) -> None:
    """Replace an entry by a link, run a target, and look whether the link was followed."""
    case = bench.case("links", number)
    case.target, entry, kind = drawn(bench.seed, number)
    chosen = target(case.target)
    folder = case.folder / "t"
    case.fault = f"{entry} is a link: {kind}"
    bench.prepare(chosen, folder)
    canaries = Canaries(case.folder / "outside")
    put(kind, folder / (chosen.run or "") / entry, canaries)
    more = ["--keep", "1"] if chosen.run else []
    if entry == "tensorboard":
        more += ["--tensorboard"]
    job = chosen.job(bench.fixture, folder, *more)
    outcome = bench.children.run(job, bench.limit(chosen) + 20.0)
    stray = entry in STRAYS and case.target == RESUMED
    verdict = behaved(outcome, allowed=(0,) if stray else (0, 2))
    if stray and outcome.code == 2:
        verdict = [("crash", f"a stray entry ended the run: {outcome.err.strip()[-200:]}")]
    bench.found(case, verdict + canaries.verdict())


def drawn(seed: int, number: int) -> tuple[str, str, str]:
    """The case of a number: those that empty files first, then all, in an order of the seed."""
    first = [(RESUMED, "log.jsonl", "file"), (RESUMED, "step-00000001", "folder")]
    first += [(RESUMED, ".lock", "hard"), ("sample to .npy", "a.npy", "file")]
    others = [case for case in CASES if case not in first]
    random.Random(f"{seed} links").shuffle(others)
    every = first + others
    return every[number % len(every)]
