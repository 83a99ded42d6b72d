"""Truncation: data, checkpoints and other files are cut or garbled."""

import re
import shutil
from pathlib import Path

from robustness.faults_bench import Bench, Case
from robustness.faults_hooks import damage
from robustness.faults_run import Outcome
from robustness.faults_targets import MODEL, RUN, Target, target
from robustness.faults_trial import checkpoints
from robustness.faults_verdict import Verdict, behaved, snapshot

__all__ = ["truncation"]

STEPS = 6
WHILE = (
    f"{MODEL} {RUN} --checkpoint-steps 1000 --validate-every 1000 --log-every 1 --max-steps {STEPS}"
)
SOURCES: dict[str, tuple[str, tuple[str, ...], str]] = {
    "data.npy": ("--lazy", ("empty", "half"), r"data\.npy"),
    "pictures": (
        "--lazy --resolution 16",
        ("empty", "half", "text", "remove"),
        r"pictures/\d+\.png",
    ),
    "fields.zarr": (
        "--variables t2m wind",
        ("empty", "half", "tail"),
        r"(?s)(?=.*fields\.zarr).*wind",
    ),
    "fields.nc": ("--variables t2m wind", ("empty", "half"), r"(?s)(?=.*fields\.nc).*(wind|t2m)"),
}
"""Data that is read picture by picture: its words, how it is damaged, and the pattern of errors."""

BEFORE = ("empty", "half", "tail", "garble", "text", "remove")
INSIDE = ("model.safetensors", "training.safetensors", "config.json")


def truncation(bench: Bench, number: int) -> None:
    """Damage a file that is read, and judge what comes of it."""
    case = bench.case("truncations", number)
    ways = (_data, _data, _checkpoint, _other)
    bench.found(case, ways[number % len(ways)](bench, case, number // len(ways) * 2 + number % 2))


def _data(bench: Bench, case: Case, turn: int) -> Verdict:
    """Damage data while a run reads it; the run ends by an error, after a checkpoint."""
    names = [name for name in SOURCES if (bench.fixture / name).exists()]
    if len(names) < len(SOURCES):
        bench.skipped.append("xarray is not installed, so no fields are damaged")
    name = names[turn % len(names)]
    words, ways, named = SOURCES[name]
    how, nth = case.draw.choice(ways), case.draw.randint(1, 2 * STEPS // 3)
    case.target, case.fault = f"train on {name}", f"{how} before it notes step {nth}"
    training = Target(case.target, f"train {{T}}/{name} {words} --out {{T}}/run {WHILE}", run="run")
    source, copy = bench.fixture / name, case.folder / name
    _copied(source, copy)
    moment = {"under": str(case.folder / "run" / "steps.jsonl"), "event": "create", "nth": nth}
    plan = {**moment, "damage": how, "files": [str(file) for file in _parts(copy)]}
    job = training.job(bench.fixture, case.folder) | {"plan": plan}
    outcome = bench.children.run(job, 40.0)
    verdict = behaved(outcome)
    steps, _ = checkpoints(bench, case.folder / "run")
    if outcome.code == 2 and not re.search(named, outcome.err):
        verdict.append(("crash", f"the message does not name it: {outcome.err.strip()[-200:]}"))
    if outcome.code == 2 and not steps:
        verdict.append(("lost", "the steps before the error: there is no checkpoint"))
    _copied(source, copy)
    again = ["--resume"] if steps else []
    last = bench.children.run(training.job(bench.fixture, case.folder, *again), 40.0)
    verdict += [(counted, f"resumed: {what}") for counted, what in behaved(last, allowed=(0,))]
    weights = case.folder / "run" / f"step-{STEPS:08d}" / "model.safetensors"
    if last.code == 0 and weights.exists():
        whole = _undisturbed(bench, training, name)
        if weights.read_bytes() != whole:
            verdict.append(("truncated", "the weights are not those of an undisturbed run"))
    return verdict


def _checkpoint(bench: Bench, case: Case, turn: int) -> Verdict:
    """Damage a file of the newest checkpoint; a reader says so in words, or does not need it."""
    name, how = INSIDE[turn // 2 % len(INSIDE)], case.draw.choice(BEFORE)
    reads = case.draw.choice(("train --resume", "sample to .npy"))
    case.target, case.fault = reads, f"{name} of the newest checkpoint: {how}"
    chosen = target(reads)
    run = case.folder / "run"
    shutil.copytree(bench.fixture / ("run" if chosen.run else "prior"), run)
    damage(str(sorted(run.glob("step-*"))[-1] / name), how)
    job = chosen.job(bench.fixture, case.folder)
    if chosen.run is None:
        job["argv"][1] = str(run)
        job["argv"] += ["--size", "8"]
    outcome = bench.children.run(job, bench.limit(chosen))
    verdict = behaved(outcome)
    if outcome.code == 2 and str(run) not in outcome.err:
        verdict.append(("crash", f"the message names no file: {outcome.err.strip()[-200:]}"))
    if outcome.code == 0 and chosen.run is not None:
        verdict += _same_weights(snapshot(case.folder), bench.reference(chosen).files)
    elif outcome.code == 0 and name != "training.safetensors":
        verdict.append(("truncated", "it was read without a word"))
    return verdict


def _other(bench: Bench, case: Case, turn: int) -> Verdict:
    """Damage what lies beside checkpoints, or in the cache; it is made anew, or told of."""
    how = case.draw.choice(BEFORE)
    file = ("log.jsonl", "steps.jsonl", ".lock", "cache", "model", "data.npy")[turn // 2 % 6]
    case.fault = f"{file}: {how}"
    if file == "cache":
        return _cache(bench, case, how)
    if file in ("model", "data.npy"):
        return _read(bench, case, file, how)
    chosen = target("train --resume")
    case.target = chosen.name
    bench.prepare(chosen, case.folder)
    damage(str(case.folder / "run" / file), how)
    outcome = bench.children.run(chosen.job(bench.fixture, case.folder), bench.limit(chosen))
    verdict = behaved(outcome)
    if outcome.code == 0:
        verdict += _same_weights(snapshot(case.folder), bench.reference(chosen).files)
    return verdict


def _cache(bench: Bench, case: Case, how: str) -> Verdict:
    """Damage a block of faces; it is drawn again."""
    chosen = target("faces")
    case.target = chosen.name
    bench.must(chosen.job(bench.fixture, case.folder))
    right = (bench.fixture / "faces.npy").read_bytes()
    damage(str(sorted((case.folder / "cache").rglob("*.npz"))[0]), how)
    outcome = bench.children.run(chosen.job(bench.fixture, case.folder), bench.limit(chosen))
    verdict = behaved(outcome, allowed=(0,))
    if (bench.fixture / "faces.npy").read_bytes() != right:
        verdict.append(("truncated", "the faces are others"))
    return verdict


def _read(bench: Bench, case: Case, file: str, how: str) -> Verdict:
    """Damage a saved model, or the pictures that a command reads."""
    case.target = "inpaint"
    _copied(bench.fixture / file, case.folder / file)
    inside = case.folder / file
    if file == "model":
        inside /= case.draw.choice(("config.json", "model.safetensors"))
        case.fault = f"{inside.name} of a saved model: {how}"
    damage(str(inside), how)
    job = target("inpaint").job(bench.fixture, case.folder)
    job["argv"][1 if file == "model" else 2] = str(case.folder / file)
    outcome = bench.children.run(job, bench.limit(target("inpaint")))
    harmless = file == "data.npy" and how == "garble"
    verdict = behaved(outcome, allowed=(0, 2) if harmless else (2,))
    return verdict + _named(outcome, case.folder)


def _named(outcome: Outcome, folder: Path) -> Verdict:
    """Judge whether an error names something in a folder."""
    if outcome.code == 2 and str(folder) not in outcome.err:
        return [("crash", f"the message names no file: {outcome.err.strip()[-200:]}")]
    return []


def _same_weights(files: dict[str, str], right: dict[str, str]) -> Verdict:
    """Judge whether the checkpoints of an undisturbed run are there, with the same weights."""
    for name in right:
        if name.endswith("model.safetensors") and files.get(name) != right[name]:
            return [("truncated", f"{name} is not that of an undisturbed run")]
    return []


def _undisturbed(bench: Bench, training: Target, name: str) -> bytes:
    """The weights of such a run that nothing disturbs."""
    place = bench.scratch / f"whole-{name}"
    weights = place / "run" / f"step-{STEPS:08d}" / "model.safetensors"
    if not weights.exists():
        _copied(bench.fixture / name, place / name)
        bench.must(training.job(bench.fixture, place))
    return weights.read_bytes()


def _copied(source: Path, copy: Path) -> None:
    """Copy a file or a folder, in the place of what is there."""
    copy.parent.mkdir(parents=True, exist_ok=True)
    if source.is_file():
        shutil.copyfile(source, copy)
        return
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(source, copy)


def _parts(source: Path) -> list[Path]:
    """The files of data: itself, its pictures, or the chunks of its last variable."""
    if source.is_file():
        return [source]
    if source.suffix == ".zarr":
        chunks = (source / "wind").rglob("*")
        return sorted(f for f in chunks if f.is_file() and f.name not in ("zarr.json", ".zarray"))
    return sorted(f for f in source.rglob("*") if f.is_file())
