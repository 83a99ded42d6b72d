"""Mutations of the kinds of components in records of models and in settings."""

import json
import random
from pathlib import Path
from typing import Any

from inftydiff._components import kinds
from inftydiff._components.registry import FAMILIES
from robustness.fuzz_mutations import Mutation, Unfit, json_places, json_with, resign_perhaps

__all__ = ["KINDS"]

STRANGE = ("", " ", "kind", "Cosine", "cosine ", "os.system", "builtins:eval", "../x", "a" * 10**5,
           "inftydiff.models:tiny", "\0", "é", "__class__", "none")  # fmt: skip
"""Names that no component has."""

OTHERS: tuple[Any, ...] = (None, 1, True, [], {}, ["cosine"], {"kind": "cosine"}, 1e308)
"""Values that are no names."""

DEEPEST = (3, 30, 300, 3000)
"""The number of components within each other."""

AROUND = (
    '{"kind": "multiple", "scale": 1.0, "operator": ',
    '{"kind": "composition", "outer": {"kind": "identity"}, "inner": ',
    '{"kind": "scaled", "scale": 1.0, "multiplier": ',
    '{"kind": "trace_class", "factor": ',
)
"""The beginning of a component that holds another one."""

INNERMOST = '{"kind": "heat", "width": 0.1}'


def renamed(draw: random.Random, folder: Path, file: Path) -> str:
    """Give a component the kind of another one, of its family or of another, or no name at all."""
    record, places = _components(file)
    where = (*draw.choice(places), "kind")
    known = [kind for family in FAMILIES for kind in kinds(family)]
    kind = draw.choice([*STRANGE, *OTHERS]) if draw.random() < 0.4 else draw.choice(known)
    _write(draw, folder, file, json_with(record, where, kind))
    return f"{'.'.join(map(str, where))} = {str(kind)[:30]!r}"


def swapped(draw: random.Random, folder: Path, file: Path) -> str:
    """Put a component in the place of another one."""
    record, places = _components(file)
    if len(places) < 2:
        raise Unfit
    to, of = draw.sample(places, 2)
    found = record
    for key in of:
        found = found[key]
    _write(draw, folder, file, json_with(record, to, found))
    return f"{'.'.join(of)} in the place of {'.'.join(to)}"


def nested(draw: random.Random, folder: Path, file: Path) -> str:
    """Put a component of many within each other in the place of one."""
    record, places = _components(file)
    where, count = draw.choice(places), draw.choice(DEEPEST)
    around = draw.choice(AROUND)
    text = json.dumps(json_with(record, where, "@@"), indent=2)
    file.write_text(text.replace('"@@"', around * count + INNERMOST + "}" * count))
    resign_perhaps(draw, folder)
    return f"{count} components within each other at {'.'.join(map(str, where))}"


def unnamed(draw: random.Random, folder: Path, file: Path) -> str:
    """Take a kind away, or the fields beside it."""
    record, places = _components(file)
    where = draw.choice(places)
    found = record
    for key in where:
        found = found[key]
    left = {"kind": found["kind"]} if draw.random() < 0.5 else {**found}
    if len(left) > 1:
        left.pop("kind")
    _write(draw, folder, file, json_with(record, where, left))
    return f"{'.'.join(where)} has {', '.join(left) or 'nothing'}"


def _components(file: Path) -> tuple[Any, list[tuple[Any, ...]]]:
    """A record, and where the components in it are."""
    if file.suffix != ".json":
        raise Unfit
    try:
        record = json.loads(file.read_text())
    except ValueError as error:
        raise Unfit from error
    places = [where[:-1] for where in json_places(record) if where[-1] == "kind"]
    if not places:
        raise Unfit
    return record, places


def _write(draw: random.Random, folder: Path, file: Path, record: Any) -> None:
    file.write_text(json.dumps(record, indent=2))
    resign_perhaps(draw, folder)


KINDS: tuple[Mutation, ...] = (renamed, renamed, swapped, nested, unnamed)
