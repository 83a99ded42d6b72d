"""An array with named axes and attributes, read when asked for."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, final

import numpy as np
import numpy.typing as npt

from inftydiff.data._field_conventions import Conventions

__all__ = ["MAX_BYTES", "Variable", "said", "with_coordinates"]

MAX_BYTES = 2**30
"""More than what is read at once may take: a part of a variable, or what a file inflates to it."""


@final
@dataclass(frozen=True)
class Variable:
    """A variable of a source, read by integers and slices.

    Args:
        name: what it is called in its source, with ``/`` between groups.
        dims: the names of its axes.
        array: what is indexed, and gives a numpy array or what becomes one; None with a fault.
        place: the file or the folder that it lies in, or nothing.
        attributes: what is said about the numbers of ``array``.
        encoding: what was said of them before xarray undid it.
        coordinate: whether it says where the values of others are.
        fault: why it cannot be read, if it cannot.
        chunk: the lengths of the parts in which it is kept, if it is kept in parts.
        stored: counts the bytes that its numbers take where they are kept, if that is known.
        file: the one file that it is read from, and its length: beyond the end of one that became
            shorter, libraries read zeros or end the process.
    """

    name: str
    dims: tuple[str, ...] = ()
    array: Any = None
    place: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    encoding: Mapping[str, Any] = field(default_factory=dict)
    coordinate: bool = False
    fault: str = ""
    chunk: tuple[int, ...] = ()
    stored: Callable[[], int] | None = None
    file: tuple[Path, int] | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the axes."""
        return tuple(map(int, self.array.shape))

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the stored numbers."""
        return np.dtype(self.array.dtype)

    @property
    def label(self) -> str:
        """Its name in messages."""
        return f"{self.place}: {self.name!r}" if self.place else repr(self.name)

    @cached_property
    def conventions(self) -> Conventions:
        """The meaning of its numbers.

        Raises:
            ValueError: if its attributes contradict the conventions.
        """
        return Conventions.of(self.label, self.dtype, self.attributes, self.encoding)

    def as_coordinate(self) -> "Variable":
        """The same, known to say where the values of others are."""
        return replace(self, coordinate=True)

    def check(self) -> None:
        """Refuse what cannot be read as numbers.

        Raises:
            TypeError: if it does not hold real numbers.
            ValueError: if it has a fault, its attributes contradict the conventions, its axes have
                no names of their own, or it is kept in parts that are too large.
        """
        if self.fault:
            raise ValueError(self.fault)
        if self.dtype.kind not in "biuf":
            raise TypeError(
                f"Fields are real numbers; {self.label} holds {self.dtype}. Leave it out, or "
                "convert it first."
            )
        if len(set(self.dims)) < len(self.dims):
            raise ValueError(
                f"Each axis of a variable has a name of its own; those of {self.label} are "
                f"{', '.join(map(repr, self.dims))}. Rename them."
            )
        part = math.prod(self.chunk) * self.dtype.itemsize
        if self.chunk and part > MAX_BYTES:
            raise ValueError(
                f"Parts of up to {MAX_BYTES} bytes are read; {self.label} is kept in parts of "
                f"{self.chunk}, {part} bytes each. Write it anew in smaller chunks."
            )
        _ = self.conventions

    def read(self, index: tuple[int | slice, ...]) -> npt.NDArray[np.float64]:
        """A part of the array in float64 and its units, with NaN where values are missing."""
        if self.file is not None:
            path, length = self.file
            if path.stat().st_size < length:
                raise OSError(f"the file is shorter than the {length} bytes that it had")
        part = self.array[index]
        mask = np.ma.getmaskarray(part) if isinstance(part, np.ma.MaskedArray) else None
        values = self.conventions.read(np.asarray(part))
        if mask is not None:
            values[mask] = np.nan
        return values


def said(error: BaseException) -> str:
    """An error, in one line of bounded length and without its full stop."""
    text = " ".join(str(error).split()) or type(error).__name__
    text = text.removesuffix(".")
    return text if len(text) <= 300 else f"{text[:300]} …"


def with_coordinates(found: dict[str, Variable]) -> dict[str, Variable]:
    """The variables, with those that others list as their coordinates marked."""
    listed = {
        f"{name.rpartition('/')[0]}/{word}".lstrip("/")
        for name, variable in found.items()
        for word in str(variable.attributes.get("coordinates", "")).split()
    }
    return {n: v.as_coordinate() if n in listed else v for n, v in found.items()}
