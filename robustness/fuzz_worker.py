"""A loaded process that makes its share of the tries; :mod:`robustness.fuzz` starts some of these.

It is given the path of a JSON record, and writes a line of JSON for what is public, and for every
try.
"""

import json
import os
import random
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

import inftydiff
from robustness.fuzz_answers import Answers
from robustness.fuzz_calls import Calls
from robustness.fuzz_commands import Commands
from robustness.fuzz_files import Files
from robustness.fuzz_findings import Finding
from robustness.fuzz_good_files import kinds
from robustness.fuzz_pool import attempts, end_with_parent
from robustness.fuzz_surface import public
from robustness.fuzz_values import namespace

__all__ = ["main"]

ORACLE_EVERY = 10
"""Of so many calls, one is a question with an answer by two routes."""

WITHIN_COMMAND = 1.5
"""A command also reads its model and imports: it may take so many times what a call may."""


def main() -> None:
    """Make the tries of the record that the first argument names."""
    asked: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text())
    end_with_parent()
    said = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what the library prints is no line of ours
    torch.set_num_threads(1)
    scratch = Path(asked["scratch"])
    scratch.mkdir(parents=True)
    os.chdir(scratch)
    package = Path(inftydiff.__file__).parent
    seed = asked["seed"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        names = namespace(scratch)
        names["good"] = scratch / "good"
        found = kinds(names, names["good"])
    calls = Calls(names, seed, package, scratch)
    answers = Answers(names, seed, package, scratch)
    files = Files(found, names["good"], seed, package, scratch / "tries")
    commands = Commands(names, seed, scratch / "tries")
    surface = public()
    reached = {name: example for name, example in calls.targets().items() if name in surface}
    say(said, surface=sorted(surface), reached=reached, torch=torch.__version__)
    for part, numbers in asked["tries"].items():
        for number, findings in made(part, numbers, calls, answers, files, commands):
            for finding in findings:
                say(said, finding=finding.numbered(part, number).__dict__)
            say(said, part=part, number=number)
            if time.time() > asked["until"]:
                break


def made(
    part: str,
    numbers: list[int],
    calls: Calls,
    answers: Answers,
    files: Files,
    commands: Commands,
) -> Iterator[tuple[int, list[Finding]]]:
    """The tries of a part, and what each has found."""

    def of(number: int) -> tuple[Calls | Answers, int]:
        if number % ORACLE_EVERY == ORACLE_EVERY - 1:
            return answers, number // ORACLE_EVERY
        return calls, number - number // ORACLE_EVERY

    def call(number: int) -> list[Finding]:
        maker, own = of(number)
        return [again(finding, number) for finding in maker(own)]

    def described(number: int) -> tuple[str, str, str]:
        maker, own = of(number)
        target, argument, how = maker.describe(own)
        return target, argument, renumbered(how, number)

    random.seed(0)
    if part == "calls":
        return attempts(call, numbers, describe=described)
    maker: Files | Commands = files if part == "files" else commands
    describe: Callable[[int], tuple[str, str, str]] = maker.describe
    if part == "files":
        return attempts(files, numbers, describe=describe, most=100)
    return attempts(commands, numbers, describe=describe, most=20, limit=60.0, memory=None)


def again(finding: Finding, number: int) -> Finding:
    """A finding whose reproduction names the try among all calls."""
    fields = {**finding.__dict__, "reproduce": renumbered(finding.reproduce, number)}
    return Finding(**fields)


def renumbered(how: str, number: int) -> str:
    """A reproduction of the try of a number."""
    head, _, call = how.partition("  # ")
    words = [word for word in head.split(" --only ")[0].split() if word]
    line = f"{' '.join(words)} --only calls:{number}"
    return f"{line}  # {call}" if call else line


def say(said: Any, **record: Any) -> None:
    """Write a line."""
    said.write(json.dumps(record) + "\n")


if __name__ == "__main__":
    main()
