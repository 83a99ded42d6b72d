"""The registry of components: families, the kinds in each of them, and the class of each kind."""

import dataclasses
import difflib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from typing import Any, TypeVar, final

from inftydiff._components.plugins import GROUP, installed, kind_by_plugin, load, provider
from inftydiff._typing import choice, instance, shown

__all__ = [
    "Family",
    "Presented",
    "component",
    "declare",
    "family_of",
    "find",
    "kind_of",
    "kinds",
    "present_as",
    "presented",
]

T = TypeVar("T")


@final
@dataclass(frozen=True)
class Family:
    """A family of components.

    Args:
        name: its name, such as ``"schedule"``.
        base: the class or protocol that its members are instances of, and fields are annotated by.
    """

    name: str
    base: type

    def __str__(self) -> str:
        """One of its members in words, such as ``"a schedule"``."""
        words = self.name.replace("_", " ")
        return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


@final
@dataclass(frozen=True)
class Presented:
    """A class that is written as the component it holds.

    Args:
        wrapper: the class.
        field: the name of its only field.
        family: the family of what the field holds.
    """

    wrapper: Callable[[Any], Any]
    field: str
    family: Family


FAMILIES = (
    "domain",
    "encoder",
    "guide",
    "multiplier",
    "network",
    "noise",
    "operator",
    "parameterisation",
    "prior",
    "process",
    "schedule",
    "time_dependent_signal",
    "solver",
)
"""The names of all families."""

_families: dict[str, Family] = {}
_classes: dict[tuple[str, str], type] = {}
_kinds: dict[type, str] = {}
_presented: dict[str, Presented] = {}


def declare(name: str, base: type) -> None:
    """Declare a family by what its members are instances of.

    Args:
        name: its name.
        base: a class, or a protocol that is checked at run time.
    """
    _families[name] = Family(name, base)


def present_as(family: str, wrapper: type, field: str, inner: str) -> None:
    """Write members of a class as the component that they hold, and wrap it again when it is read.

    Args:
        family: the family that the class is of.
        wrapper: the class, with one field.
        field: the field.
        inner: the family of what the field holds; its kinds are kinds of the other family too.
    """
    _presented[family] = Presented(wrapper, field, _families[inner])


def presented(family: str) -> Presented | None:
    """Return what members of a family are written as, if there is such a class."""
    return _presented.get(family)


def component(family: str, kind: str) -> Callable[[type[T]], type[T]]:
    """Give a frozen dataclass a kind in a family, so that configurations and files can name it.

    The class gets the attribute ``kind``. A class of an installed package needs no decorator if an
    entry point of the group ``inftydiff.components`` gives it its kind.

    Args:
        family: ``"network"``, ``"process"``, ``"schedule"``, ``"operator"``, ``"multiplier"``,
            ``"encoder"``, ``"domain"``, ``"noise"``, ``"time_dependent_signal"``,
            ``"parameterisation"``, ``"solver"``, ``"guide"`` or ``"prior"``.
        kind: its name in files and on the command line: lower-case words joined by underscores.

    Raises:
        TypeError: if what is decorated is no frozen dataclass.
        ValueError: if there is no such family, the kind is no such name, it is taken, or the class
            has another.

    Example:
        >>> from dataclasses import dataclass
        >>> from inftydiff import CosineSchedule
        >>> from inftydiff._components import find
        >>> find("schedule", "cosine") is CosineSchedule, CosineSchedule.kind
        (True, 'cosine')
    """
    instance(kind, str, "The kind of a component")
    choice(family, FAMILIES, "The family of a component")
    if not kind.isidentifier() or kind != kind.lower():
        raise ValueError(
            "A kind is a name of lower-case letters, digits and underscores, such as 'my_network'; "
            f"got {kind!r}."
        )

    def register(cls: type[T]) -> type[T]:
        check_class(cls)
        known = _classes.get((family, kind))
        if known is not None and _place(known) != _place(cls):
            raise ValueError(
                f"The {_said(family)} {kind!r} is {known.__module__}.{known.__qualname__}. Take "
                "another kind."
            )
        if _kinds.get(cls, kind) != kind:
            raise ValueError(
                f"{cls.__name__} is of the kind {_kinds[cls]!r} already, by which files name it. "
                f"Take that one; got {kind!r}."
            )
        _classes[family, kind] = cls
        _kinds[cls] = kind
        cls.kind = kind  # type: ignore[attr-defined]
        return cls

    return register


def check_class(cls: object) -> None:
    """Refuse what is no frozen dataclass.

    Raises:
        TypeError: if it is another thing.
    """
    if not (isinstance(cls, type) and dataclasses.is_dataclass(cls)):
        raise TypeError(
            f"A component is a frozen dataclass; got {shown(cls)}. Make it one, by "
            "@dataclass(frozen=True)."
        )
    if not cls.__dataclass_params__.frozen:  # type: ignore[attr-defined]
        raise TypeError(
            f"A component is a frozen dataclass, so that it is a value; {cls.__name__} is not "
            "frozen. Make it so, by @dataclass(frozen=True)."
        )


def family_of(hint: object) -> Family | None:
    """Return the family whose members a type hint stands for, if there is one."""
    return next((family for family in _families.values() if family.base is hint), None)


def kinds(family: str) -> tuple[str, ...]:
    """Return the kinds of a family that the package has, or a call of ``component`` has given.

    Example:
        >>> from inftydiff import processes
        >>> kinds("parameterisation")
        ('clean', 'noise', 'signal', 'velocity')
    """
    return tuple(sorted(kind for name, kind in _classes if name in _searched(family)))


def kind_of(value: object) -> str | None:
    """Return the kind of a component or of its class; None for what has none."""
    cls = value if isinstance(value, type) else type(value)
    if not dataclasses.is_dataclass(cls):
        return None
    return _kinds.get(cls) or kind_by_plugin(cls)


def find(family: str, kind: str) -> type:
    """Return the class of a kind, importing the plug-in that it comes from.

    Args:
        family: the family.
        kind: the kind.

    Raises:
        ValueError: if nothing that is installed is of this kind, or its plug-in fails.
    """
    for name in _searched(family):
        if (name, kind) in _classes:
            return _classes[name, kind]
    points = [point for point in installed() if point.name == kind]
    if len(points) > 1:
        both = " and ".join(provider(point) for point in points)
        raise ValueError(
            f"The kind {kind!r} is given by {both}, each for a component of its own. Remove one."
        )
    if points:
        return _loaded(points[0])
    known = kinds(family)
    every = [*known, *(point.name for point in installed())]
    near = difflib.get_close_matches(str(kind), every, n=1, cutoff=0.0)
    nearest = f"; the nearest is {near[0]!r}" if near else ""
    raise ValueError(
        f"No {_said(family)} that is installed is of the kind {kind!r}{nearest}. Known are "
        f"{', '.join(known)}. Choose one of these, or install the package that it comes from: its "
        f"entry point in the group {GROUP!r} makes it known."
    )


def _loaded(point: EntryPoint) -> type:
    """The component of a plug-in, refusing one that files could not name by its entry point."""
    cls = load(point)
    origin = f"The component {point.name!r} of {provider(point)}"
    try:
        check_class(cls)
    except TypeError as error:
        raise ValueError(f"{origin} is none. {error}") from error
    if _kinds.get(cls, point.name) != point.name:
        raise ValueError(
            f"{origin} is of the kind {_kinds[cls]!r} by its decorator, and files would name that. "
            "Give both one name."
        )
    return cls


def _searched(family: str) -> tuple[str, ...]:
    """The families that a kind is looked for in: that of what a member holds is the second."""
    inner = _presented.get(family)
    return (family,) if inner is None else (family, inner.family.name)


def _said(family: str) -> str:
    return family.replace("_", " ")


def _place(cls: type) -> tuple[str, str]:
    return cls.__module__, cls.__qualname__
