"""Company: two processes in one folder, and streams that are closed or cannot show a letter."""

import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

from robustness.faults_bench import Bench, Case
from robustness.faults_targets import target
from robustness.faults_trial import left, resumed
from robustness.faults_verdict import Verdict, behaved, broken

__all__ = ["company"]

LIMIT = 60.0
ODD = ("$x^{$ a", "50% {0} \\n", "ü λ", "-- -x", "a\nb")
STREAMS = {
    "standard output is closed": '"$@" >&-',
    "standard error is closed": '"$@" 2>&-',
    "standard input is closed": '"$@" <&-',
    "the reader of standard output has gone": '{ sleep 1; "$@"; echo "exit $?" >&2; } | true',
    "standard output is full": '"$@" > /dev/full',
}
"""The shell's redirections of the streams of a command."""


def company(bench: Bench, number: int) -> None:
    """Let two processes share a folder, or take a stream away, and judge what comes of it."""
    case = bench.case("company", number)
    ways: list[Callable[[Bench, Case], Verdict]] = [_names, _ascii, _second, _overtaken]
    ways += [_Stream(what) for what in STREAMS]
    way = ways[number % len(ways)]
    bench.found(case, way(bench, case))


def _second(bench: Bench, case: Case) -> Verdict:
    """Start a second run in the folder of one, kill the first, and start again."""
    chosen = target("train --resume")
    case.target, case.fault = (
        chosen.name,
        "a second run in the folder, and then the first is killed",
    )
    before = bench.prepare(chosen, case.folder)
    flag = case.folder.with_suffix(".paused")
    nth = case.draw.randint(3, 12)
    plan = {"under": str(case.folder), "event": "create", "nth": nth, "pause": str(flag)}
    job = chosen.job(bench.fixture, case.folder)
    first = bench.children.start({**job, "plan": plan})
    verdict = [] if _appears(flag) else [("hang", "the first run does not begin")]
    second = bench.children.run(job, bench.limit(chosen))
    verdict += behaved(second, allowed=(2,))
    if str(case.folder / "run") not in second.err:
        verdict.append(("crash", f"the refusal names no folder: {second.err.strip()[-200:]}"))
    ended = bench.children.wait(first, LIMIT, number=int(signal.SIGKILL))
    flag.unlink(missing_ok=True)
    verdict += behaved(ended, sent=signal.SIGKILL)
    verdict += left(bench, chosen, case.folder, before, {}, failed=False)
    return verdict + resumed(bench, chosen, case.folder)


def _overtaken(bench: Bench, case: Case) -> Verdict:
    """Let a command write what another writes at the same time."""
    name = case.draw.choice(("sample to .npy", "sample to a folder", "save_pretrained", "faces"))
    chosen = target(name)
    case.target, case.fault = name, "another does the same while it writes"
    bench.prepare(chosen, case.folder)
    flag = case.folder.with_suffix(".paused")
    most = bench.reference(chosen).counts.get("any", 1)
    plan = {"under": str(case.folder), "event": "any", "nth": case.draw.randint(1, most)}
    job = chosen.job(bench.fixture, case.folder)
    first = bench.children.start({**job, "plan": {**plan, "pause": str(flag)}})
    verdict = [] if _appears(flag) else [("hang", "the first does not begin")]
    verdict += behaved(bench.children.run(job, bench.limit(chosen)), allowed=(0,))
    flag.unlink(missing_ok=True)
    verdict += behaved(bench.children.wait(first, LIMIT), allowed=(0,))
    for file in bench.reference(chosen).files:
        if wrong := broken(case.folder / file):
            verdict.append(("truncated", f"{file} {wrong}"))
    return verdict


def _ascii(bench: Bench, case: Case) -> Verdict:
    """Print where only ASCII can be shown."""
    case.target, case.fault = "sample to .npy", "PYTHONIOENCODING is ascii"
    job = target(case.target).job(bench.fixture, case.folder)
    environment = {"PYTHONIOENCODING": "ascii"}
    outcome = bench.children.fresh(job["argv"], LIMIT, environment=environment)
    return behaved(outcome, allowed=(0,))


def _names(bench: Bench, case: Case) -> Verdict:
    """Write to a folder whose name has signs that mean something elsewhere."""
    odd = ODD[case.number // len(STREAMS) % len(ODD)]
    case.target, case.fault = "sample to a folder", f"from and to folders named {odd!r}"
    model = case.folder / odd / "model"
    shutil.copytree(bench.fixture / "model", model)
    job = target(case.target).job(bench.fixture, case.folder / odd)
    job["argv"][1] = str(model)
    verdict = behaved(bench.children.run(job, LIMIT), allowed=(0,))
    files = sorted((case.folder / odd / "samples").glob("*.png"))
    wrong = [f"{file.name} {broken(file)}" for file in files if broken(file)]
    verdict += [("truncated", what) for what in wrong]
    return verdict


class _Stream:
    """A command one of whose streams is taken away.

    Args:
        what: which, a key of ``STREAMS``.
    """

    def __init__(self, what: str) -> None:
        self.what = what

    def __call__(self, bench: Bench, case: Case) -> Verdict:
        """Run it, and look at its end and its output."""
        case.target, case.fault = "sample to .npy", self.what
        job = target(case.target).job(bench.fixture, case.folder)
        outcome = bench.children.fresh(job["argv"], LIMIT, shell=STREAMS[self.what])
        verdict = behaved(outcome, allowed=(0, 1, 2, 120, 141))
        file = case.folder / "a.npy"
        if outcome.code == 0 and (wrong := broken(file)):
            verdict.append(("truncated", f"a.npy {wrong}"))
        return verdict


def _appears(flag: Path) -> bool:
    """Wait for a file, and say whether it has appeared."""
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        if flag.exists():
            return True
        time.sleep(0.01)
    return False
