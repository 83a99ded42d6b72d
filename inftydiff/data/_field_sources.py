"""Arrays with named axes, from xarray, zarr, NetCDF or numpy, read when asked for."""

import importlib.util
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from inftydiff._extras import extra
from inftydiff.data._field_hdf5 import from_hdf5, is_hdf5
from inftydiff.data._field_variable import Variable, said, with_coordinates
from inftydiff.data._field_zarr import VALUES, from_node, from_store

__all__ = ["HDF5", "NETCDF", "open_variables", "refuse_address"]

NETCDF = (".cdf", ".h5", ".nc", ".nc4")
"""The endings of the names of NetCDF files, in capitals or not."""

HDF5 = (".hdf5", ".he5")
"""The endings of the names of other HDF5 files; what decides is how files begin."""

ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/")
"""The beginning of an address; a path object has one slash of the two."""


def open_variables(source: object) -> dict[str, Variable]:
    """The variables of a source, by name.

    Args:
        source: the path of a zarr store or of an array in it (folders), of a NetCDF or HDF5 file or
            of a ``.npy`` file; a Dataset or DataArray of xarray; a Group or Array of zarr; a numpy
            array, or a mapping from names to numpy arrays.

    Raises:
        ModuleNotFoundError: if a library that reads the file is not installed.
        TypeError: if the source is none of these.
        ValueError: if there is no such file, it is an address, or it cannot be read. A variable
            that cannot be read while others can says so when it is checked.

    Example:
        >>> open_variables({"t": np.zeros((4, 8, 16))})["t"].dims
        ('axis 0', 'axis 1', 'axis 2')
    """
    if isinstance(source, str | Path):
        refuse_address(source)
        return _open(Path(source))
    if isinstance(source, np.ndarray):
        return {VALUES: _unnamed(VALUES, source)}
    if isinstance(source, Mapping) and all(isinstance(a, np.ndarray) for a in source.values()):
        return {str(name): _unnamed(str(name), array) for name, array in source.items()}
    xarray, zarr = sys.modules.get("xarray"), sys.modules.get("zarr")
    if xarray is not None and isinstance(source, xarray.Dataset):
        return _from_xarray(source.variables, set(map(str, source.coords)))
    if xarray is not None and isinstance(source, xarray.DataArray):
        name = VALUES if source.name is None else str(source.name)
        return _from_xarray({name: source.variable}, set())
    if zarr is not None and isinstance(source, zarr.Group | zarr.Array):
        return from_node(source)
    raise TypeError(
        "Fields are read from a path, a Dataset or DataArray of xarray, a Group or Array of zarr, "
        f"a numpy array, or a mapping from names to numpy arrays; got {type(source).__name__}."
    )


def refuse_address(source: str | Path) -> None:
    """Refuse what is an address and no path.

    Raises:
        ValueError: if it begins as ``https://`` does, with whatever protocol.

    Example:
        >>> refuse_address("gs://bucket/era5.zarr")
        Traceback (most recent call last):
            ...
        ValueError: gs://bucket/era5.zarr is an address (gs), and nothing is fetched. Copy it to
        this machine and give its path, or open it with xarray and pass the Dataset.
    """
    text = str(source)
    address = ADDRESS.match(text)
    if address is not None and not os.path.exists(text):
        raise ValueError(
            f"{text} is an address ({address[1]}), and nothing is fetched. Copy it to this machine "
            "and give its path, or open it with xarray and pass the Dataset."
        )


def _open(path: Path) -> dict[str, Variable]:
    """The variables of a file or a folder."""
    suffix = path.suffix.lower()
    if not os.path.exists(path):
        raise ValueError(f"{path} does not exist. Check the path.")
    if not path.is_dir() and (suffix not in (*NETCDF, *HDF5, ".npy") or not path.is_file()):
        raise ValueError(
            f"Fields are read from a zarr store (a folder), and from files that end with "
            f"{', '.join(NETCDF + HDF5)} or .npy; got {path}."
        )
    try:
        if path.is_dir():
            return from_store(path)
        if suffix == ".npy":
            array = np.lib.format.open_memmap(path, mode="r")
            found = _unnamed(VALUES, array)
            return {VALUES: replace(found, place=str(path), file=(path, path.stat().st_size))}
        if is_hdf5(path):
            return from_hdf5(path)
        return _from_netcdf3(path)
    except ModuleNotFoundError:
        raise
    except Exception as error:  # damaged files raise anything
        raise ValueError(
            f"{path} cannot be read as fields: {said(error)}. Check that it is whole and of this "
            "kind."
        ) from error


def _from_netcdf3(path: Path) -> dict[str, Variable]:
    """The variables of a NetCDF file of the classic formats."""
    with path.open("rb") as file:
        if file.read(3) != b"CDF":
            raise ValueError("It begins neither as HDF5 nor as NetCDF")
    with extra("fields"):
        import xarray
    if importlib.util.find_spec("scipy") is None:
        raise ModuleNotFoundError(
            f"Reading the NetCDF 3 file {path} needs scipy, which is not installed: pip install "
            "scipy",
            name="scipy",
        )
    opened = xarray.open_dataset(path, engine="scipy", cache=False, decode_cf=False)
    found = _from_xarray(opened.variables, set(map(str, opened.coords)))
    length = path.stat().st_size
    return with_coordinates(
        {n: replace(v, place=str(path), file=(path, length)) for n, v in found.items()}
    )


def _from_xarray(variables: Mapping[Any, Any], coordinates: set[str]) -> dict[str, Variable]:
    return {
        str(name): Variable(
            str(name),
            tuple(map(str, variable.dims)),
            variable,
            place=str(variable.encoding.get("source", "")),
            attributes=variable.attrs,
            encoding=variable.encoding,
            coordinate=str(name) in coordinates,
        )
        for name, variable in variables.items()
    }


def _unnamed(name: str, array: Any) -> Variable:
    return Variable(name, tuple(f"axis {number}" for number in range(len(array.shape))), array)
