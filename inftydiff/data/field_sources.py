"""Arrays with named axes, from xarray, zarr, NetCDF or numpy, read when asked for."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import numpy.typing as npt

from inftydiff.data._extras import extra

__all__ = ["NETCDF", "Variable", "open_variables"]

NETCDF = (".cdf", ".h5", ".nc", ".nc4")
"""What a NetCDF file's name must end with."""

VALUES = "values"
"""What an array without a name is called."""


@final
@dataclass(frozen=True)
class Variable:
    """An array that is read by integers and slices.

    Args:
        dims: the names of its axes.
        array: what is indexed, and gives a numpy array or what becomes one.
    """

    dims: tuple[str, ...]
    array: Any

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the axes."""
        return tuple(self.array.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the numbers."""
        return np.dtype(self.array.dtype)

    def read(self, index: tuple[int | slice, ...]) -> npt.NDArray[np.float64]:
        """A part of the array in float64, with NaN where the file says that a value is missing."""
        part = self.array[index]
        if isinstance(part, np.ma.MaskedArray):
            return np.ma.filled(part.astype(np.float64), np.nan)
        return np.asarray(part, dtype=np.float64)


def open_variables(source: object) -> dict[str, Variable]:
    """The variables of a source, by name.

    Args:
        source: the path of a zarr store (a folder), a NetCDF file or a ``.npy`` file; a Dataset or
            DataArray of xarray; a Group or Array of zarr; a numpy array, or a mapping from names
            to numpy arrays.

    Raises:
        ModuleNotFoundError: if a library that reads the file is not installed.
        TypeError: if the source is none of these.
        ValueError: if there is no such file, or it cannot be read.

    Example:
        >>> open_variables({"t": np.zeros((4, 8, 16))})["t"].dims
        ('axis 0', 'axis 1', 'axis 2')
    """
    if isinstance(source, str | Path):
        return _open(Path(source))
    if isinstance(source, np.ndarray):
        return {VALUES: _unnamed(source)}
    if isinstance(source, Mapping) and all(isinstance(a, np.ndarray) for a in source.values()):
        return {str(name): _unnamed(array) for name, array in source.items()}
    xarray, zarr = sys.modules.get("xarray"), sys.modules.get("zarr")
    if xarray is not None and isinstance(source, xarray.Dataset):
        return _from_xarray(source)
    if xarray is not None and isinstance(source, xarray.DataArray):
        name = VALUES if source.name is None else str(source.name)
        return {name: Variable(tuple(map(str, source.dims)), source.variable)}
    if zarr is not None and isinstance(source, zarr.Group | zarr.Array):
        return _from_zarr(source)
    raise TypeError(
        "Fields are read from a path, a Dataset or DataArray of xarray, a Group or Array of zarr, "
        f"a numpy array, or a mapping from names to numpy arrays; got {type(source).__name__}."
    )


def _open(path: Path) -> dict[str, Variable]:
    """The variables of a file or a folder."""
    if not path.exists():
        raise ValueError(f"{path} does not exist.")
    try:
        if path.is_dir():
            return _open_zarr(path)
        if path.suffix in NETCDF:
            with extra("fields"):
                import xarray
            # times are not needed, and strange calendars cannot be decoded without more libraries
            return _from_xarray(xarray.open_dataset(path, cache=False, decode_times=False))
        if path.suffix == ".npy":
            return {VALUES: _unnamed(np.lib.format.open_memmap(path, mode="r"))}
    except ModuleNotFoundError:
        raise
    except Exception as error:  # damaged files raise anything
        raise ValueError(f"{path} cannot be read as fields: {error}") from error
    raise ValueError(
        f"Fields are read from a zarr store (a folder), from {', '.join(NETCDF)} or from .npy; got "
        f"{path}."
    )


def _open_zarr(path: Path) -> dict[str, Variable]:
    """The variables of a zarr store; xarray undoes their packing where all axes have names."""
    with extra("fields"):
        import xarray
        import zarr

    node = zarr.open(path, mode="r")
    raw = _from_zarr(node)
    named = all(not name.startswith("axis ") for array in raw.values() for name in array.dims)
    if isinstance(node, zarr.Array) or not named:
        return raw
    return _from_xarray(
        xarray.open_dataset(
            path, engine="zarr", cache=False, chunks=None, consolidated=False, decode_times=False
        )
    )


def _from_xarray(dataset: Any) -> dict[str, Variable]:
    return {
        str(name): Variable(tuple(map(str, array.dims)), array.variable)
        for name, array in dataset.data_vars.items()
    }


def _from_zarr(node: Any) -> dict[str, Variable]:
    import zarr

    if isinstance(node, zarr.Array):
        return {node.basename or VALUES: _zarr_array(node)}
    return {name: _zarr_array(array) for name, array in node.arrays()}


def _zarr_array(array: Any) -> Variable:
    """An array of zarr; version 2 keeps the names of the axes among its attributes."""
    names = array.attrs.get("_ARRAY_DIMENSIONS")
    if array.metadata.zarr_format == 3:
        names = array.metadata.dimension_names
    if names is None or None in names:
        return _unnamed(array)
    return Variable(tuple(names), array)


def _unnamed(array: Any) -> Variable:
    return Variable(tuple(f"axis {number}" for number in range(len(array.shape))), array)
