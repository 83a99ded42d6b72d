"""The arguments of ``field_array``, checked against what is there."""

import difflib
import math
from collections.abc import Mapping, Sequence

from inftydiff._typing import Real
from inftydiff.data._field_variable import MAX_BYTES, Variable
from inftydiff.data.field_scale import number

__all__ = [
    "check_sizes",
    "check_stored",
    "chosen",
    "positions",
    "sizes",
    "stand_ins",
    "stated",
]

MAX_SAMPLES = 2**31
"""More samples than any file of this machine's has."""

MAX_INFLATED = 1000
"""The most bytes of numbers for each byte in which they are kept, for all of them to be read."""

SHOWN = 20
"""The most names that a message has."""


def chosen(variables: str | Sequence[str] | None, found: Mapping[str, Variable]) -> tuple[str, ...]:
    """The variables that are asked for; by default the only one that is no coordinate.

    Raises:
        TypeError: if they are not names.
        ValueError: if there is no such variable, one is named twice, none is named, or several are
            there and none is named.
    """
    if variables is None:
        own = tuple(name for name, variable in found.items() if not variable.coordinate)
        if len(own) != 1:
            raise ValueError(f"Say which variables to read; there are {_listed(found)}.")
        return own
    asked = (variables,) if isinstance(variables, str) else variables
    if not isinstance(asked, Sequence) or not all(isinstance(name, str) for name in asked):
        raise TypeError(f"Variables are named by words, in a list; got {asked!r:.80}.")
    names = tuple(name if name in found else name.strip("/") for name in asked)
    wrong = [name for name in names if name not in found]
    if wrong or not names or len(set(names)) < len(names):
        got = ", ".join(map(repr, wrong or names)) or "none"
        raise ValueError(
            f"Name one or more variables, each once; got {got}; there are {_listed(found)}."
            f"{_nearest(wrong[0], found) if wrong else ''}"
        )
    return names


def _listed(found: Mapping[str, Variable]) -> str:
    """The names of the variables, those of coordinates last."""
    order = sorted(found.values(), key=lambda variable: variable.coordinate)
    names = [
        f"{variable.name!r}{' (a coordinate)' if variable.coordinate else ''}" for variable in order
    ]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return (", ".join(names[:SHOWN]) or "none") + more


def _nearest(name: str, found: Mapping[str, Variable]) -> str:
    """The name that was probably meant, as a question."""
    lower = {other.lower(): other for other in found}
    ends = {other.rpartition("/")[2].lower(): other for other in found}
    for known in (lower, ends):
        close = difflib.get_close_matches(name.lower(), known, n=1)
        if close:
            return f" Is {known[close[0]]!r} meant?"
    return ""


def positions(variable: Variable, axes: Sequence[str | int]) -> tuple[int, int]:
    """The numbers of the axes of rows and columns.

    Raises:
        ValueError: if these are not two of the variable's axes.
    """
    dims = variable.dims
    count = len(dims)
    pair = tuple(axes) if isinstance(axes, list | tuple) else ()
    places = [dims.index(x) if isinstance(x, str) and x in dims else x for x in pair]
    good = [
        place % count
        for place in places
        if isinstance(place, int) and not isinstance(place, bool) and -count <= place < count
    ]
    if len(places) != 2 or len(set(good)) != 2:
        raise ValueError(
            f"axes names two axes of {variable.name!r}, which has {sizes(variable)}; got {axes!r}."
        )
    return good[0], good[1]


def sizes(variable: Variable) -> str:
    """The axes of a variable and their lengths, in words."""
    pairs = zip(variable.dims, variable.shape, strict=True)
    return "(" + ", ".join(f"{dim}={size}" for dim, size in pairs) + ")"


def check_sizes(variable: Variable, samples: int, points: int) -> None:
    """Refuse sets without samples, and numbers of samples or points that no file has.

    Raises:
        ValueError: if an axis has no length, or there are too many samples or points.
    """
    if samples == 0 or points == 0:
        raise ValueError(
            f"Fields have axes of at least one; got {sizes(variable)}, of {variable.label}. "
            "Give one that holds values."
        )
    if samples > MAX_SAMPLES or 8 * points > MAX_BYTES:
        raise ValueError(
            f"Fields have up to {MAX_SAMPLES} samples of up to {MAX_BYTES // 8} points; "
            f"{variable.label} with {sizes(variable)} has {samples} of {points}. Check its axes, "
            "or select a part of it with xarray."
        )


def check_stored(variable: Variable) -> None:
    """Refuse to read all of what is far larger than where it is kept.

    Raises:
        ValueError: if it is larger than a gigabyte, and ``MAX_INFLATED`` times larger.
    """
    declared = math.prod(variable.shape) * variable.dtype.itemsize
    if variable.stored is None or declared <= MAX_BYTES:
        return
    kept = variable.stored()
    if declared > MAX_INFLATED * kept + MAX_BYTES:
        raise ValueError(
            f"Finding the range of a variable reads all of it; {variable.label} claims {declared} "
            f"bytes, of which {kept} are kept. State ranges, or select a part of it with xarray."
        )


def stand_ins(missing: Real | Mapping[str, Real] | None, names: Sequence[str]) -> dict[str, float]:
    """Return what stands for missing values, by variable.

    Raises:
        TypeError: if it is not made of numbers.
        ValueError: if a number is not finite, or there is no such variable.
    """
    if missing is None:
        return {}
    if not isinstance(missing, Mapping):
        missing = dict.fromkeys(names, missing)
    unknown = [name for name in missing if name not in names]
    if unknown:
        raise ValueError(
            f"missing names {unknown[0]!r}; the variables are {', '.join(names)}. Leave it out, or "
            "name one of them."
        )
    return {
        name: number(value, f"What stands for missing values of {name!r}")
        for name, value in missing.items()
    }


def stated(ranges: Mapping[str, Sequence[Real]], names: Sequence[str]) -> dict[str, Sequence[Real]]:
    """The ranges of the variables, in their order.

    Raises:
        TypeError: if they are not by name.
        ValueError: if there is none for a variable.
    """
    if not isinstance(ranges, Mapping):
        raise TypeError(
            'ranges is a mapping from names to pairs, such as {"t": (250.0, 310.0)}; got '
            f"{ranges!r:.80}."
        )
    without = [name for name in names if name not in ranges]
    if without:
        raise ValueError(
            f"ranges has the minimum and the maximum of every variable; {without[0]!r} is not "
            f"there, only {', '.join(map(repr, ranges)) or 'nothing'}. Add it."
        )
    return {name: ranges[name] for name in names}
