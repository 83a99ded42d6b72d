"""Plug-ins: components of other installed packages, by their entry points.

A package makes a component known by one line of its ``pyproject.toml``::

    [project.entry-points."inftydiff.components"]
    my_network = "my_package:MyNetworkConfig"

The name is the component's kind. A plug-in is imported when its kind is chosen, and not before.
"""

import sys
from importlib.metadata import EntryPoint, entry_points

from inftydiff._typing import shown

__all__ = ["GROUP", "installed", "kind_by_plugin", "load", "provider"]

GROUP = "inftydiff.components"
"""The group of entry points."""


def installed() -> tuple[EntryPoint, ...]:
    """Return the entry points of all plug-ins, by their names; none of them is imported."""
    return tuple(sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value)))


def load(point: EntryPoint) -> type:
    """Import the component of a plug-in.

    Raises:
        ValueError: if it cannot be imported, or is no class.
    """
    origin = f"The component {point.name!r} of {provider(point)}"
    try:
        found: object = point.load()
    except Exception as error:  # a plug-in may fail in any way
        said = str(error).removesuffix(".")
        raise ValueError(
            f"{origin} cannot be imported from {point.value}: {type(error).__name__}: {said}. "
            "Install what it needs, or mend it."
        ) from error
    if not isinstance(found, type):
        raise ValueError(
            f"{origin} must be a frozen dataclass; got {shown(found)}. Name its class in the "
            f"entry point, {point.value}."
        )
    return found


def kind_by_plugin(cls: type) -> str | None:
    """Return the kind that an entry point gives a class, or None if there is no such one.

    Nothing is imported: an entry point that names the class by another module than its own names it
    once that module has been imported, as it is when the kind is chosen.
    """
    place = f"{cls.__module__}:{cls.__qualname__}"
    points = installed()
    for point in points:
        if point.value.replace(" ", "") == place:
            return point.name
    for point in points:
        if getattr(sys.modules.get(point.module), point.attr, None) is cls:
            return point.name
    return None


def provider(point: EntryPoint) -> str:
    """Return the name and the version of the package that a plug-in comes from."""
    return "an unknown package" if point.dist is None else f"{point.dist.name} {point.dist.version}"
