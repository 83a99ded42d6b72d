"""Tries in processes of their own, whose ends, hangs and memory are told of the try at fault.

The loaded process forks a child, which makes one try after another and says so before each. When
the child dies, or a try takes more than ``LIMIT`` seconds, that is a finding of the try, and the
next child goes on after it. Seconds are those of the processor, and those in which all of the
child's threads and processes wait: a loaded machine does not count, a wait for ever does.
"""

import ctypes
import json
import os
import resource
import select
import signal
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import final

from robustness.fuzz_findings import Finding

__all__ = ["LIMIT", "MEMORY", "Watched", "attempts", "end_with_parent"]

LIMIT = 10.0
"""Seconds that a try may take."""

MEMORY = 3 * 2**30
"""Bytes that a child may have beyond those of the loaded process."""

CROWD = 64
"""Processes that a try may begin."""

INTERVAL = 0.2
"""Seconds between two looks at a child."""

Try = Callable[[int], list[Finding]]


def attempts(
    attempt: Try,
    numbers: Sequence[int],
    *,
    describe: Callable[[int], tuple[str, str, str]],
    most: int = 500,
    limit: float = LIMIT,
    memory: int | None = MEMORY,
) -> Iterator[tuple[int, list[Finding]]]:
    """Make tries, each of which gives its findings.

    Args:
        attempt: makes the try of a number.
        numbers: of the tries.
        describe: the target, the argument and the reproduction of a try that did not end.
        most: how many tries a child makes.
        limit: seconds that a try may take.
        memory: bytes that a child may have beyond those of this process; None for no bound.
    """
    numbers = list(numbers)
    while numbers:
        child = Watched(attempt, numbers[:most], memory)
        ended = 0
        for number, findings, fault in child.watch(limit):
            ended += 1
            if fault:
                target, argument, again = describe(number)
                findings = [Finding(fault[0], target, argument, fault[1], again)]
            yield number, findings
        if not ended:
            raise RuntimeError(f"The process ended before its try {numbers[0]} began.")
        numbers = numbers[ended:]


@final
class Watched:
    """A child that makes tries.

    Args:
        attempt: makes the try of a number.
        numbers: of the tries.
        memory: bytes beyond those of this process; None for no bound.
    """

    def __init__(self, attempt: Try, numbers: Sequence[int], memory: int | None) -> None:
        self.numbers = list(numbers)
        reader, writer = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            os.close(reader)
            status = 1
            try:
                os.setsid()
                end_with_parent()
                _bound(memory)
                with os.fdopen(writer, "w", buffering=1) as said:
                    _make(attempt, self.numbers, said.write)
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        os.close(writer)
        self.reader = reader

    def watch(self, limit: float) -> Iterator[tuple[int, list[Finding], tuple[str, str] | None]]:
        """The number, the findings, and the kind and the words of a fault of each try."""
        begun = cpu = blocked = 0.0
        text, now = b"", -1
        while True:
            ready, _, _ = select.select([self.reader], [], [], INTERVAL)
            if ready:
                block = os.read(self.reader, 2**16)
                if not block:
                    break
                *lines, text = (text + block).split(b"\n")
                for line in lines:
                    record = json.loads(line)
                    if "begin" in record:
                        now, blocked, begun = record["begin"], 0.0, _cpu(self.pid)
                    else:
                        found = [Finding(**finding) for finding in record["findings"]]
                        yield record["end"], found, None
                        now = -1
                continue
            if now < 0:
                continue
            if len(_family(self.pid)) > CROWD:
                self._end()
                yield now, [], ("hang", f"begins over {CROWD} processes")
                return
            before, cpu = cpu, _cpu(self.pid)
            blocked += INTERVAL if cpu == before and _waiting(self.pid) else 0.0
            spent = cpu - begun + blocked
            if spent > limit:
                self._end()
                how = "waits for ever" if blocked > limit / 2 else f"takes over {limit:g} s"
                yield now, [], ("hang", how)
                return
        status = self._end()
        if now >= 0:
            if os.WIFSIGNALED(status):
                how = f"the process died by {signal.Signals(os.WTERMSIG(status)).name}"
            else:
                how = f"the process ended with {os.waitstatus_to_exitcode(status)}"
            yield now, [], ("crash", how)

    def _end(self) -> int:
        os.close(self.reader)
        for _ in range(20):  # it has closed its pipe, and ends by itself unless it hangs
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return status
            time.sleep(0.01)
        os.kill(self.pid, signal.SIGSTOP)  # it begins no others
        for member in _family(self.pid):
            with suppress(ProcessLookupError):
                os.kill(member, signal.SIGKILL)
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        return os.waitpid(self.pid, 0)[1]


def end_with_parent() -> None:
    """Let the system end this process when the one that has begun it ends."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # 1 is PR_SET_PDEATHSIG


def _make(attempt: Try, numbers: Sequence[int], say: Callable[[str], object]) -> None:
    for number in numbers:
        say(json.dumps({"begin": number}) + "\n")
        findings = [asdict(finding) for finding in attempt(number)]
        say(json.dumps({"end": number, "findings": findings}) + "\n")
        if any(finding["kind"] == "changed" for finding in findings):
            return  # the next child has the values as they were


def _bound(memory: int | None) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if memory is not None:
        words = Path("/proc/self/statm").read_text().split()
        held = int(words[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (held + memory, held + memory))


def _family(pid: int) -> list[int]:
    """A process and those that it has begun."""
    found = [pid]
    for parent in found:
        for file in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                found += map(int, file.read_text().split())
            except OSError:
                continue  # it has just ended
    return found


def _stat(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _cpu(pid: int) -> float:
    """Seconds of the processor, of a process and those that it has begun."""
    ticks = os.sysconf("SC_CLK_TCK")
    stats = [words for member in _family(pid) if (words := _stat(member))]
    return sum(sum(map(int, words[11:15])) for words in stats) / ticks


def _waiting(pid: int) -> bool:
    """Say whether nothing of a process and those that it has begun runs."""
    tasks = [task for member in _family(pid) for task in Path(f"/proc/{member}/task").glob("*")]
    states = set()
    for task in tasks:
        try:
            states.add((task / "stat").read_text().rpartition(")")[2].split()[0])
        except OSError:
            continue
    return not states & {"R", "D"}
