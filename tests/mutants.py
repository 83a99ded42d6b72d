"""What the tests share that try the laws on objects which break them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from inftydiff.testing import Law, LawViolation, laws_for

__all__ = ["Given", "assert_caught", "assert_every_law_has_one", "cases", "law_of"]

Mutants = Mapping[str, Sequence[object]]
"""Objects by the law that they break."""


@dataclass(frozen=True)
class Given:
    """An object, with what laws_for is told of it."""

    subject: object
    options: Mapping[str, Any] = field(default_factory=dict)


def cases(mutants: Mapping[str, Mutants]) -> list[Any]:
    """Parameters (law, mutant) of every kind of object."""
    return [
        pytest.param(law, mutant, id=f"{kind}-{law}-{number}")
        for kind, laws in mutants.items()
        for law, broken in laws.items()
        for number, mutant in enumerate(broken)
    ]


def laws_of(mutant: object) -> list[Law]:
    """The laws of an object, by itself or with options."""
    given = mutant if isinstance(mutant, Given) else Given(mutant)
    return laws_for(given.subject, **given.options)


def law_of(name: str, mutant: object) -> Law:
    """The law of this name."""
    (law,) = (law for law in laws_of(mutant) if law.__name__ == name)
    return law


def assert_caught(name: str, mutant: object) -> None:
    """The law of this name raises, and its message says what, both sides and where."""
    with pytest.raises(LawViolation) as caught:
        law_of(name, mutant)()
    assert caught.value.law == name
    message = str(caught.value)
    assert message.startswith(f"{name}: ")
    subject = mutant.subject if isinstance(mutant, Given) else mutant
    assert type(subject).__name__ in message
    for part in (caught.value.statement, caught.value.left, caught.value.right, "seed", "batch"):
        assert part in message


def assert_every_law_has_one(mutants: Mutants) -> None:
    """There are mutants for each law of their kind, and for no other."""
    some = next(iter(mutants.values()))[0]
    assert set(mutants) == {law.__name__ for law in laws_of(some)}
