r"""Physical fields on a rectangular grid, scaled to :math:`[-1, 1]` and read when asked for."""

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, final

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor
from torch.utils.data import Dataset

from inftydiff._typing import Real
from inftydiff.data.field_scale import FieldScale
from inftydiff.data.field_sources import Variable, open_variables

__all__ = ["Fields", "field_array"]


@final
class Fields(Dataset[Tensor]):
    r"""A dataset of float32 tensors ``(c, h, w)`` in :math:`[-1, 1]`, made by ``field_array``.

    Attributes:
        source: where they come from; a path is opened anew in every process.
        names: the variables, one a channel.
        axes: the names of the axes of rows and columns.
        samples: the lengths of the other axes, by name; sample i is number i of them in row-major
            order.
        shape: channels, rows and columns.
        scale: the ranges that were scaled to :math:`[-1, 1]`.
        missing: what stands for missing values, by variable; empty if they are refused.
        outside: what happens to values outside the ranges.
    """

    def __init__(
        self,
        source: object,
        variables: str | Sequence[str] | None,
        axes: tuple[str | int, str | int],
        ranges: Mapping[str, Sequence[Real]] | None,
        missing: Real | Mapping[str, Real] | None,
        outside: Literal["raise", "clip"],
    ) -> None:
        if outside not in ("raise", "clip"):
            raise ValueError(f"outside must be 'raise' or 'clip'; got {outside!r}.")
        self.source = source
        self.outside = outside
        found = open_variables(source)
        self.names = _names(variables, found)
        self._variables = {name: found[name] for name in self.names}
        self._process = os.getpid()
        first, *others = self._variables.items()
        rows, columns = _positions(*first, axes)
        self._positions = rows, columns
        dims, shape = first[1].dims, first[1].shape
        self.axes = dims[rows], dims[columns]
        for name, other in others:
            if (other.dims, other.shape) != (dims, shape):
                raise ValueError(
                    f"The variables of a set have the same axes: {first[0]!r} has "
                    f"{_sizes(first[1])}, {name!r} has {_sizes(other)}. Select or average first."
                )
        for name, variable in self._variables.items():
            if variable.dtype.kind not in "biuf":
                raise TypeError(f"Fields are real numbers; {name!r} holds {variable.dtype}.")
        if 0 in shape:
            raise ValueError(f"Fields have axes of at least one; got {_sizes(first[1])}.")
        self.samples = {
            dims[axis]: shape[axis] for axis in range(len(dims)) if axis not in self._positions
        }
        self.shape = len(self.names), shape[rows], shape[columns]
        self.missing = _missing(missing, self.names)
        self.scale = FieldScale(self._extremes() if ranges is None else _pick(ranges, self.names))
        for name, value in self.missing.items():
            low, high = self.scale.ranges[name]
            if not low <= value <= high:
                raise ValueError(
                    f"What stands for missing values lies in the variable's range; got {value} for "
                    f"{name!r} in [{low}, {high}]. Take another value, or state ranges."
                )

    def __len__(self) -> int:
        return math.prod(self.samples.values())

    def __getitem__(self, index: int) -> Float[Tensor, "c h w"]:
        r"""Read one sample.

        Args:
            index: from 0 to n − 1, or from −n to −1 to count from the end.

        Returns:
            Float32, shape ``(c, h, w)``, in :math:`[-1, 1]`.

        Raises:
            IndexError: if there is no such sample.
            ValueError: if values are infinite, missing without having been declared so, or outside
                the ranges.
        """
        values = self._checked(index)
        for name, value in self.missing.items():
            channel = values[self.names.index(name)]
            channel[np.isnan(channel)] = value
        scaled = self.scale(torch.from_numpy(values))
        if self.outside == "clip":
            return scaled.clamp_(-1.0, 1.0).float()
        for name, channel, raw in zip(self.names, scaled, values, strict=True):
            if not bool((channel.abs() <= 1.0).all()):
                low, high = self.scale.ranges[name]
                raise ValueError(
                    f"{self._at(index, name)} has values from {raw.min():g} to {raw.max():g}, "
                    f'outside the range [{low:g}, {high:g}]. State a wider one, or outside="clip".'
                )
        return scaled.float()

    def __repr__(self) -> str:
        c, h, w = self.shape
        return f"Fields(n={len(self)}, c={c}, h={h}, w={w}, {', '.join(self.names)})"

    def __getstate__(self) -> dict[str, Any]:
        opened = isinstance(self.source, str | Path)
        return {**self.__dict__, "_variables": None} if opened else dict(self.__dict__)

    def raw(self, index: int) -> Float[ndarray, "c h w"]:
        """One sample in the variables' units, float64, shape ``(c, h, w)``, NaN where missing.

        Raises:
            IndexError: if there is no such sample.
        """
        rows, columns = self._positions
        at = iter(self.where(index).values())
        position = tuple(
            slice(None) if axis in self._positions else next(at)
            for axis in range(len(self.samples) + 2)
        )
        parts = [variable.read(position) for variable in self._opened().values()]
        values = np.stack(parts)
        return values if rows < columns else values.swapaxes(1, 2)

    def where(self, index: int) -> dict[str, int]:
        """The position of a sample along each axis that is neither of rows nor of columns.

        Raises:
            IndexError: if there is no such sample.
        """
        count = len(self)
        if not -count <= index < count:
            raise IndexError(f"There are {count} samples; got index {index}.")
        at = np.unravel_index(index % count, tuple(self.samples.values())) if self.samples else ()
        return {name: int(place) for name, place in zip(self.samples, at, strict=True)}

    def _opened(self) -> dict[str, Variable]:
        """The variables, opened by this process: handles of HDF5 must not be shared by a fork."""
        if self._variables is None or (
            self._process != os.getpid() and isinstance(self.source, str | Path)
        ):
            found = open_variables(self.source)
            self._variables = {name: found[name] for name in self.names}
            self._process = os.getpid()
        return self._variables

    def _checked(self, index: int) -> Float[ndarray, "c h w"]:
        """One sample in the variables' units, with no NaN that is not declared, and no infinity."""
        values = self.raw(index)
        for name, channel in zip(self.names, values, strict=True):
            if np.isinf(channel).any():
                raise ValueError(f"{self._at(index, name)} has infinite values. Repair it first.")
            absent = int(np.isnan(channel).sum())
            if absent and name not in self.missing:
                raise ValueError(
                    f"{self._at(index, name)} misses {absent} of {channel.size} values. Say by "
                    "missing= what stands for them, or fill them first."
                )
        return values

    def _extremes(self) -> dict[str, Sequence[Real]]:
        """The least and the greatest value of each variable, missing ones left out."""
        low, high = np.full(len(self.names), np.inf), np.full(len(self.names), -np.inf)
        for index in range(len(self)):
            values = self._checked(index).reshape(len(self.names), -1)
            low = np.fmin(low, np.fmin.reduce(values, axis=1))
            high = np.fmax(high, np.fmax.reduce(values, axis=1))
        return dict(zip(self.names, zip(low.tolist(), high.tolist(), strict=True), strict=True))

    def _at(self, index: int, name: str) -> str:
        """What to call one variable of a sample in messages."""
        at = ", ".join(f"{axis}={place}" for axis, place in self.where(index).items())
        return f"{name!r} of sample {index}{f' ({at})' if at else ''}"


def field_array(
    source: object,
    variables: str | Sequence[str] | None = None,
    *,
    axes: tuple[str | int, str | int] = (-2, -1),
    ranges: Mapping[str, Sequence[Real]] | None = None,
    missing: Real | Mapping[str, Real] | None = None,
    outside: Literal["raise", "clip"] = "raise",
) -> Fields:
    r"""Variables on a rectangular grid as a dataset, from xarray, zarr, NetCDF or numpy.

    Each variable is a channel, two of the axes are rows and columns, and every position along the
    other axes (times, levels, members) is a sample. Only what is asked for is read. Packed values
    (``scale_factor``, ``add_offset``) are unpacked and fill values are missing where the file
    follows the CF conventions.

    Args:
        source: the path of a zarr store (a folder), a NetCDF file or a ``.npy`` file; a Dataset or
            DataArray of xarray; a Group or Array of zarr; a numpy array, or a mapping from names
            to numpy arrays. Paths suit the workers of a ``DataLoader`` best: each opens the file
            for itself.
        variables: the names of the variables, one a channel; by default the only one there is.
        axes: the names or the numbers of the axes of rows and columns.
        ranges: the minimum and the maximum of each variable, in its unit, which become −1 and 1;
            by default those of the data, which takes reading all of them once. They are kept in
            ``.scale``: give ``ranges=train.scale.ranges`` to held-out data, and
            ``train.scale.undo(samples)`` has the units again.
        missing: what stands for missing values, in the variable's unit: a number for all
            variables, or one for each that may miss some. By default they are refused.
        outside: ``"raise"`` refuses values outside the ranges, ``"clip"`` moves them to the ends.

    Raises:
        ModuleNotFoundError: if the ``fields`` extra is not installed and is needed.
        TypeError: if the source is none of these, or a variable is not of real numbers.
        ValueError: if the file cannot be read; if there is no such variable or axis, or several
            variables and none is named; if the variables' axes differ; or if a range, a value for
            missing ones, or (where the ranges are those of the data) a value is not admissible.

    Example:
        >>> rows, columns = np.mgrid[:8, :16]
        >>> temperature = np.stack([280 + rows + day for day in range(5)])
        >>> fields = field_array({"t": temperature})
        >>> fields, fields.scale.ranges, fields[4].max()
        (Fields(n=5, c=1, h=8, w=16, t), {'t': (280.0, 291.0)}, tensor(1.))
        >>> fields.scale.undo(fields[2])[0, :3, 0]
        tensor([282., 283., 284.])
    """
    return Fields(source, variables, axes, ranges, missing, outside)


def _names(variables: str | Sequence[str] | None, found: Mapping[str, Variable]) -> tuple[str, ...]:
    """The variables that are asked for."""
    have = ", ".join(map(repr, found)) or "none"
    if variables is None:
        if len(found) != 1:
            raise ValueError(f"Say which variables to read; there are {have}.")
        return tuple(found)
    names = (variables,) if isinstance(variables, str) else tuple(variables)
    wrong = [name for name in names if name not in found]
    if wrong or not names or len(set(names)) < len(names):
        asked = ", ".join(map(repr, wrong or names)) or "none"
        raise ValueError(f"Name one or more variables, each once; got {asked}; there are {have}.")
    return names


def _positions(name: str, variable: Variable, axes: Sequence[str | int]) -> tuple[int, int]:
    """The numbers of the axes of rows and columns."""
    dims = variable.dims
    places = [dims.index(axis) if axis in dims else axis for axis in axes]
    count = len(dims)
    good = [place % count for place in places if isinstance(place, int) and -count <= place < count]
    if len(places) != 2 or len(set(good)) != 2:
        raise ValueError(
            f"axes names two axes of {name!r}, which has {_sizes(variable)}; got {tuple(axes)}."
        )
    return good[0], good[1]


def _sizes(variable: Variable) -> str:
    """The axes of a variable and their lengths, in words."""
    sizes = zip(variable.dims, variable.shape, strict=True)
    return "(" + ", ".join(f"{dim}={size}" for dim, size in sizes) + ")"


def _missing(missing: Real | Mapping[str, Real] | None, names: Sequence[str]) -> dict[str, float]:
    """What stands for missing values, by variable."""
    if missing is None:
        return {}
    if not isinstance(missing, Mapping):
        return {name: float(missing) for name in names}
    unknown = [name for name in missing if name not in names]
    if unknown:
        raise ValueError(f"missing names {unknown[0]!r}; the variables are {', '.join(names)}.")
    return {name: float(value) for name, value in missing.items()}


def _pick(ranges: Mapping[str, Sequence[Real]], names: Sequence[str]) -> dict[str, Sequence[Real]]:
    """The ranges of the variables, in their order."""
    without = [name for name in names if name not in ranges]
    if without:
        raise ValueError(
            f"ranges has the minimum and the maximum of every variable; {without[0]!r} is not "
            f"there, only {', '.join(map(repr, ranges)) or 'nothing'}."
        )
    return {name: tuple(map(float, ranges[name])) for name in names}
