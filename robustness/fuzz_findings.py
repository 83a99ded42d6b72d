"""Findings of the fuzzer: their kinds, their groups, the total in one line and the report."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, final

__all__ = ["KINDS", "Finding", "Tally"]

KINDS = {
    "crash": "crashes",
    "hang": "hangs over 10 s",
    "silent": "silent non-finite or truncated answers",
    "changed": "changed arguments",
    "followed": "followed links",
    "lost": "lost files",
}
"""The kinds of findings, and what the total calls them."""

PARTS = {"calls": "calls", "files": "files", "commands": "command lines"}
"""The parts of the fuzzer, and what the total calls their tries."""


@final
@dataclass(frozen=True)
class Finding:
    """A fault.

    Args:
        kind: one of ``KINDS``.
        target: the callable, the kind of file or the command.
        argument: what was hostile: an argument, a mutation or a word.
        error: what happened.
        reproduce: one line that shows it again.
        part: one of ``PARTS``.
        number: of the try within its part.
    """

    kind: str
    target: str
    argument: str
    error: str
    reproduce: str
    part: str = ""
    number: int = -1

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"A finding's kind is one of {', '.join(KINDS)}; got {self.kind!r}.")

    @property
    def group(self) -> tuple[str, str, str]:
        """Findings with one cause: the kind, the target and the error without its numbers."""
        error = re.sub(r"0x[0-9a-f]+|[-+]?\d[\d.e+-]*", "#", self.error)
        return self.kind, self.target, error[:120]

    def numbered(self, part: str, number: int) -> "Finding":
        """The same finding as one of a part's tries."""
        return replace(self, part=part, number=number)


@final
class Tally:
    """The count of what was tried, and what was found.

    Args:
        tried: how many tries each part had.
    """

    def __init__(self, tried: Mapping[str, int]) -> None:
        self.tried = dict(tried)
        self.findings: list[Finding] = []

    def add(self, findings: Iterable[Finding]) -> None:
        """Keep findings."""
        self.findings.extend(findings)

    @property
    def counts(self) -> dict[str, int]:
        """The number of findings of each kind."""
        found = Counter(finding.kind for finding in self.findings)
        return {kind: found[kind] for kind in KINDS}

    @property
    def total(self) -> str:
        """All in one line."""
        tried = ", ".join(f"{self.tried.get(part, 0)} {name}" for part, name in PARTS.items())
        counts = self.counts
        found = ", ".join(f"{counts[kind]} {name}" for kind, name in KINDS.items())
        return f"fuzz: {tried}: {found}"

    def groups(self) -> list[tuple[int, Finding]]:
        """One finding of each group, the shortest, with the group's size; the largest first."""
        sizes = Counter(finding.group for finding in self.findings)
        first: dict[tuple[str, str, str], Finding] = {}
        for finding in sorted(self.findings, key=lambda f: (len(f.reproduce), f.part, f.number)):
            first.setdefault(finding.group, finding)
        return sorted(
            ((sizes[group], finding) for group, finding in first.items()),
            key=lambda pair: (list(KINDS).index(pair[1].kind), -pair[0], pair[1].target),
        )

    def report(self, file: Path, **more: Any) -> None:
        """Write groups and findings as JSON.

        Args:
            file: where to.
            more: what else stands in the record.
        """
        record = {
            "total": self.total,
            **more,
            "groups": [{"count": count, **asdict(finding)} for count, finding in self.groups()],
            "findings": [asdict(finding) for finding in self.findings],
        }
        file.write_text(json.dumps(record, indent=1, ensure_ascii=False), encoding="utf-8")
