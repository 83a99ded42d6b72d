"""Groups and coordinates are reached by name, what is not there is named, addresses are refused."""

from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray
import zarr

from inftydiff.cli import main
from inftydiff.cli.field_source import FieldSource
from inftydiff.data import field_array

DIMS = ("time", "y", "x")
VALUES = np.arange(12.0).reshape(2, 2, 3)


def grouped(folder: Path, kind: str) -> Path:
    """A file with a variable in a group of a group, and a coordinate of another at the root."""
    root = xarray.Dataset(
        {"u": (DIMS, -VALUES, {"coordinates": "height"}), "height": (DIMS, 2 * VALUES)}
    ).assign_coords(time=("time", [3, 5]))
    inner = xarray.Dataset({"t2m": (DIMS, VALUES)})
    path = folder / f"x.{kind}"
    if kind == "zarr":
        root.to_zarr(path, consolidated=False)
        inner.to_zarr(path, group="day/air", mode="a", consolidated=False)
    else:
        root.to_netcdf(path, engine="h5netcdf")
        inner.to_netcdf(path, group="day/air", mode="a", engine="h5netcdf")
    return path


@pytest.mark.parametrize("kind", ["nc", "zarr"])
def test_groups_and_coordinates_are_reached(tmp_path: Path, kind: str):
    path = grouped(tmp_path, kind)
    for name, values in (("day/air/t2m", VALUES), ("/u", -VALUES), ("height", 2 * VALUES)):
        fields = field_array(path, name)
        assert fields.names == (name.strip("/"),)
        assert fields.axes == ("y", "x")
        assert np.array_equal(fields.raw(1)[0], values[1])
    with pytest.raises(ValueError, match="there are 'u', 'day/air/t2m', 'height' .a coordinate"):
        field_array(path)
    with pytest.raises(ValueError, match=r"got 't2m'; there are .* Is 'day/air/t2m' meant\?"):
        field_array(path, "t2m")
    with pytest.raises(ValueError, match=r"got 'hieght'.* Is 'height' meant\?"):
        field_array(path, ["u", "hieght"])


def test_a_dataset_of_xarray_has_its_coordinates_too():
    data = xarray.Dataset({"u": (DIMS, VALUES)}, {"height": (DIMS, 2 * VALUES)})
    assert np.array_equal(field_array(data, "height").raw(0)[0], 2 * VALUES[0])
    assert field_array(data).names == ("u",)


def test_the_only_variable_may_lie_in_a_group(tmp_path: Path):
    xarray.Dataset({"t": (DIMS, VALUES)}).to_netcdf(tmp_path / "x.nc", group="a")
    assert np.array_equal(field_array(tmp_path / "x.nc").raw(0)[0], VALUES[0])


@pytest.mark.parametrize("suffix", [".NC", ".Nc4", ".hdf5", ".HDF5", ".he5", ".H5", ".CDF"])
def test_suffixes_are_taken_in_any_case(tmp_path: Path, suffix: str):
    with h5py.File(tmp_path / f"x{suffix}", "w") as file:
        file["temperaturé"] = VALUES
    path = tmp_path / f"x{suffix}"
    assert FieldSource.holds(path)
    assert np.array_equal(field_array(path, "temperaturé").raw(1)[0], VALUES[1])


def test_the_name_decides_nothing_but_whether_a_file_is_looked_at(tmp_path: Path):
    data = xarray.Dataset({"t": (DIMS, VALUES)})
    data.to_netcdf(tmp_path / "classic.H5", engine="scipy")
    assert np.array_equal(field_array(tmp_path / "classic.H5").raw(1)[0], VALUES[1])
    np.save(tmp_path / "x.NPY.npy", VALUES)
    (tmp_path / "x.NPY.npy").rename(tmp_path / "x.NPY")
    assert np.array_equal(field_array(tmp_path / "x.NPY").raw(1)[0], VALUES[1])
    assert FieldSource.holds(zarr.create_array(tmp_path / "x.ZARR", data=VALUES).store.root)


@pytest.mark.parametrize(
    "address", ["gs://b/x.zarr", "s3://b/x.nc", "https://a.b/x.nc", "file:///x"]
)
def test_addresses_are_refused_by_what_they_are(address: str, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for source in (address, Path(address)):
        with pytest.raises(ValueError, match=r"is an address \(.*nothing is fetched. Copy it"):
            field_array(source)
    assert main(["train", address]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"{address} is an address" in said
    assert not (tmp_path / "run").exists()


def test_missing_values_are_checked_where_some_are_missing(tmp_path: Path):
    gap = VALUES + 280.0
    gap[1, 0, 0] = np.nan
    data = xarray.Dataset({"t": (DIMS, gap), "u": (DIMS, VALUES)})
    fields = field_array(data, ["t", "u"], missing=285)
    assert fields.scale.undo(fields[1].double())[0, 0, 0].item() == pytest.approx(285)
    assert fields.scale.ranges["u"] == (0.0, 11.0)
    for missing in (5, {"t": 5}):
        with pytest.raises(ValueError, match="lies in the variable's range; got 5.0 for 't'"):
            field_array(data, ["t", "u"], missing=missing)
    ranges = {"t": (270.0, 300.0), "u": (-9.0, 20.0)}
    assert field_array(data, ["t", "u"], missing=285, ranges=ranges)[1].shape == (2, 2, 3)
    late = field_array(data, ["t", "u"], missing=5, ranges=ranges)
    assert late[0].shape == (2, 2, 3)
    with pytest.raises(ValueError, match=r"'t' of sample 1 .*got 5.0 for 't' in \[270.0, 300.0\]"):
        late[1]
    with pytest.raises(ValueError, match="got 999.0 for 't'"):
        field_array(data, ["t", "u"], missing=999, ranges=ranges)
