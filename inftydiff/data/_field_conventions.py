r"""The CF and netCDF conventions for the numbers of a variable: packing, fills, valid ranges.

A stored number n means :math:`n \cdot` ``scale_factor`` + ``add_offset``. It is missing if it
equals ``_FillValue`` or one of ``missing_value``, or lies outside ``valid_min``, ``valid_max`` or
``valid_range``. These limits are in the units of the stored numbers; but floating-point limits of
packed whole numbers are in the units of what they mean. With ``_Unsigned``, stored numbers, fills
and limits are read with the other convention of signs.
"""

import base64
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import numpy.typing as npt

from inftydiff._typing import Real

__all__ = ["ATTRIBUTES", "Conventions"]

ATTRIBUTES = (
    "_FillValue",
    "_Unsigned",
    "add_offset",
    "missing_value",
    "scale_factor",
    "valid_max",
    "valid_min",
    "valid_range",
)
"""The attributes that are read."""

SLACK = 1e-3
"""Whole numbers this close to a limit that was converted are within it: it was rounded."""

NOT_NUMBERS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
"""Zarr's words for what JSON has no number for."""


@final
@dataclass(frozen=True)
class Conventions:
    """The meaning of the stored numbers of a variable.

    Args:
        number: the type as which stored numbers are read.
        scale: what they are multiplied by, or None.
        offset: what is added then, or None.
        fills: stored numbers that stand for missing values.
        low: the least that is not missing, in the units of ``array``; or minus infinity.
        high: the greatest that is not missing; or infinity.
    """

    number: np.dtype[Any]
    scale: Any = None
    offset: Any = None
    fills: tuple[Any, ...] = ()
    low: Real = -math.inf
    high: Real = math.inf

    @staticmethod
    def of(
        name: str, dtype: np.dtype[Any], attributes: Mapping[str, Any], encoding: Mapping[str, Any]
    ) -> "Conventions":
        """Read what the attributes of a variable say.

        Args:
            name: the variable, for messages.
            dtype: the type of the numbers that are at hand.
            attributes: those of the numbers at hand.
            encoding: those that were undone already (by xarray), which limits may refer to.

        Raises:
            ValueError: if an attribute is not what the conventions allow.
        """
        undone = not _packed(attributes) and _packed(encoding)
        packing = encoding if undone else attributes
        stored = np.dtype(encoding.get("dtype", dtype)) if undone else dtype
        unsigned = packing.get("_Unsigned")
        number = stored if unsigned is None else _signed(name, stored, unsigned)
        scale, offset = (_real(name, packing, key) for key in ("scale_factor", "add_offset"))
        if scale == 0:
            raise _fault(name, "scale_factor", scale, "a finite number other than zero")
        rule = Conventions(number, scale, offset)
        low, high, converted = _limits(name, attributes, rule)
        slack = SLACK if number.kind in "iu" else 0.0
        if undone:
            if not converted:
                low, high = sorted(rule.unpack(np.array([low, high], np.float64)).tolist())
                slack *= 1.0 if scale is None else abs(float(scale))
                low, high = low - slack, high + slack
            return Conventions(dtype, low=_as(dtype, low), high=_as(dtype, high))
        if converted:
            factor = 1.0 if scale is None else float(scale)
            shift = 0.0 if offset is None else float(offset)
            low, high = sorted(((low - shift) / factor, (high - shift) / factor))
            low, high = low - slack, high + slack
        fills = _fills(name, attributes, number)
        return Conventions(number, scale, offset, fills, _as(number, low), _as(number, high))

    def unpack(self, stored: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The meaning of stored numbers, in the floating-point type that xarray gives them."""
        if self.scale is None and self.offset is None:
            return stored.astype(np.float64)
        values = stored.astype(self._floating())
        if self.scale is not None:
            values = values * values.dtype.type(self.scale)
        return values if self.offset is None else values + values.dtype.type(self.offset)

    def read(self, stored: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """The meaning of stored numbers in float64, with NaN where they are missing."""
        if stored.dtype.kind in "iu" and stored.dtype.kind != self.number.kind:
            stored = stored.view(self.number.newbyteorder(stored.dtype.byteorder))
        values = self.unpack(stored).astype(np.float64)
        for fill in self.fills:
            values[stored == fill] = np.nan
        if (self.low, self.high) != (-math.inf, math.inf):
            values[(stored < self.low) | (stored > self.high)] = np.nan
        return values

    def _floating(self) -> type[np.floating[Any]]:
        """float32 where every attribute has that type and the numbers fit into it, else float64."""
        single = all(isinstance(a, np.float32) for a in (self.scale, self.offset) if a is not None)
        if self.offset is not None and (
            self.scale is None or (self.number.kind in "iu" and self.number.itemsize == 4)
        ):
            single = False
        return np.float32 if single else np.float64


def _packed(attributes: Mapping[str, Any]) -> bool:
    return any(key in attributes for key in ("scale_factor", "add_offset", "_Unsigned"))


def _fault(name: str, key: str, value: object, wanted: str) -> ValueError:
    shown = value.tolist() if isinstance(value, np.generic | np.ndarray) else value
    return ValueError(
        f"The attribute {key} of {name} is {wanted}, by the CF conventions; got {shown!r:.80}. "
        "Repair it, or open the file with xarray and pass the corrected Dataset."
    )


def _numbers(name: str, key: str, value: object) -> list[Any]:
    """The numbers of an attribute, each a numpy or Python scalar."""
    parts: list[Any] = list(value) if isinstance(value, list | tuple) else [value]
    if isinstance(value, np.ndarray):
        parts = list(value.reshape(-1))
    for part in parts:
        kind = np.asarray(part).dtype.kind
        if np.ndim(part) or kind not in "iuf":
            raise _fault(name, key, value, "made of numbers")
    return parts


def _real(name: str, attributes: Mapping[str, Any], key: str) -> Any:
    """A finite number, or None if there is no such attribute."""
    if attributes.get(key) is None:
        return None
    numbers = _numbers(name, key, attributes[key])
    if len(numbers) != 1 or not math.isfinite(numbers[0]):
        raise _fault(name, key, attributes[key], "one finite number")
    return numbers[0]


def _signed(name: str, stored: np.dtype[Any], unsigned: object) -> np.dtype[Any]:
    """The type of stored whole numbers that ``_Unsigned`` tells."""
    if isinstance(unsigned, np.ndarray) and unsigned.size == 1:
        unsigned = unsigned.item()
    text = unsigned.decode() if isinstance(unsigned, bytes) else str(unsigned)
    if text.lower() not in ("true", "false"):
        raise _fault(name, "_Unsigned", unsigned, "'true' or 'false'")
    if stored.kind not in "iu":
        return stored
    return np.dtype(f"{'u' if text.lower() == 'true' else 'i'}{stored.itemsize}")


def _wrapped(number: np.dtype[Any], value: Any) -> Any:
    """A fill or a limit as the stored numbers are read: by the other sign where it does not fit."""
    if number.kind not in "iu" or not math.isfinite(value) or value != int(value):
        return value
    value, span = int(value), 2 ** (8 * number.itemsize)
    if number.kind == "u" and -span // 2 <= value < 0:
        return value + span
    if number.kind == "i" and span // 2 <= value < span:
        return value - span
    return value


def _as(number: np.dtype[Any], end: Real) -> Real:
    """A limit, rounded to the type of floating-point numbers that it is compared with."""
    if number.kind != "f":
        return end
    with np.errstate(over="ignore"):
        return float(number.type(end))


def _limits(name: str, attributes: Mapping[str, Any], rule: Conventions) -> tuple[Real, Real, bool]:
    """The limits, and whether they are in the units of what stored numbers mean."""
    ends: list[tuple[str, Real, Real]] = []
    for key, count in (("valid_range", 2), ("valid_min", 1), ("valid_max", 1)):
        if attributes.get(key) is None:
            continue
        numbers = [_plain(part) for part in _numbers(name, key, attributes[key])]
        if len(numbers) != count:
            wanted = "a minimum and a maximum" if count == 2 else "one number"
            raise _fault(name, key, attributes[key], wanted)
        least = -math.inf if key == "valid_max" else numbers[0]
        most = math.inf if key == "valid_min" else numbers[-1]
        ends.append((key, least, most))
    packed = (rule.scale, rule.offset) != (None, None) and rule.number.kind in "iu"
    given = [end for _, *both in ends for end in both]
    converted = packed and any(isinstance(end, float) and math.isfinite(end) for end in given)
    low, high = -math.inf, math.inf
    for key, least, most in ends:
        if not converted:
            least, most = _wrapped(rule.number, least), _wrapped(rule.number, most)
        if not least <= most:
            raise _fault(name, key, attributes[key], "a minimum not above its maximum")
        low, high = max(low, least), min(high, most)
        if low > high:
            raise _fault(name, key, attributes[key], f"a limit that leaves values from {low} on")
    return low, high, converted


def _plain(value: Any) -> Real:
    """A number of Python."""
    return float(value) if np.asarray(value).dtype.kind == "f" else int(value)


def _fills(name: str, attributes: Mapping[str, Any], number: np.dtype[Any]) -> tuple[Any, ...]:
    """Stored numbers that stand for missing values; those that cannot be stored are left out."""
    fills = []
    for key in ("_FillValue", "missing_value"):
        if attributes.get(key) is None:
            continue
        value = attributes[key]
        if isinstance(value, str):
            value = _from_text(name, key, value)
        if isinstance(value, bool | np.bool_):
            value = int(value)
        for part in (_wrapped(number, _plain(part)) for part in _numbers(name, key, value)):
            if number.kind == "f":
                fills.append(_as(number, part))
            elif math.isfinite(part) and part == int(part):
                fills.append(int(part))
    return tuple(fill for fill in dict.fromkeys(fills) if fill == fill)


def _from_text(name: str, key: str, text: str) -> float:
    """A floating-point fill in zarr's JSON: a word, or eight bytes in base 64, as xarray writes."""
    if text in NOT_NUMBERS:
        return NOT_NUMBERS[text]
    try:
        (value,) = struct.unpack("<d", base64.b64decode(text, validate=True))
    except (ValueError, struct.error) as error:
        raise _fault(name, key, text, "a number") from error
    return float(value)
