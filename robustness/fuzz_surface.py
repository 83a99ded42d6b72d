"""The public surface: what ``__all__`` of the packages exports, with its methods."""

import importlib
import inspect
from collections.abc import Iterable, Mapping
from typing import Any

from robustness.fuzz_values import PACKAGES

__all__ = ["called", "public"]

OPERATIONS = ("__call__", "__getitem__", "__add__", "__sub__", "__mul__", "__rmul__", "__matmul__")
"""Methods without a name of their own that callers use."""


def public() -> dict[str, Any]:
    """All public functions, classes that can be made, and methods of classes, by name."""
    found: dict[str, Any] = {}
    for package in PACKAGES:
        module = importlib.import_module(package)
        for name in module.__all__:
            value = getattr(module, name)
            if inspect.isclass(value):
                found |= _of_class(value)
            elif inspect.isfunction(value):
                found[_name(value)] = value
    return found


def called(function: Any) -> str | None:
    """The name in :func:`public` of what a call calls."""
    if inspect.isclass(function):
        return _name(function)
    if inspect.ismethod(function):
        return _name(function.__func__)
    if inspect.isfunction(function):
        return _name(function)
    kind = type(function)
    method = "forward" if _is_module(kind) else "__call__"
    return _name(_found(kind, method)) if callable(function) else None


def unreached(public_names: Iterable[str], targets: Mapping[str, Any]) -> list[str]:
    """List what no example calls."""
    return sorted(set(public_names) - set(targets))


def _of_class(kind: type) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if issubclass(kind, BaseException):
        return {_name(kind): kind}
    protocol = getattr(kind, "_is_protocol", False)
    if protocol:
        return {}
    if not inspect.isabstract(kind):
        found[_name(kind)] = kind
    for name in dir(kind):
        if name.startswith("_") and name not in OPERATIONS:
            continue
        if name == "__call__" and _is_module(kind):
            continue
        method = _found(kind, name)
        if method is None or not (method.__module__ or "").startswith("inftydiff"):
            continue
        if getattr(method, "__isabstractmethod__", False):
            continue
        found[_name(method)] = method
    return found


def _found(kind: type, name: str) -> Any:
    """The function behind a method, or None for what is no method."""
    for parent in kind.__mro__:
        if name in vars(parent):
            value = vars(parent)[name]
            value = getattr(value, "__func__", value)
            return value if inspect.isfunction(value) else None
    return None


def _is_module(kind: type) -> bool:
    return any(parent.__module__.startswith("torch.nn") for parent in kind.__mro__)


def _name(value: Any) -> str:
    return f"{value.__module__}.{value.__qualname__}"
