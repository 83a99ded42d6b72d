"""One trial: prepare, disturb, look at what is left, call once more, look again."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from robustness.faults_bench import Bench, Case
from robustness.faults_run import Outcome
from robustness.faults_targets import Target
from robustness.faults_verdict import (
    CHECKPOINT,
    JOURNALS,
    Verdict,
    behaved,
    broken,
    kept,
    lines_kept,
    snapshot,
)

__all__ = ["checkpoints", "left", "resumed", "tried"]

KEPT = 2
"""The number of checkpoints that runs keep."""
PLAINLY = re.compile(r"without --?resume|leave out --?resume|omit --?resume|drop --?resume", re.I)
"""Words that say how to begin a run that has no checkpoint yet."""


def tried(
    bench: Bench,
    case: Case,
    target: Target,
    faults: Mapping[str, Any],
    *,
    folder: Path | None = None,
    sent: int | None = None,
    number: int | None = None,
    after: float = 0.0,
    ready: Callable[[], None] = lambda: None,
    mend: Callable[[], None] = lambda: None,
    named: bool = False,
) -> tuple[Outcome, Verdict]:
    """Disturb a target, and judge what comes of it.

    Args:
        bench: starts the processes.
        case: the case.
        target: what is disturbed.
        faults: what goes wrong, for the server of processes.
        folder: where; by default the folder of the case.
        sent: a signal that it may die of.
        number: a signal to send from outside.
        after: so many seconds after the start.
        ready: what is done between the preparation and the start.
        mend: what is done before it is called once more.
        named: an error names something in the folder.
    """
    folder = case.folder if folder is None else folder
    reference = bench.reference(target)
    before = bench.prepare(target, folder)
    journals = _journals(target, folder)
    ready()
    job = {**target.job(bench.fixture, folder), **faults}
    outcome = bench.children.run(job, bench.limit(target), number=number, after=after)
    case.fault += f"; ended with {outcome.code}"
    verdict = behaved(outcome, sent=sent)
    failed = outcome.code == 2
    if failed and named and str(folder) not in outcome.err:
        verdict.append(("crash", f"the message names no file: {outcome.err.strip()[-200:]}"))
    if outcome.code == 0 and (missing := reference.files.keys() - snapshot(folder).keys()):
        verdict.append(("truncated", f"ended with 0, without {', '.join(sorted(missing)[:3])}"))
    verdict += left(bench, target, folder, before, journals, failed=failed)
    mend()
    verdict += resumed(bench, target, folder)
    return outcome, verdict


def left(
    bench: Bench,
    target: Target,
    folder: Path,
    before: Mapping[str, str],
    journals: Mapping[str, str],
    *,
    failed: bool,
) -> Verdict:
    """Judge whether what was good before a fault is good after it."""
    verdict = kept(before, folder, bench.reference(target).files.keys(), failed=failed)
    if target.run is None:
        return verdict
    run = folder / target.run
    steps, wrong = checkpoints(bench, run)
    known = {Path(name).parts[1] for name in before if CHECKPOINT.match(Path(name).parent.name)}
    newest = max(steps.values(), default=-1)
    for name, said in wrong.items():
        if sum(step > int(name.removeprefix("step-")) for step in steps.values()) >= KEPT:
            continue  # it was being removed, for newer ones
        counted = "lost" if name in known else "truncated"
        verdict.append((counted, f"checkpoint {name} does not load: {said}"))
    for name in known - steps.keys() - wrong.keys():
        if int(name.removeprefix("step-")) >= newest:
            verdict.append(("lost", f"checkpoint {name} is gone, and no newer one is there"))
    before_it = max((int(name.removeprefix("step-")) for name in known), default=-1)
    for name, text in journals.items():
        verdict += lines_kept(text, run / name, min(newest, before_it))
    return verdict


def resumed(bench: Bench, target: Target, folder: Path) -> Verdict:
    """Judge whether the same call goes on after a fault, and leaves what it would without one."""
    reference = bench.reference(target)
    job = target.job(bench.fixture, folder, *target.again())
    outcome = bench.children.run(job, bench.limit(target))
    if (
        target.run is not None
        and outcome.code == 2
        and not checkpoints(bench, folder / target.run)[0]
    ):
        if (folder / target.run).exists() and not PLAINLY.search(outcome.err):
            what = f"no checkpoint yet, and --resume says only: {outcome.err.strip()[-200:]}"
            return [("crash", what)]
        outcome = bench.children.run(target.job(bench.fixture, folder), bench.limit(target))
    verdict = [(how, f"called again: {what}") for how, what in behaved(outcome, allowed=(0,))]
    if verdict:
        return verdict
    files = snapshot(folder)
    for name in sorted(files.keys() - reference.files.keys()):
        if not any(CHECKPOINT.fullmatch(part) for part in Path(name).parts) and ".lock" not in name:
            verdict.append(("litter", f"called again, it leaves {name}"))
    if target.run is not None:
        wrong_ones = checkpoints(bench, folder / target.run)[1]
        verdict += [("litter", f"called again, {name} does not load") for name in wrong_ones]
    for name in sorted(reference.files.keys() - files.keys()):
        verdict.append(("lost", f"called again, it leaves no {name}"))
    for name in sorted(reference.files.keys() & files.keys()):
        if wrong := broken(folder / name):
            verdict.append(("truncated", f"called again, {name} {wrong}"))
        elif name.endswith("model.safetensors") and files[name] != reference.files[name]:
            verdict.append(("lost", f"called again, {name} is not that of an undisturbed run"))
    return verdict[:4]


def checkpoints(bench: Bench, run: Path) -> tuple[dict[str, int], dict[str, str]]:
    """The steps of checkpoints that load, and what is wrong with those that do not."""
    found = run.iterdir() if run.is_dir() else iter(())
    folders = [str(f) for f in found if CHECKPOINT.fullmatch(f.name) and f.is_dir()]
    if not folders:
        return {}, {}
    out = bench.scratch / "looked.json"
    bench.must({"call": "look", "args": {"folders": folders, "out": str(out)}})
    looked = {Path(name).name: said for name, said in json.loads(out.read_text()).items()}
    good = {name: step for name, (step, wrong) in looked.items() if wrong is None}
    return good, {name: wrong for name, (_, wrong) in looked.items() if wrong is not None}


def _journals(target: Target, folder: Path) -> dict[str, str]:
    """The journals of a run before it is disturbed."""
    if target.run is None:
        return {}
    files = [folder / target.run / name for name in JOURNALS]
    return {file.name: file.read_text(encoding="utf-8") for file in files if file.exists()}
