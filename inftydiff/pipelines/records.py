"""Frozen dataclasses to plain records, and back with every unknown key refused.

A record is what JSON can hold: numbers, strings, booleans, null, lists, and mappings with string
keys. Floats survive the way through JSON exactly.
"""

import dataclasses
import difflib
from collections.abc import Mapping, Sequence
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

__all__ = ["differences", "from_record", "to_record"]

T = TypeVar("T")


def to_record(value: Any) -> dict[str, Any]:
    """The fields of a dataclass, tuples as lists, nested dataclasses as nested records."""
    return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}


def from_record(kind: type[T], record: object) -> T:
    """Build a dataclass from a record; fields that it lacks take their defaults.

    Args:
        kind: the dataclass.
        record: a mapping from the names of its fields to values.

    Raises:
        ValueError: if the record is no mapping, a key is no field of the dataclass, a field without
            a default is missing, a value is of another kind than its field, or the dataclass
            refuses it.

    Example:
        >>> from inftydiff.models import MultiscaleConfig
        >>> from_record(MultiscaleConfig, {"width": 16}).width
        16
        >>> from_record(MultiscaleConfig, {"widht": 16})
        Traceback (most recent call last):
            ...
        ValueError: MultiscaleConfig has no field 'widht'; the nearest is 'width'.
    """
    if not isinstance(record, Mapping):
        raise ValueError(f"{kind.__name__} is read from a mapping; got {type(record).__name__}.")
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for key in record:
        if key not in fields:
            near = difflib.get_close_matches(str(key), fields, n=1, cutoff=0.0)[0]
            raise ValueError(f"{kind.__name__} has no field {key!r}; the nearest is {near!r}.")
    hints = get_type_hints(kind)
    values = {
        name: _typed(hints[name], value, f"{kind.__name__}.{name}")
        for name, value in record.items()
    }
    try:
        return kind(**values)
    except (TypeError, OverflowError) as error:
        said = str(error).removesuffix(".")
        raise ValueError(
            f"{kind.__name__} cannot be made from this record: {said}. Correct the record."
        ) from error


def differences(old: Any, new: Any, prefix: str = "") -> list[str]:
    """The fields in which two values of one dataclass differ, in words.

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
            found.append(f"{name} is {a}, not {b}")
    return found


def _typed(hint: Any, value: Any, name: str) -> Any:
    """A field's value from what a record says, if it is of the field's kind."""
    kinds = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    for kind in kinds:
        if isinstance(kind, type) and dataclasses.is_dataclass(kind) and value is not None:
            return from_record(kind, value)
        if get_origin(kind) in (tuple, Sequence) and isinstance(value, list):
            repeated = get_origin(kind) is Sequence or get_args(kind)[1:] == (...,)
            kinds = get_args(kind)[:1] * len(value) if repeated else get_args(kind)
            return _items(kinds, value, name)
        if _is(kind, value):
            return value
    wanted = " or ".join(_said(kind) for kind in kinds)
    raise ValueError(f"{name} is {wanted}; got {value!r:.80}.")


def _items(kinds: tuple[Any, ...], values: list[Any], name: str) -> tuple[Any, ...]:
    """The items of a tuple, each of its kind."""
    if len(kinds) != len(values):
        raise ValueError(f"{name} has {len(kinds)} items; got {len(values)}.")
    return tuple(
        _typed(kind, value, f"{name}[{index}]")
        for index, (kind, value) in enumerate(zip(kinds, values, strict=True))
    )


def _is(kind: Any, value: Any) -> bool:
    """Whether a plain value is of a kind; an integer is a number, and a truth value is none."""
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
    words = {bool: "true or false", int: "an integer", float: "a number", str: "a text"}
    return "null" if kind is type(None) else words.get(kind, kind.__name__)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return to_record(value)
    return [_plain(item) for item in value] if isinstance(value, tuple | list) else value
