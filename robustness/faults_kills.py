"""Kills: signals at any moment, and at the n-th thing that is done to files or imported."""

import json
import signal

from robustness.faults_bench import Bench
from robustness.faults_hooks import EVENTS
from robustness.faults_targets import target
from robustness.faults_trial import tried
from robustness.faults_verdict import behaved

__all__ = ["kill"]

SIGNALS = {
    signal.SIGKILL: 8,
    signal.SIGTERM: 3,
    signal.SIGINT: 3,
    signal.SIGHUP: 2,
    signal.SIGPIPE: 1,
}
IMPORTS = 8
"""One kill in so many falls into the imports of a new process."""
LARGEST = 60_000
AIMED = ("train --resume", "sample to .npy", "train --resume", "save_pretrained", "evaluate")
AIMED += ("train --resume", "inpaint")
ROUNDS = 3
"""The first cases kill these targets when they open a file to write, so many times round."""


def kill(bench: Bench, number: int) -> None:
    """Kill a target, or a process that is still importing, and judge what comes of it."""
    if number % IMPORTS == IMPORTS - 1:
        _importing(bench, number)
        return
    if number < ROUNDS * IMPORTS:
        _opening(bench, number)
        return
    case = bench.case("kills", number)
    one = bench.choose(case)
    reference = bench.reference(one)
    chosen = case.draw.choices(list(SIGNALS), list(SIGNALS.values()))[0]
    way = case.draw.choices(("time", "event", "size"), (35, 50, 15))[0]
    if way == "time":
        after = case.draw.uniform(0.0, reference.seconds)
        case.fault = f"{chosen.name} after {after:.3f} s"
        _, verdict = tried(bench, case, one, {}, sent=chosen, number=chosen, after=after)
    elif way == "event":
        kinds = [kind for kind in (*EVENTS, "any", "any") if reference.counts.get(kind)]
        event = case.draw.choice(kinds)
        nth = case.draw.randint(1, reference.counts[event])
        opened = case.draw.random() < 0.5
        case.fault = f"{chosen.name} at {event} {nth}{', opened' if opened else ''}"
        plan = {"under": str(case.folder), "event": event, "nth": nth, "signal": chosen}
        _, verdict = tried(bench, case, one, {"plan": {**plan, "opened": opened}}, sent=chosen)
    else:
        size = int(LARGEST ** case.draw.random())
        case.fault = f"killed while it writes byte {size} of a file"
        faults = {"fsize": size, "deadly": True}
        _, verdict = tried(bench, case, one, faults, sent=signal.SIGXFSZ)
    bench.found(case, verdict)


def _opening(bench: Bench, number: int) -> None:
    """Kill a target as soon as it has opened a file to write it."""
    case = bench.case("kills", number)
    turn, place = divmod(number, IMPORTS)
    chosen = target(AIMED[place])
    earlier = turn * AIMED.count(chosen.name) + AIMED[:place].count(chosen.name)
    nth = 1 + earlier % bench.reference(chosen).counts["create"]
    case.target, case.fault = chosen.name, f"SIGKILL at create {nth}, opened"
    plan = {"under": str(case.folder), "event": "create", "nth": nth, "opened": True}
    faults = {"plan": {**plan, "signal": int(signal.SIGKILL)}}
    _, verdict = tried(bench, case, chosen, faults, sent=signal.SIGKILL)
    bench.found(case, verdict)


def _importing(bench: Bench, number: int) -> None:
    """Press Ctrl-C while a new process imports."""
    case = bench.case("kills", number)
    case.target = case.draw.choice(("sample --help", "info", "train --help"))
    words = case.target.split()
    counts = case.folder / "counts.json"
    children = bench.children
    children.fresh(words, 120.0, plan={"counts": str(counts)})
    most = json.loads(counts.read_text())["import"]
    nth = case.draw.randint(2, most)
    case.fault = f"SIGINT at import {nth} of {most}"
    plan = {"event": "import", "nth": nth, "signal": int(signal.SIGINT)}
    outcome = children.fresh(words, 60.0, plan=plan)
    bench.found(case, behaved(outcome, sent=signal.SIGINT))
