"""Values against the annotations of what they are given to."""

import inspect
import numbers
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import numpy as np
import torch

__all__ = ["hints_of", "misfit"]


def hints_of(function: Any) -> dict[str, Any]:
    """The annotations of the parameters, or none where they cannot be read."""
    try:
        return typing.get_type_hints(function.__init__ if inspect.isclass(function) else function)
    except Exception:  # annotations of shapes cannot all be read
        return {}


def misfit(hint: Any, value: Any) -> bool:
    """Say whether a value is plainly of another kind than its annotation; in doubt, it is not."""
    origin = get_origin(hint)
    if hint in (Any, object, inspect.Parameter.empty) or isinstance(hint, typing.TypeVar | str):
        return False
    if origin in (Union, types.UnionType):
        return all(misfit(one, value) for one in get_args(hint))
    if origin is typing.Annotated:
        return misfit(get_args(hint)[0], value)
    if hint is None or hint is type(None):
        return value is not None
    if origin is Literal:
        return value not in get_args(hint) if isinstance(value, str | int) else True
    if hint in (int, float):
        real = isinstance(value, numbers.Real | np.number | torch.Tensor)
        return not real or (hint is int and isinstance(value, float) and not value.is_integer())
    if hint in (str, bool, bytes):
        return not isinstance(value, hint | np.bool_ if hint is bool else hint)
    if hint is Path:
        return not isinstance(value, str | Path)
    kind = origin or hint
    if not isinstance(kind, type):
        return kind is Callable and not callable(value)
    if kind.__module__.startswith("jaxtyping") or kind is torch.Tensor:
        return not isinstance(value, torch.Tensor | np.ndarray)
    if issubclass(kind, tuple | list) or kind in (Sequence, Mapping):
        return not isinstance(value, Sequence | Mapping | torch.Tensor | np.ndarray | set) or (
            isinstance(value, str | bytes)
        )
    if getattr(kind, "_is_protocol", False):
        names = [n for n in vars(kind) if not n.startswith("_") or n == "__call__"]
        return not all(hasattr(value, name) for name in names)
    if kind is Callable or issubclass(kind, typing.cast(type, Callable)):
        return not callable(value)
    return kind.__module__.startswith("inftydiff") and not isinstance(value, kind)
