"""Frozen dataclasses to plain records, and back with every unknown key refused.

A record is what JSON can hold: numbers, strings, booleans, null, lists, and mappings with string
keys. Floats survive the way through JSON exactly.
"""

import dataclasses
import difflib
from collections.abc import Mapping
from typing import Any, TypeVar, get_args, get_type_hints

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
            a default is missing, or the dataclass refuses a value.

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
    values = {name: _typed(hints[name], value) for name, value in record.items()}
    try:
        return kind(**values)
    except TypeError as error:
        raise ValueError(f"{kind.__name__} cannot be made from this record: {error}.") from error


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


def _typed(hint: Any, value: Any) -> Any:
    """A field's value from a record: a dataclass, or one or None, from a mapping."""
    for kind in (hint, *get_args(hint)):
        if isinstance(kind, type) and dataclasses.is_dataclass(kind) and value is not None:
            return from_record(kind, value)
    return tuple(value) if isinstance(value, list) else value


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return to_record(value)
    return [_plain(item) for item in value] if isinstance(value, tuple | list) else value
