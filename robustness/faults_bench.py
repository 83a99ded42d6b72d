"""A bench of trials: what is made once, what an undisturbed run leaves, and what was found."""

import json
import random
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

from robustness.faults_run import Children, Outcome
from robustness.faults_targets import STAGES, TARGETS, Target
from robustness.faults_verdict import JOURNALS, snapshot

__all__ = ["Bench", "Case", "Finding", "Lacking", "Reference"]

GRACE = 10.0
"""Seconds beyond a command's own work after which it hangs."""
BLOCK = 4096


@final
class Lacking(RuntimeError):
    """Something cannot be tried here, as a library is not installed."""


@final
@dataclass(frozen=True)
class Finding:
    """Something that is wrong.

    Args:
        kind: the kind of fault.
        number: the number of the case among these.
        fault: what was done, in words.
        target: to what.
        counted: how it is counted, "crash" or another.
        what: what was lost or printed.
        again: the command that shows it again.
    """

    kind: str
    number: int
    fault: str
    target: str
    counted: str
    what: str
    again: str


@final
@dataclass(frozen=True)
class Reference:
    """The work and the files of an undisturbed run.

    Args:
        counts: how often it does what to files in the folder of the trial.
        seconds: how long it takes.
        files: the snapshot of the folder afterwards.
        need: bytes on the disk that it takes beyond what lay there before.
    """

    counts: dict[str, int]
    seconds: float
    files: dict[str, str]
    need: int


@final
@dataclass
class Case:
    """One trial: its place, its draws, and what it is about."""

    kind: str
    number: int
    folder: Path
    draw: random.Random
    fault: str = ""
    target: str = ""


@final
@dataclass
class Bench:
    """Makes what the trials need, and keeps what they find.

    Args:
        children: starts processes.
        scratch: a folder of its own.
        seed: of all draws.
        tree: the words that name the tree in a command line.
        keep: leave the folders of trials in which something was found.
    """

    children: Children
    scratch: Path
    seed: int
    tree: str = ""
    keep: bool = False
    findings: list[Finding] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    references: dict[str, Reference] = field(default_factory=dict)

    @property
    def fixture(self) -> Path:
        """The folder of what is made once."""
        return self.scratch / "made"

    def make(self) -> None:
        """Train and save what the targets read."""
        (self.fixture / "old").mkdir(parents=True)
        self.must({"call": "fixture", "args": {"folder": str(self.fixture)}})
        for words in STAGES:
            self.children.inline({"argv": words.replace("{F}", str(self.fixture)).split()})
        for name in JOURNALS:  # as if steps after the newest checkpoint had been noted
            journal = self.fixture / "run" / name
            last = json.loads(journal.read_text(encoding="utf-8").splitlines()[-1])
            with journal.open("a", encoding="utf-8") as opened:
                opened.write(json.dumps(last | {"step": last["step"] + 1}) + "\n")
        saved = {"source": str(self.fixture / "prior"), "out": str(self.fixture / "model")}
        self.must({"call": "save_model", "args": saved})
        words = f"sample {self.fixture}/prior --size 8 --count 2 --out {self.scratch}/warm"
        self.children.inline({"argv": words.split()})

    def must(self, job: dict[str, Any], limit: float = 120.0) -> Outcome:
        """Run what has to succeed.

        Raises:
            Lacking: if it does not, for want of a library.
            RuntimeError: if it does not.
        """
        outcome = self.children.run(job, limit)
        if outcome.code != 0 and "not installed" in outcome.err:
            raise Lacking(outcome.err.strip().splitlines()[-1])
        if outcome.code != 0:
            raise RuntimeError(f"Without any fault this fails: {job}\n{outcome.err}")
        return outcome

    def old(self, target: Target) -> Path:
        """The folder with an earlier run's outputs."""
        place = self.fixture / "old" / target.name.replace(" ", "-")
        if not place.exists():
            place.mkdir()
            try:
                self.must(target.job(self.fixture, place, *target.old.split()))
            except RuntimeError:
                shutil.rmtree(place)
                raise
        return place

    def prepare(self, target: Target, folder: Path) -> dict[str, str]:
        """Put into a folder what lies there before a target, and return its snapshot."""
        folder.mkdir(parents=True, exist_ok=True)
        for source, name in target.copies:
            shutil.copytree(self.fixture / source, folder / name)
        if target.old:
            shutil.copytree(self.old(target), folder, dirs_exist_ok=True)
        return snapshot(folder)

    def reference(self, target: Target) -> Reference:
        """Return what an undisturbed run of a target does and leaves."""
        if target.name not in self.references:
            folder = self.scratch / "reference"
            shutil.rmtree(folder, ignore_errors=True)
            before = self.prepare(target, folder)
            counts = self.scratch / "counts.json"
            job = target.job(self.fixture, folder)
            job |= {"plan": {"under": str(folder)}, "counts": str(counts)}
            outcome = self.must(job)
            files = snapshot(folder)
            changed = [name for name in files if before.get(name) != files[name]]
            sizes = {name: -(-(folder / name).stat().st_size // BLOCK) * BLOCK for name in changed}
            need = sum(sizes.values()) + BLOCK
            self.references[target.name] = Reference(
                json.loads(counts.read_text()), outcome.seconds, files, need
            )
            shutil.rmtree(folder)
        return self.references[target.name]

    def limit(self, target: Target) -> float:
        """Seconds after which a target hangs: its own work, on a busy machine, and the grace."""
        return GRACE + 8.0 * self.reference(target).seconds

    def case(self, kind: str, number: int) -> Case:
        """A case with draws of its own, in an empty folder."""
        folder = self.scratch / f"{kind}-{number}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return Case(kind, number, folder, random.Random(f"{self.seed} {kind} {number}"))

    def choose(self, case: Case, targets: list[Target] | None = None) -> Target:
        """A target for a case, as often as it is to be chosen."""
        among = list(TARGETS) if targets is None else targets
        chosen = case.draw.choices(among, [one.often for one in among])[0]
        case.target = chosen.name
        return chosen

    def found(self, case: Case, verdict: list[tuple[str, str]]) -> None:
        """Keep what a case has found, and remove its folder."""
        again = (
            f"python -m robustness.faults --seed {self.seed} --only {case.kind} "
            f"--case {case.number}{self.tree}"
        )
        for counted, what in verdict:
            self.findings.append(
                Finding(case.kind, case.number, case.fault, case.target, counted, what, again)
            )
        if not (self.keep and verdict):
            for _ in range(3):
                shutil.rmtree(case.folder, ignore_errors=True)
                if not case.folder.exists():
                    break
                time.sleep(0.05)
