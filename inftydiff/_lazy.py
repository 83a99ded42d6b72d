"""A package that imports its names when they are first used, by :pep:`562`."""

import sys
from collections.abc import Callable, Sequence
from importlib import import_module

__all__ = ["on_first_use"]


def on_first_use(
    package: str, names: Sequence[str], rooms: Sequence[str]
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Return the ``__getattr__`` and the ``__dir__`` of a package.

    A name is looked for in the ``__all__`` of one room after the other, so that no more rooms are
    imported than need be; what was found stays in the package. ``__version__`` is that of the
    installed distribution.

    Args:
        package: the package, called as its distribution is.
        names: what it exports.
        rooms: its subpackages that names are looked for in, in this order, and that are attributes
            of it; those that begin with an underscore are not listed.

    Example:
        >>> find, listed = on_first_use("inftydiff", ["Grid"], ["operators", "processes"])
        >>> find("Grid")
        <class 'inftydiff.operators.discretisation.Grid'>
        >>> find("Gird")
        Traceback (most recent call last):
            ...
        AttributeError: module 'inftydiff' has no attribute 'Gird'; did you mean 'Grid'?
    """
    public = [room for room in rooms if not room.startswith("_")]

    def find(name: str) -> object:
        if name in rooms:
            return import_module(f"{package}.{name}")
        if name == "__version__":
            from importlib.metadata import version  # takes longer than all the rest

            value: object = version(package)
        elif name in names:
            value = _exported(package, name, rooms)
        else:
            raise AttributeError(_unknown(package, name, [*names, *public]), name=name)
        setattr(sys.modules[package], name, value)
        return value

    def listed() -> list[str]:
        return sorted({*vars(sys.modules[package]), "__version__", *names, *public})

    return find, listed


def _exported(package: str, name: str, rooms: Sequence[str]) -> object:
    """Return the object that the first room to export a name means by it."""
    modules = (import_module(f"{package}.{room}") for room in rooms)
    return next(getattr(module, name) for module in modules if name in module.__all__)


def _unknown(package: str, name: str, known: Sequence[str]) -> str:
    """Return the message about an unknown name, with the nearest one that there is."""
    said = f"module {package!r} has no attribute {name!r}"
    if name.startswith("_"):  # Python itself asks for some
        return said
    import difflib

    near = difflib.get_close_matches(name, known, n=1)
    return f"{said}; did you mean {near[0]!r}?" if near else said
