"""What the tests share that try the laws on objects which break them."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from inftydiff.testing import LawViolation, laws_for

__all__ = ["assert_caught", "assert_every_law_has_one", "cases"]

Mutants = Mapping[str, Sequence[object]]
"""Objects by the law that they break."""


def cases(mutants: Mapping[str, Mutants]) -> list[Any]:
    """Parameters (law, mutant) of every kind of object."""
    return [
        pytest.param(law, mutant, id=f"{kind}-{law}-{number}")
        for kind, laws in mutants.items()
        for law, broken in laws.items()
        for number, mutant in enumerate(broken)
    ]


def assert_caught(name: str, mutant: object) -> None:
    """The law of this name raises, and its message says what, both sides and where."""
    (law,) = (law for law in laws_for(mutant) if law.__name__ == name)
    with pytest.raises(LawViolation) as caught:
        law()
    assert caught.value.law == name
    message = str(caught.value)
    assert message.startswith(f"{name}: ")
    assert type(mutant).__name__ in message
    for part in (caught.value.statement, caught.value.left, caught.value.right, "seed", "batch"):
        assert part in message


def assert_every_law_has_one(mutants: Mutants) -> None:
    """There are mutants for each law of their kind, and for no other."""
    some = next(iter(mutants.values()))[0]
    assert set(mutants) == {law.__name__ for law in laws_for(some)}
