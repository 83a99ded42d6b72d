"""Frozen dataclasses to plain records, and back with every unknown key refused.

A record is what JSON can hold: numbers, strings, booleans, null, lists, and mappings with string
keys. That of a component begins with its kind. Floats survive the way through JSON exactly;
infinite ones are written as texts, ``"inf"`` and ``"-inf"``.
"""

import dataclasses
import difflib
import functools
import math
from collections.abc import Hashable, Mapping, Sequence
from types import UnionType
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from inftydiff._components.registry import (
    Family,
    family_of,
    find,
    kind_of,
    presented,
)
from inftydiff._typing import shown

__all__ = ["differences", "from_record", "members_of", "to_record"]

T = TypeVar("T")

INFINITE = ("inf", "-inf")

DEEPEST = 64
"""The most records within one another, well within the depth of Python's stack."""


def to_record(value: Any) -> dict[str, Any]:
    """Return the fields of a dataclass, after its kind if it is a component.

    Tuples become lists, and nested dataclasses nested records.

    Raises:
        TypeError: if a field holds what no record can, such as a tensor.
        ValueError: if a field that names a component holds one without a kind, or values are
            nested too deeply.
    """
    return _record(value, 1)


def _record(value: Any, depth: int) -> dict[str, Any]:
    """The record of a value that lies at a depth."""
    if depth > DEEPEST:
        raise ValueError(_too_deep("values"))
    cls = type(value)
    kind = kind_of(cls)
    record: dict[str, Any] = {} if kind is None else {"kind": kind}
    hints = _hints(cast(Hashable, cls))
    for field in dataclasses.fields(value):
        if field.init:
            name = f"{cls.__name__}.{field.name}"
            record[field.name] = _plain(hints[field.name], getattr(value, field.name), name, depth)
    return record


def from_record(kind: type[T], record: object) -> T:
    """Build a dataclass from a record; fields that it lacks take their defaults.

    Args:
        kind: the dataclass, or the base of a family of components.
        record: a mapping from the names of its fields to values.

    Raises:
        ValueError: if the record is no mapping or nested too deeply, a kind is unknown or missing,
            a key is no field of the dataclass, a field without a default is missing, a value is of
            another kind than its field, or the dataclass refuses it.

    Example:
        >>> from inftydiff.models import MultiscaleConfig
        >>> from_record(MultiscaleConfig, {"width": 16}).width
        16
        >>> from_record(MultiscaleConfig, {"widht": 16})
        Traceback (most recent call last):
            ...
        ValueError: MultiscaleConfig has no field 'widht'; the nearest is 'width'. Correct the
        record.
    """
    _check_depth(record)
    return _read(kind, record)


def _read(kind: type[T], record: object) -> T:
    """Build a dataclass from a record that is not too deep."""
    family = family_of(kind)
    if family is not None:
        found: T = _component(family, record, str(family).capitalize())
        return found
    if not isinstance(record, Mapping):
        raise ValueError(f"{kind.__name__} is read from a mapping; got {type(record).__name__}.")
    record = dict(record)
    own = kind_of(kind)
    said = record.pop("kind", own) if own is not None else None
    if said != own:
        raise ValueError(f"{kind.__name__} is of the kind {own!r}; got a record of {said!r:.80}.")
    fields = {field.name: field for field in dataclasses.fields(kind) if field.init}  # type: ignore[arg-type]
    for key in record:
        if key not in fields:
            near = difflib.get_close_matches(str(key), fields, n=1, cutoff=0.0)
            nearest = f"; the nearest is {near[0]!r}" if near else ""
            raise ValueError(f"{kind.__name__} has no field {key!r}{nearest}. Correct the record.")
    hints = _hints(cast(Hashable, kind))
    values = {
        name: _typed(hints[name], value, f"{kind.__name__}.{name}")
        for name, value in record.items()
    }
    try:
        return kind(**values)
    except (TypeError, OverflowError) as error:
        reason = str(error).removesuffix(".")
        raise ValueError(
            f"{kind.__name__} cannot be made from this record: {reason}. Correct the record."
        ) from error


def _check_depth(record: object) -> None:
    """Refuse records within records beyond the depth that is read."""
    parts = [record]
    for _ in range(DEEPEST):
        lists = [part.values() for part in parts if isinstance(part, Mapping)]
        parts = [item for items in lists for value in items for item in _flat(value)]
        if not parts:
            return
    if any(isinstance(part, Mapping) for part in parts):
        raise ValueError(_too_deep("records"))


def _flat(value: object) -> Sequence[object]:
    return value if isinstance(value, list) else [value]


def _named(value: Any) -> str:
    """A value in words: a component without fields is its kind."""
    component = dataclasses.is_dataclass(value) and not dataclasses.fields(value)
    return str((kind_of(value) if component else None) or value)


def _too_deep(what: str) -> str:
    return f"At most {DEEPEST} {what} may be within one another; got more. Write a flatter one."


def differences(old: Any, new: Any, prefix: str = "") -> list[str]:
    """Return the fields in which two values of one dataclass differ, in words.

    Example:
        >>> from inftydiff.models import MultiscaleConfig
        >>> differences(MultiscaleConfig(), MultiscaleConfig(width=32))
        ['width is 48, not 32']
    """
    found = []
    for field in dataclasses.fields(old):
        a, b, name = getattr(old, field.name), getattr(new, field.name), prefix + field.name
        if dataclasses.is_dataclass(a) and type(a) is type(b):
            found += differences(a, b, f"{name}.")
        elif a != b:
            found.append(f"{name} is {_named(a)}, not {_named(b)}")
    return found


@functools.cache
def _hints(cls: Any) -> dict[str, Any]:
    """The types of a dataclass's fields.

    Raises:
        ValueError: if an annotation has no meaning where it is.
    """
    try:
        return get_type_hints(cls)
    except Exception as error:  # an annotation may be any expression
        raise ValueError(
            f"The annotations of {cls.__name__} say what a record may hold, and cannot be read: "
            f"{error}. Import what they name where the class is defined."
        ) from error


def members_of(hint: Any) -> tuple[Any, ...]:
    """Return the members of a union, or the one type that a hint is."""
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)


def _component(family: Family, record: object, name: str) -> Any:
    """A member of a family, of the kind that a record names."""
    if not isinstance(record, Mapping) or not isinstance(record.get("kind"), str):
        got = "a mapping without one" if isinstance(record, Mapping) else type(record).__name__
        raise ValueError(
            f"{name} is read from a mapping with a 'kind', such as {{'kind': …}}; got {got}."
        )
    cls = find(family.name, record["kind"])
    fields = {key: value for key, value in record.items() if key != "kind"}
    value: Any = _read(cls, fields)
    inner = presented(family.name)
    if inner is not None and isinstance(value, inner.family.base):
        value = inner.wrapper(value)
    if not isinstance(value, family.base):
        raise ValueError(
            f"{name} is {family}; {record['kind']!r} makes a "
            f"{type(value).__name__}, which is none. Choose another kind."
        )
    return value


def _typed(hint: Any, value: Any, name: str) -> Any:
    """A field's value from what a record says, if it is of the field's kind."""
    options = members_of(hint)
    if isinstance(value, Mapping):
        return _from_mapping(options, value, name)
    for kind in options:
        if get_origin(kind) in (tuple, Sequence) and isinstance(value, list):
            repeated = get_origin(kind) is Sequence or get_args(kind)[1:] == (...,)
            kinds = get_args(kind)[:1] * len(value) if repeated else get_args(kind)
            return _items(kinds, value, name)
        if kind is float and isinstance(value, str) and value in INFINITE:
            return float(value)
        if _is(kind, value):
            return value
    wanted = " or ".join(_said(kind) for kind in options)
    raise ValueError(f"{name} is {wanted}; got {value!r:.80}.")


def _from_mapping(options: Sequence[Any], record: Mapping[str, Any], name: str) -> Any:
    """A dataclass of a field that is one, or one of several, from its record."""
    for kind in options:
        family = family_of(kind)
        if family is not None:
            return _component(family, record, name)
    classes = [c for c in options if isinstance(c, type) and dataclasses.is_dataclass(c)]
    if len(classes) > 1:
        said = record.get("kind")
        chosen = [cls for cls in classes if kind_of(cls) == said]
        if not chosen:
            known = ", ".join(repr(kind_of(cls)) for cls in classes)
            raise ValueError(f"{name} is of a kind of {known}; got {said!r:.80}.")
        classes = chosen
    if classes:
        return _read(classes[0], record)
    wanted = " or ".join(_said(kind) for kind in options)
    raise ValueError(f"{name} is {wanted}; got {record!r:.80}.")


def _items(kinds: tuple[Any, ...], values: list[Any], name: str) -> tuple[Any, ...]:
    """The items of a tuple, each of its kind."""
    if len(kinds) != len(values):
        raise ValueError(f"{name} has {len(kinds)} items; got {len(values)}.")
    return tuple(
        _typed(kind, value, f"{name}[{index}]")
        for index, (kind, value) in enumerate(zip(kinds, values, strict=True))
    )


def _is(kind: Any, value: Any) -> bool:
    """Say whether a plain value is of a kind; an integer is a number, and a truth value is none."""
    if get_origin(kind) is Literal:
        return isinstance(value, str) and value in get_args(kind)
    if kind is float:
        return isinstance(value, float | int) and not isinstance(value, bool)
    return type(value) is kind


def _said(kind: Any) -> str:
    """A kind in words."""
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(repr(name) for name in get_args(kind))
    if get_origin(kind) in (tuple, Sequence):
        return "a list"
    family = family_of(kind)
    if family is not None:
        return str(family)
    words = {bool: "true or false", int: "an integer", float: "a number", str: "a text"}
    return "null" if kind is type(None) else words.get(kind, kind.__name__)


def _plain(hint: Any, value: Any, name: str, depth: int) -> Any:
    """Return a field's value as JSON can hold it."""
    if isinstance(value, tuple | list):
        return [_plain(None, item, f"{name}[{i}]", depth) for i, item in enumerate(value)]
    if isinstance(value, float) and math.isinf(value):
        return str(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    families = [f for f in map(family_of, members_of(hint)) if f is not None]
    for family in families:
        inner = presented(family.name)
        if inner is not None and type(value) is inner.wrapper:
            value = getattr(value, inner.field)
    if families and kind_of(value) is None:
        raise ValueError(
            f"{name} must be {families[0]} with a kind, by which a file can name it; got "
            f"{shown(value)}. Decorate its class, a frozen dataclass, with "
            f'@component("{families[0].name}", "its_kind"), or give it an entry point.'
        )
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _record(value, depth + 1)
    raise TypeError(
        f"{name} must be what a record can hold: numbers, texts, lists or components; got "
        f"{shown(value)}."
    )
