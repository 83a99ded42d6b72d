"""Packed variables as files have them, and every way to reach them, for tests of fields."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray
import zarr
from hypothesis import strategies as st

__all__ = ["CONTAINERS", "Packed", "packed", "reference", "ways", "write"]

CONTAINERS = ("zarr 2", "zarr 3", "zarr 3 consolidated", "NetCDF 3", "NetCDF 4")
DIMS = ("time", "lat", "lon")
OPTIONS: dict[str, dict[str, Any]] = {
    ".nc": {},
    ".zarr": {"engine": "zarr", "consolidated": False},
}
"""How xarray opens a file or a store."""


@dataclass(frozen=True)
class Packed:
    """Stored numbers of shape (3, 2, 4), and what the attributes say of them."""

    stored: np.ndarray
    attributes: dict[str, Any]


@st.composite
def packed(draw: st.DrawFn) -> Packed:
    """Small numbers of any type, with packing, fills and valid ranges that are there or not."""
    dtype = np.dtype(draw(st.sampled_from(["i1", "u1", "i2", "u2", "i4", "f4", "f8"])))
    least = 0 if dtype.kind == "u" else -60
    numbers = draw(st.lists(st.integers(least, 60), min_size=24, max_size=24))
    stored = np.array(numbers, dtype).reshape(3, 2, 4)
    said: dict[str, Any] = {}
    number = st.integers(least, 60).map(dtype.type)
    if draw(st.booleans()):
        said["_FillValue"] = draw(number)
    if draw(st.booleans()):
        said["missing_value"] = draw(number)
    floating = draw(st.sampled_from([np.float32, np.float64]))
    if draw(st.booleans()):
        said["scale_factor"] = floating(draw(st.sampled_from([0.01, -0.25, 3.0])))
    if draw(st.booleans()):
        said["add_offset"] = floating(draw(st.sampled_from([280.0, -0.1])))
    if draw(st.booleans()):
        said["valid_range"] = np.sort(np.array([draw(number), draw(number)]))
    elif draw(st.booleans()):
        said[draw(st.sampled_from(["valid_min", "valid_max"]))] = draw(number)
    if dtype.kind == "i" and dtype.itemsize < 4 and draw(st.booleans()):
        said = {k: v for k, v in said.items() if not k.startswith("valid")}
        said["_Unsigned"] = draw(st.sampled_from(["true", "false"]))
    return Packed(stored, said)


def write(case: Packed, container: str, folder: Path) -> Path:
    """A file or a store with the variable ``t``."""
    data = xarray.Dataset({"t": (DIMS, case.stored, case.attributes)})
    if container.startswith("zarr"):
        path = folder / "x.zarr"
        version = 2 if container == "zarr 2" else 3
        data.to_zarr(path, zarr_format=version, consolidated=False)
        return path
    path = folder / "x.nc"
    engine = "scipy" if container == "NetCDF 3" else "h5netcdf"
    data.to_netcdf(path, engine=engine)
    return path


def beside(container: str, path: Path) -> None:
    """Put a variable whose axes have no names into a file or a store."""
    bare = np.arange(-9, 0)
    if container.startswith("zarr"):
        zarr.open_group(path, mode="a").create_array("bare", data=bare, chunks=(4,))
        if container.endswith("consolidated"):
            zarr.consolidate_metadata(path)
    elif container == "NetCDF 4":
        with h5py.File(path, "a") as file:
            file.create_dataset("bare", data=bare)


def reference(path: Path) -> xarray.Dataset:
    """The same by xarray, with packing and fills undone and, apart from that, valid ranges."""
    options = OPTIONS[path.suffix]
    with xarray.open_dataset(path, mask_and_scale=False, **options) as opened:
        stored = opened.t.load()
    with xarray.open_dataset(path, **options) as opened:
        values = opened.t.load()
    low, high = stored.attrs.get("valid_range", (-np.inf, np.inf))
    low = stored.attrs.get("valid_min", low)
    high = stored.attrs.get("valid_max", high)
    return values.astype(np.float64).where((stored >= low) & (stored <= high))


def ways(path: Path, container: str) -> dict[str, object]:
    """Every source that reaches the variable ``t`` of a file, beside one without names of axes."""
    options = OPTIONS[path.suffix]
    decoded = xarray.load_dataset(path, **options)
    raw = xarray.load_dataset(path, mask_and_scale=False, **options)
    found: dict[str, object] = {
        "path": path,
        "text": str(path),
        "Dataset": decoded,
        "DataArray": decoded.t,
        "Dataset as stored": raw,
    }
    beside(container, path)
    if path.suffix == ".zarr":
        group = zarr.open_group(path, mode="r")
        found |= {"array's path": path / "t", "Group": group, "Array": group["t"]}
    return found
