"""Checks of the kinds of things: objects, names, sequences, and what belongs to PyTorch."""

import difflib
import operator
import os
from collections.abc import Callable, Collection, Iterable, Mapping, Set
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch

from inftydiff._typing.shown import article, kind_of, shown

__all__ = [
    "a_path",
    "an_index",
    "choice",
    "device_of",
    "dtype_of",
    "entries",
    "flag",
    "generator_for",
    "instance",
    "store",
]

Value = TypeVar("Value")

FLOATING = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
"""The dtypes that functions may have."""


def instance(value: Value, kind: type | tuple[Any, ...], name: str, advice: str = "") -> Value:
    """Return ``value``, refusing what is not of a kind.

    Args:
        value: any object.
        kind: the class it must be of, or the classes.
        name: the subject of the message.
        advice: what to do, a sentence.

    Raises:
        TypeError: if the value is of another kind, or the class itself.
    """
    if isinstance(value, kind):
        return value
    names = [k.__name__ for k in (kind if isinstance(kind, tuple) else (kind,))]
    wanted = " or ".join(article(n) for n in names)
    given = isinstance(value, type) and issubclass(value, kind)
    advice = advice or (f"Make one: {value.__name__}(…)." if given else "")  # type: ignore[attr-defined]
    raise TypeError(f"{name} must be {wanted}; got {kind_of(value)}. {advice}".rstrip())


def a_path(value: object, name: str) -> Path:
    """Return ``value`` as a Path, refusing what is neither a str nor a path object of one.

    Raises:
        TypeError: if the value is another thing, such as bytes.

    Example:
        >>> a_path("runs/faces", "A run").name
        'faces'
    """
    found = os.fspath(value) if isinstance(value, str | os.PathLike) else value
    if not isinstance(found, str):
        raise TypeError(f"{name} must be a path, as a str or a Path; got {kind_of(value)}.")
    return Path(found)


def an_index(index: object, length: int, items: str) -> int:
    """Return the place of an item, refusing an index that has none.

    Args:
        index: from 0 to ``length`` − 1, or from −``length`` to −1 to count from the end.
        length: how many items there are.
        items: what they are called in messages, as "pictures".

    Raises:
        TypeError: if the index is no integer, or a thing that stands for one.
        IndexError: if there is no such item.

    Example:
        >>> an_index(-1, 5, "pictures")
        4
    """
    try:
        place = operator.index(index)  # type: ignore[arg-type] # refused below
    except TypeError:
        raise TypeError(
            f"{items.capitalize()} are asked for by a whole number; got {kind_of(index)}."
        ) from None
    if not -length <= place < length:
        raise IndexError(f"There are {length} {items}; got index {shown(place)}.")
    return place % length


def choice(value: Value, allowed: Collection[str], name: str) -> Value:
    """Return ``value``, refusing what is not one of some words.

    Raises:
        TypeError: if the value is no word.
        ValueError: if it is another word; the message names the nearest.
    """
    words = ", ".join(map(repr, allowed))
    if not isinstance(value, str):
        raise TypeError(f"{name} must be one of {words}; got {kind_of(value)}.")
    if value not in allowed:
        near = difflib.get_close_matches(value[:100], allowed, 1)
        advice = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"{name} must be one of {words}; got {shown(value)}.{advice}")
    return value


def flag(value: Value, name: str) -> Value:
    """Return ``value``, refusing what is not True or False.

    Raises:
        TypeError: if the value is no bool.
    """
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False; got {kind_of(value)}.")
    return value


def entries(
    values: object, name: str, *, count: int | None = None, most: int = 1024
) -> tuple[Any, ...]:
    """Return the entries of a list, a tuple or the like, whose own kinds are checked after.

    Args:
        values: any iterable but text, mappings, sets and tensors.
        name: the subject of the message.
        count: the number of entries there must be; by default any, none included.
        most: the most entries there may be.

    Raises:
        TypeError: if the values are not entries in an order.
        ValueError: if there are too few or too many.
    """
    if type(values) is tuple and len(values) <= most and count in (None, len(values)):
        return values
    number = f"{count} values" if count is not None else f"up to {most} values"
    other = isinstance(values, str | bytes | Mapping | Set | torch.Tensor)
    if isinstance(values, np.ndarray):
        other = values.ndim != 1
    if other or not isinstance(values, Iterable):
        advice = " Pass its .tolist()." if isinstance(values, torch.Tensor) else ""
        raise TypeError(f"{name} must be a sequence of {number}; got {kind_of(values)}.{advice}")
    found = tuple(islice(values, most + 1))
    if len(found) > most or (count is not None and len(found) != count):
        raise ValueError(f"{name} must be a sequence of {number}; got {shown(values)}.")
    return found


def generator_for(value: torch.Generator, name: str) -> torch.Generator:
    """Return ``value``, refusing what is no generator of random numbers.

    Args:
        value: what is to be a ``torch.Generator``.
        name: who draws from it, the subject of the message.

    Raises:
        TypeError: if the value is another thing.
    """
    if not isinstance(value, torch.Generator):
        raise TypeError(
            f"{name} draws from a torch.Generator; got {kind_of(value)}. Pass "
            "generator=torch.Generator().manual_seed(seed)."
        )
    return value


def dtype_of(value: torch.dtype, name: str) -> torch.dtype:
    """Return ``value``, refusing what is no floating-point dtype that functions may have.

    Raises:
        TypeError: if the value is no dtype, or one of integers or of complex numbers.
    """
    if not isinstance(value, torch.dtype) or value not in FLOATING:
        got = str(value) if isinstance(value, torch.dtype) else kind_of(value)
        raise TypeError(
            f"{name} must be a floating-point dtype, {', '.join(map(str, FLOATING))}; got {got}."
        )
    return value


def device_of(value: object, name: str) -> torch.device:
    """Return ``value`` as a device, refusing what names none.

    Raises:
        TypeError: if the value is neither a device nor a word.
        ValueError: if the word names no device.
    """
    if not isinstance(value, str | torch.device):
        raise TypeError(f"{name} must be a device, such as 'cpu'; got {kind_of(value)}.")
    try:
        return torch.device(value)
    except RuntimeError:
        raise ValueError(
            f"{name} must be a device, such as 'cpu' or 'cuda:0'; got {shown(value)}."
        ) from None


def store(
    of: object, check: Callable[..., object], *names: str, subject: str = "", **bounds: Any
) -> None:
    """Check fields of a frozen dataclass, and keep in them what the check returns.

    Args:
        of: the dataclass, in its ``__post_init__``.
        check: a check of this package, called with a field's value and its name.
        names: the names of the fields.
        subject: what comes before a field's name in the messages, such as "A network's ".
        bounds: what else the check takes.

    Raises:
        TypeError: if a value is of the wrong kind.
        ValueError: if a value is wrong.

    Example:
        >>> from dataclasses import dataclass
        >>> from inftydiff._typing import whole
        >>> @dataclass(frozen=True)
        ... class Size:
        ...     rows: int
        ...
        ...     def __post_init__(self):
        ...         store(self, whole, "rows", most=100)
        >>> Size(3.0)
        Size(rows=3)
    """
    for name in names:
        object.__setattr__(of, name, check(getattr(of, name), f"{subject}{name}", **bounds))
