"""A try that kills its process, hangs, waits for ever or takes all memory is told as its own."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest
import the_fuzzer  # noqa: F401

from robustness.fuzz_findings import Finding
from robustness.fuzz_pool import attempts

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="processes are watched by Linux's /proc"
)


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def spin() -> None:
    end = time.process_time() + 60
    while time.process_time() < end:
        pass


def wait() -> None:
    os.read(os.pipe()[0], 1)


def leave() -> None:
    os._exit(3)


def found(actions, limit=1.0):
    def attempt(number: int) -> list[Finding]:
        action = actions[number]
        if action is None:
            return []
        if isinstance(action, str):
            return [Finding(action, "toy", "a", "as said", "again")]
        action()
        return []

    made = attempts(
        attempt, range(len(actions)), describe=lambda n: (f"toy {n}", "a", "again"), limit=limit
    )
    return {number: [(f.kind, f.target, f.error) for f in findings] for number, findings in made}


def test_good_tries_give_what_they_found():
    assert found([None, "silent", None]) == {0: [], 1: [("silent", "toy", "as said")], 2: []}


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("action", "kind", "words"),
    [
        (kill, "crash", "died by SIGKILL"),
        (leave, "crash", "ended with 3"),
        (spin, "hang", "takes over 1 s"),
        (wait, "hang", "waits for ever"),
    ],
)
def test_the_try_at_fault_is_named_and_the_others_go_on(action, kind, words):
    seen = found([None, action, "silent"])
    assert seen[0] == []
    assert seen[2] == [("silent", "toy", "as said")]
    ((what, target, said),) = seen[1]
    assert (what, target) == (kind, "toy 1")
    assert words in said


def test_a_child_after_a_changed_argument_is_a_new_one():
    seen = []

    def attempt(number: int) -> list[Finding]:
        seen.append(number)
        first = len(seen) == 1
        return [Finding("changed" if first else "silent", "toy", "a", str(len(seen)), "again")]

    made = dict(attempts(attempt, range(2), describe=lambda n: ("toy", "a", "again")))
    assert [made[n][0].error for n in range(2)] == ["1", "1"]  # each is the first of its child


def test_memory_is_bounded():
    def attempt(number: int) -> list[Finding]:
        try:
            bytearray(2**30)
        except MemoryError:
            return [Finding("crash", "toy", "a", "no memory", "again")]
        return []

    made = attempts(attempt, [0], describe=lambda n: ("toy", "a", "again"), memory=2**28)
    assert [finding.error for _, findings in made for finding in findings] == ["no memory"]


def test_no_process_is_left(tmp_path: Path):
    children = Path("/proc/self/task").glob("*/children")
    before = sum(len(file.read_text().split()) for file in children)
    found([wait, kill, None])
    children = Path("/proc/self/task").glob("*/children")
    assert sum(len(file.read_text().split()) for file in children) == before
