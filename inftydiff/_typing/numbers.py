"""Checks of numbers: of their kind, and of what they may be."""

import math
import numbers

import numpy as np
from torch import Tensor

from inftydiff._typing.shown import kind_of, shown

__all__ = [
    "FAINTEST",
    "LARGEST",
    "LONGEST",
    "MOST_AXES",
    "MOST_BLOCKS",
    "MOST_CHANNELS",
    "MOST_VALUES",
    "SHORTEST",
    "STRONGEST",
    "Real",
    "checked_seed",
    "fraction",
    "length",
    "not_negative",
    "number",
    "positive",
    "whole",
]

Real = float | int
"""A Python number: unlike a type checker, the checks at run time do not take an int for a float."""

LARGEST = 2**63 - 1
"""The largest whole number: what a tensor of integers holds."""

SHORTEST, LONGEST = 1e-12, 1e12
"""The lengths that a domain, and what acts on it, may have: in three dimensions single precision
holds their volumes."""

FAINTEST, STRONGEST = 1e-30, 1e30
"""The amplitudes and ratios that single precision holds with room for products."""

MOST_AXES = 16
"""The most axes of a domain, and the largest dimension."""

MOST_VALUES = 2**33
"""The most values that are computed at once: more than a machine holds."""

MOST_CHANNELS = 2**16
"""The most channels or features that a network may have anywhere."""

MOST_BLOCKS = 2**10
"""The most blocks, layers or levels that a network may have of a kind."""


def number(
    value: object, name: str, *, least: Real = -math.inf, most: Real = math.inf, wanted: str = ""
) -> float:
    """Return ``value`` as a float, refusing what is not a finite number between two others.

    Args:
        value: what is to be a number.
        name: the subject of the message.
        least: the smallest number allowed.
        most: the largest number allowed.
        wanted: what the message asks for; by default the bounds.

    Raises:
        TypeError: if the value is no real number; ``name`` says which it was.
        ValueError: if it is infinite, NaN, beyond the bounds or too large for a float.
    """
    if not wanted:
        low = f" of at least {least}" if least > -math.inf else ""
        high = f" of at most {most}" if most < math.inf else ""
        wanted = "a finite number" + (" and".join(filter(None, [low, high])))
    found = _float(value, name, wanted)
    if not (math.isfinite(found) and least <= found <= most):
        raise ValueError(f"{name} must be {wanted}; got {shown(value)}.")
    return found


def positive(value: object, name: str, *, least: Real = 0, most: Real = math.inf) -> float:
    """Return ``value`` as a float, refusing what is not a finite number above zero.

    Args:
        value: what is to be a number.
        name: the subject of the message.
        least: the smallest number allowed, if it is not zero.
        most: the largest number allowed.

    Raises:
        TypeError: if the value is no real number; ``name`` says which it was.
        ValueError: if the number is zero, negative, infinite, NaN or beyond the bounds.
    """
    wanted = "a finite number above 0"
    if least > 0 or most < math.inf:
        wanted += f", from {least:g} to {most:g}" if least > 0 else f" and at most {most:g}"
    found = _float(value, name, wanted)
    if not (0.0 < found < math.inf and least <= found <= most):
        raise ValueError(f"{name} must be {wanted}; got {shown(value)}.")
    return found


def length(value: object, name: str) -> float:
    """Return ``value`` as a float, refusing what is no length from 10⁻¹² to 10¹².

    Raises:
        TypeError: if the value is no real number; ``name`` says which it was.
        ValueError: if the number is not above zero and finite, or is too short or too long.
    """
    if type(value) is float and SHORTEST <= value <= LONGEST:
        return value
    found = positive(value, name)
    if not SHORTEST <= found <= LONGEST:
        raise ValueError(
            f"{name} must be from {SHORTEST:g} to {LONGEST:g}, so that volumes are finite numbers; "
            f"got {shown(value)}. Choose a unit nearer to the lengths."
        )
    return found


def not_negative(value: object, name: str, *, most: Real = math.inf) -> float:
    """Return ``value`` as a float, refusing what is not a finite number of at least zero.

    Raises:
        TypeError: if the value is no real number; ``name`` says which it was.
        ValueError: if the number is negative, infinite, NaN or above ``most``.
    """
    return number(value, name, least=0, most=most)


def fraction(value: object, name: str, *, one: bool = True) -> float:
    """Return ``value`` as a float, refusing what does not lie in [0, 1].

    Args:
        value: what is to be a number.
        name: the subject of the message.
        one: whether one itself is allowed.

    Raises:
        TypeError: if the value is no real number; ``name`` says which it was.
        ValueError: if it is below zero, above one, one where that is not allowed, or NaN.
    """
    wanted = "a number in [0, 1]" if one else "a number in [0, 1)"
    found = _float(value, name, wanted)
    if not (0.0 <= found <= 1.0) or (found == 1.0 and not one):
        raise ValueError(f"{name} must be {wanted}; got {shown(value)}.")
    return found


def whole(value: object, name: str, *, least: int = 1, most: int = LARGEST) -> int:
    """Return ``value`` as an integer, refusing what is not a whole number of at least one.

    Args:
        value: what is to be a whole number; 3.0 is one.
        name: the subject of the message.
        least: the smallest number allowed.
        most: the largest number allowed.

    Raises:
        TypeError: if the value is no real number; ``name`` says which it was.
        ValueError: if the number is fractional, infinite, NaN, below ``least`` or above ``most``.
    """
    if type(value) is int and least <= value <= most:
        return value
    wanted = f"a whole number of at least {least}"
    found = _real(value, name, wanted)
    if not (math.isfinite(_float(value, name, wanted)) and found == int(found) and found >= least):
        raise ValueError(f"{name} must be {wanted}; got {shown(value)}.")
    if found > most:
        raise ValueError(f"{name} must be a whole number of at most {most}; got {shown(value)}.")
    return int(found)


def checked_seed(value: object, name: str = "A seed") -> int:
    """Return ``value`` as an integer, refusing what is no whole number from 0 to 2⁶³ − 1.

    Raises:
        TypeError: if the value is no real number; ``name`` says which it was.
        ValueError: if the number is fractional, negative or 2⁶³ or more.
    """
    try:
        return whole(value, name, least=0)
    except (TypeError, ValueError) as error:
        raise type(error)(
            f"{name} must be a whole number from 0 to 2**63 - 1; got {shown(value)}."
        ) from None


def _real(value: object, name: str, wanted: str) -> Real:
    """The value, if it is a number: an int, a float, a fraction or a scalar of numpy."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        one = isinstance(value, Tensor | np.ndarray) and math.prod(value.shape) == 1
        advice = " Pass its .item()." if one else ""
        raise TypeError(f"{name} must be {wanted}; got {kind_of(value)}.{advice}")
    return value.item() if isinstance(value, np.generic) else value  # type: ignore[return-value]


def _float(value: object, name: str, wanted: str) -> float:
    try:
        return float(_real(value, name, wanted))
    except OverflowError:
        raise ValueError(f"{name} must be {wanted}; got {shown(value)}.") from None
