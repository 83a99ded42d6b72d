r"""Laws: identities that an object keeps, tried on a few probes.

A law is written as a function ``(subject, probe) -> Iterator[Claim]``: it computes both sides of an
identity on the probe's sizes and seed and yields what it found. Its name is the law's.
:class:`Law` binds it to an object; calling that tries a few probes, and if a claim is false all
smaller ones, and raises :class:`LawViolation` for the smallest that makes it false.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, final

import torch
from torch import Tensor

from inftydiff.operators import Function
from inftydiff.testing.probe import Probe

__all__ = ["Check", "Claim", "Law", "LawViolation", "at_most", "equal", "same", "true"]


@final
@dataclass(frozen=True)
class Claim:
    """One comparison that a law makes.

    Args:
        statement: what should hold, in words or as a formula.
        left: what the left side is, as text.
        right: what the right side is, as text.
        holds: whether the statement is true.
    """

    statement: str
    left: str
    right: str
    holds: bool


Check: TypeAlias = Callable[[Any, Probe], Iterator[Claim]]
"""A law not yet bound to an object: takes the object and a probe, and yields claims."""


@final
class LawViolation(AssertionError):
    """An object does not keep a law.

    Args:
        law: the law's name.
        statement: the claim that is false.
        left: what its left side is.
        right: what its right side is.
        subject: the kind of the object.
        where: the sizes and the seed for which it is false.

    Example:
        >>> print(LawViolation("additivity", "A(x + y) = A x + A y", "2", "1", "Sine", "seed 0"))
        additivity: A(x + y) = A x + A y does not hold for Sine on seed 0: left 2, right 1.
    """

    def __init__(
        self, law: str, statement: str, left: str, right: str, subject: str, where: str
    ) -> None:
        super().__init__(law, statement, left, right, subject, where)
        self.law = law
        self.statement = statement
        self.left = left
        self.right = right
        self.subject = subject
        self.where = where

    def __str__(self) -> str:
        return (
            f"{self.law}: {self.statement} does not hold for {self.subject} on {self.where}: "
            f"left {self.left}, right {self.right}."
        )


def nothing_smaller(probe: Probe) -> Iterable[Probe]:
    """No probes: the one that breaks the law is reported."""
    return ()


@final
@dataclass(frozen=True, eq=False)
class Law:
    """A law bound to an object: a callable without arguments, named like the law.

    Args:
        check: the law.
        subject: the object that should keep it, or what stands for it.
        kind: the name of the object's class.
        probes: the sizes and seeds that it is tried on.
        beginnings: smaller ones that it is tried on before; the object may refuse them.
        refusals: the errors by which it does.
        smaller: the probes below one that breaks the law, from the smallest up.
    """

    check: Check
    subject: object
    kind: str
    probes: Sequence[Probe]
    beginnings: Sequence[Probe] = ()
    refusals: tuple[type[Exception], ...] = (ValueError, TypeError)
    smaller: Callable[[Probe], Iterable[Probe]] = nothing_smaller

    @property
    def __name__(self) -> str:
        """The law's name."""
        name: str = getattr(self.check, "__name__")  # noqa: B009
        return name

    def __call__(self) -> None:
        """Try the law.

        Raises:
            LawViolation: if it does not hold, with the smallest probe that breaks it. What the
                object itself raises is passed on, with a note that says which law was tried on
                which probe.
        """
        for optional, probes in ((True, self.beginnings), (False, self.probes)):
            for probe in probes:
                try:
                    claim = self._broken(probe)
                except Exception as error:
                    if optional and isinstance(error, self.refusals):
                        continue
                    error.add_note(
                        f"Raised while trying {self.__name__} of {self.kind} on {probe}."
                    )
                    raise
                if claim is not None:
                    raise self._violation(*self._smallest(probe, claim))

    def _broken(self, probe: Probe) -> Claim | None:
        """The first claim that is false, or None."""
        return next((c for c in self.check(self.subject, probe) if not c.holds), None)

    def _smallest(self, probe: Probe, claim: Claim) -> tuple[Probe, Claim]:
        """The first of the smaller probes that breaks the law as well, or the one given."""
        for candidate in self.smaller(probe):
            try:
                found = self._broken(candidate)
            except Exception:
                continue
            if found is not None:
                return candidate, found
        return probe, claim

    def _violation(self, probe: Probe, claim: Claim) -> LawViolation:
        return LawViolation(
            self.__name__, claim.statement, claim.left, claim.right, self.kind, str(probe)
        )


def equal(
    statement: str,
    left: Tensor,
    right: Tensor,
    *,
    tolerance: float = 0.0,
    scale: float | None = None,
) -> Claim:
    """The claim that two tensors agree everywhere.

    Args:
        statement: the identity.
        left: its left side.
        right: its right side, of the same shape.
        tolerance: the largest difference allowed, relative to the scale.
        scale: by default the largest entry of both sides.
    """
    if left.shape != right.shape:
        return Claim(statement, f"of shape {_axes(left)}", f"of shape {_axes(right)}", False)
    a, b = (side.detach().double().cpu() for side in (left, right))
    if scale is None:
        scale = max(a.abs().max().item(), b.abs().max().item())
    error = (a - b).abs().nan_to_num(nan=torch.inf)
    worst = int(error.argmax())
    place = f" at {_place(worst, a)}" if a.ndim else ""
    left_text, right_text = _apart(a.flatten()[worst].item(), b.flatten()[worst].item())
    holds = bool(error.max() <= tolerance * scale)
    return Claim(statement, left_text + place, right_text, holds)


def same(statement: str, left: Function, right: Function, *, tolerance: float = 0.0) -> Claim:
    """The claim that two functions live on the same points and agree there."""
    if left.on != right.on:
        there, here = (f"on {type(f.on).__name__} of {f.on.size} points" for f in (left, right))
        return Claim(statement, there, here, False)
    return equal(statement, left.values, right.values, tolerance=tolerance)


def at_most(statement: str, left: Tensor, right: Tensor, *, slack: float = 0.0) -> Claim:
    """The claim that one tensor exceeds another nowhere by more than the slack."""
    excess = (left - right).detach().double().cpu().nan_to_num(nan=torch.inf)
    worst = int(excess.argmax())
    sides = (side.expand(excess.shape).flatten()[worst].item() for side in (left, right))
    return Claim(statement, *_apart(*sides), bool(excess.max() <= slack))


def true(statement: str, holds: bool, found: object, expected: object) -> Claim:
    """A claim that is not about numbers."""
    return Claim(statement, str(found), str(expected), holds)


def _apart(left: float, right: float) -> tuple[str, str]:
    """Two numbers, with so many digits that they can be told apart."""
    for digits in (6, 9, 12):
        texts = f"{left:.{digits}g}", f"{right:.{digits}g}"
        if texts[0] != texts[1]:
            return texts
    return f"{left:.17g}", f"{right:.17g}"


def _axes(values: Tensor) -> str:
    return str(tuple(values.shape))


def _place(flat: int, values: Tensor) -> str:
    return str(tuple(int(i) for i in torch.unravel_index(torch.tensor(flat), values.shape)))
