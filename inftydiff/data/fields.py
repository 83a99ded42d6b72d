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

from inftydiff._typing import (
    Real,
    an_index,
    choice,
)
from inftydiff.data._field_arguments import (
    check_sizes,
    check_stored,
    chosen,
    positions,
    sizes,
    stand_ins,
    stated,
)
from inftydiff.data._field_sources import open_variables
from inftydiff.data._field_variable import Variable, said
from inftydiff.data.field_scale import FieldScale
from inftydiff.data.unreadable import UnreadableSample

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
        choice(outside, ("raise", "clip"), "outside")
        self.source = source
        self.outside = outside
        found = open_variables(source)
        self.names = chosen(variables, found)
        self._variables = {name: found[name] for name in self.names}
        self._process = os.getpid()
        self._places = {name: variable.place for name, variable in self._variables.items()}
        for variable in self._variables.values():
            variable.check()
        first, *others = self._variables.values()
        rows, columns = positions(first, axes)
        self._positions = rows, columns
        dims, shape = first.dims, first.shape
        self._whole = shape
        self.axes = dims[rows], dims[columns]
        for other in others:
            if (other.dims, other.shape) != (dims, shape):
                raise ValueError(
                    f"The variables of a set have the same axes: {first.name!r} has "
                    f"{sizes(first)}, {other.name!r} has {sizes(other)}. Select or average first."
                )
        self.samples = {
            dims[axis]: shape[axis] for axis in range(len(dims)) if axis not in self._positions
        }
        self.shape = len(self.names), shape[rows], shape[columns]
        check_sizes(first, math.prod(self.samples.values()), shape[rows] * shape[columns])
        self.missing = stand_ins(missing, self.names)
        self._gaps: set[str] = set()
        if ranges is None:
            extremes = self._extremes()
            try:
                self.scale = FieldScale(extremes)
            except ValueError as error:
                places = ", ".join(sorted(set(self._places.values())))
                said = str(error).removesuffix(".")
                raise ValueError(f"{said}. Give ranges= for the fields of {places}.") from error
            at_once = self._gaps
        else:
            self.scale = FieldScale(stated(ranges, self.names))
            at_once = set(missing) if isinstance(missing, Mapping) else set()
            if self.missing and not any(self._fits(name) for name in self.missing):
                at_once = set(self.missing)
        for name in self.names:
            if name in at_once and not self._fits(name):
                raise ValueError(self._does_not_fit(name))

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
            TypeError: if the index is no whole number.
            UnreadableSample: if it cannot be read, or values are infinite, missing without having
                been declared so, or outside the ranges.
        """
        values = self._checked(index)
        for name, value in self.missing.items():
            channel = values[self.names.index(name)]
            absent = np.isnan(channel)
            if absent.any() and not self._fits(name):
                raise UnreadableSample(f"{self._at(index, name)}: {self._does_not_fit(name)}")
            channel[absent] = value
        scaled = self.scale(torch.from_numpy(values))
        if self.outside == "clip":
            return scaled.clamp_(-1.0, 1.0).float()
        for name, channel, raw in zip(self.names, scaled, values, strict=True):
            if not bool((channel.abs() <= 1.0).all()):
                low, high = self.scale.ranges[name]
                raise UnreadableSample(
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
            TypeError: if the index is no whole number.
            UnreadableSample: if it cannot be read.
        """
        rows, columns = self._positions
        at = iter(self.where(index).values())
        position = tuple(
            slice(None) if axis in self._positions else next(at)
            for axis in range(len(self.samples) + 2)
        )
        parts: list[ndarray] = []
        try:
            for variable in self._opened().values():
                parts.append(variable.read(position))
        except Exception as error:  # damaged files raise anything
            raise UnreadableSample(
                f"{self._at(index, self.names[len(parts) % len(self.names)])} cannot be read: "
                f"{said(error)}. Repair the file, or get it anew."
            ) from error
        values = np.stack(parts)
        return values if rows < columns else values.swapaxes(1, 2)

    def where(self, index: int) -> dict[str, int]:
        """The position of a sample along each axis that is neither of rows nor of columns.

        Raises:
            IndexError: if there is no such sample.
            TypeError: if the index is no whole number.
        """
        place = an_index(index, len(self), "samples")
        at = np.unravel_index(place, tuple(self.samples.values())) if self.samples else ()
        return {name: int(place) for name, place in zip(self.samples, at, strict=True)}

    def _opened(self) -> dict[str, Variable]:
        """The variables, opened by this process: handles of HDF5 must not be shared by a fork."""
        if self._variables is None or (
            self._process != os.getpid() and isinstance(self.source, str | Path)
        ):
            found = open_variables(self.source)
            opened = {name: found[name] for name in self.names if name in found}
            for variable in opened.values():
                variable.check()
            if {name: v.shape for name, v in opened.items()} != dict.fromkeys(
                self.names, self._whole
            ):
                raise ValueError("it has other variables or shapes than when it was opened first")
            self._variables = opened
            self._process = os.getpid()
        return self._variables

    def _checked(self, index: int) -> Float[ndarray, "c h w"]:
        """One sample in the variables' units, with no NaN that is not declared, and no infinity."""
        values = self.raw(index)
        for name, channel in zip(self.names, values, strict=True):
            if np.isinf(channel).any():
                raise UnreadableSample(
                    f"{self._at(index, name)} has infinite values. Repair it first."
                )
            absent = int(np.isnan(channel).sum())
            if absent:
                self._gaps.add(name)
            if absent and name not in self.missing:
                raise UnreadableSample(
                    f"{self._at(index, name)} misses {absent} of {channel.size} values. Say by "
                    "missing= what stands for them, or fill them first."
                )
        return values

    def _extremes(self) -> dict[str, Sequence[Real]]:
        """The least and the greatest value of each variable, missing ones left out."""
        for variable in self._variables.values():
            check_stored(variable)
        low, high = np.full(len(self.names), np.inf), np.full(len(self.names), -np.inf)
        for index in range(len(self)):
            values = self._checked(index).reshape(len(self.names), -1)
            low = np.fmin(low, np.fmin.reduce(values, axis=1))
            high = np.fmax(high, np.fmax.reduce(values, axis=1))
        for name, least in zip(self.names, low, strict=True):
            if not np.isfinite(least):
                raise ValueError(
                    f"Every value of {name!r} is missing. Check its fill values and its valid "
                    "range, or leave it out."
                )
        return dict(zip(self.names, zip(low.tolist(), high.tolist(), strict=True), strict=True))

    def _at(self, index: int, name: str) -> str:
        """What to call one variable of a sample in messages."""
        at = ", ".join(f"{axis}={place}" for axis, place in self.where(index).items())
        place = self._places[name]
        file = f"{place}: " if place else ""
        return f"{file}{name!r} of sample {index % len(self)}{f' ({at})' if at else ''}"

    def _fits(self, name: str) -> bool:
        """Say whether what stands for the missing values of a variable lies in its range."""
        low, high = self.scale.ranges[name]
        return name not in self.missing or bool(low <= self.missing[name] <= high)

    def _does_not_fit(self, name: str) -> str:
        low, high = self.scale.ranges[name]
        return (
            f"What stands for missing values lies in the variable's range; got "
            f"{self.missing[name]} for {name!r} in [{low}, {high}]. Take another value, or state "
            "ranges."
        )


def field_array(
    source: object,
    variables: str | Sequence[str] | None = None,
    *,
    axes: tuple[str | int, str | int] = (-2, -1),
    ranges: Mapping[str, Sequence[Real]] | None = None,
    missing: Real | Mapping[str, Real] | None = None,
    outside: Literal["raise", "clip"] = "raise",
) -> Fields:
    r"""Variables on a rectangular grid as a dataset, from xarray, zarr, NetCDF, HDF5 or numpy.

    Each variable is a channel, two of the axes are rows and columns, and every position along the
    other axes (times, levels, members) is a sample. Only what is asked for is read. The attributes
    of each variable decide what its numbers mean, by the CF and netCDF conventions, whatever way
    it is reached: ``scale_factor``, ``add_offset`` and ``_Unsigned`` are undone; ``_FillValue``,
    ``missing_value`` and what lies outside ``valid_min``, ``valid_max`` or ``valid_range`` are
    missing. The fill that a container has of its own is a value.

    Args:
        source: the path of a zarr store or of an array in it (folders), of a NetCDF or HDF5 file or
            of a ``.npy`` file; a Dataset or DataArray of xarray; a Group or Array of zarr; a numpy
            array, or a mapping from names to numpy arrays. Paths suit the workers of a
            ``DataLoader`` best: each opens the file for itself. Nothing is read from other files
            that a file names.
        variables: the names of the variables, one a channel, with ``/`` between groups; by default
            the only one there is that is no coordinate.
        axes: the names or the numbers of the axes of rows and columns.
        ranges: the minimum and the maximum of each variable, in its unit, which become −1 and 1;
            by default those of the data, which takes reading all of them once. They are kept in
            ``.scale``: give ``ranges=train.scale.ranges`` to held-out data, and
            ``train.scale.undo(samples)`` has the units again.
        missing: what stands for missing values, in the variable's unit: a number for all
            variables, or one for each that may miss some. It lies in the range of each variable
            that misses some. By default they are refused.
        outside: ``"raise"`` refuses values outside the ranges, ``"clip"`` moves them to the ends.

    Raises:
        ModuleNotFoundError: if the ``fields`` extra is not installed and is needed.
        TypeError: if the source is none of these, a variable is not of real numbers, or an argument
            is of another kind.
        UnreadableSample: where the ranges are those of the data: if a sample cannot be read, or
            misses values that are not declared. It is a ``ValueError``.
        ValueError: if the file is an address, or cannot be read; if there is no such variable or
            axis, or several variables and none is named; if the numbers lie in other files, or
            what is claimed is beyond bounds; if attributes contradict the conventions; if the
            variables' axes differ; or if a range or a value for missing ones is not admissible.

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
