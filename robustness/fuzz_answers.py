"""Tries of answers: an oracle with sizes of its own, see :mod:`robustness.fuzz_oracles`."""

import random
import warnings
from pathlib import Path
from typing import Any, final

from robustness.fuzz_findings import Finding
from robustness.fuzz_judge import described, documented
from robustness.fuzz_oracles import MATHEMATICS
from robustness.fuzz_oracles_fields import FIELDS
from robustness.fuzz_oracles_pictures import PICTURES

__all__ = ["ORACLES", "Answers"]

ORACLES = (*MATHEMATICS, *PICTURES, *FIELDS)


@final
class Answers:
    """The tries of answers.

    Args:
        names: the namespace of the examples.
        seed: of all choices.
        package: the folder of the package.
        scratch: a folder for files.
    """

    def __init__(self, names: dict[str, Any], seed: int, package: Path, scratch: Path) -> None:
        self.names = names
        self.seed = seed
        self.package = package
        self.scratch = scratch

    def describe(self, number: int) -> tuple[str, str, str]:
        """The target, the argument and the reproduction of a try."""
        oracle = ORACLES[number % len(ORACLES)]
        words = " ".join((oracle.__doc__ or "").split("\n\n")[0].split())
        return oracle.__name__, words, f"python -m robustness.fuzz --seed {self.seed}"

    def __call__(self, number: int) -> list[Finding]:
        """Make a try."""
        oracle = ORACLES[number % len(ORACLES)]
        draw = random.Random(f"{self.seed} answers {number}")
        found: list[tuple[str, str]] = []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                found += oracle(draw, self.names, self.scratch / f"answer-{number}")
            except Exception as error:
                if not documented(error, self.package):
                    found.append(("crash", described(error, self.package)))
        return [
            Finding(kind, *self.describe(number)[:2], words, self.describe(number)[2])
            for kind, words in found
        ]
