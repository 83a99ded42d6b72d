"""``field_array`` gives the same fields from every source, scaled so that it can be undone."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
import zarr
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader
from weather import dataset, gaps, weather

from inftydiff.data import FieldScale, field_array


def sources(folder: Path) -> dict[str, object]:
    """The same fields as every kind of source that holds several."""
    dataset().to_netcdf(folder / "x.nc", engine="h5netcdf")
    for version in (2, 3):
        dataset().to_zarr(folder / f"v{version}.zarr", zarr_format=version, consolidated=False)
    group = zarr.open_group(folder / "unnamed.zarr", mode="w")
    for name, array in weather().items():
        group.create_array(name, data=array, chunks=(1, 1, 4, 3))
    return {
        "arrays": weather(),
        "xarray": dataset(),
        "group": group,
        "NetCDF": folder / "x.nc",
        "zarr 2": folder / "v2.zarr",
        "zarr 3": str(folder / "v3.zarr"),
        "zarr without names": folder / "unnamed.zarr",
    }


def test_sources_agree(tmp_path: Path):
    values = weather()
    expected = np.stack([values["u"], values["t"]], 2).reshape(6, 2, 4, 5)
    for kind, source in sources(tmp_path).items():
        fields = field_array(source, ["u", "t"])
        assert (len(fields), fields.shape) == (6, (2, 4, 5)), kind
        assert fields.names == ("u", "t")
        raw = np.stack([fields.raw(index) for index in range(6)])
        assert np.array_equal(raw, expected), kind
        x = torch.stack(list(fields))
        assert x.dtype == torch.float32
        assert x.amin((0, 2, 3)).tolist() == [-1, -1]
        assert x.amax((0, 2, 3)).tolist() == [1, 1]
        loader = DataLoader(fields, batch_size=4, num_workers=2)
        assert torch.equal(torch.cat(list(loader)), x), kind
        assert torch.equal(pickle.loads(pickle.dumps(fields))[5], x[5]), kind


def test_single_arrays_are_read(tmp_path: Path):
    values = weather()["t"]
    np.save(tmp_path / "x.npy", values)
    stored = zarr.create_array(tmp_path / "x.zarr", data=values)
    for source in (
        values,
        tmp_path / "x.npy",
        stored,
        tmp_path / "x.zarr",
        dataset().t,
        dataset().t.rename(None),
        np.ma.masked_array(values),
    ):
        fields = field_array(source)
        assert np.array_equal(fields.raw(4)[0], values[2, 0])


def test_a_single_field_is_one_sample():
    fields = field_array(weather()["t"][0, 0])
    assert len(fields) == 1
    assert fields.where(0) == {}
    assert fields[0].shape == (1, 4, 5)


@pytest.mark.parametrize("axes", [("lat", "lon"), ("lon", "lat"), ("time", "lon"), (-1, 0)])
def test_axes_are_chosen_by_name_or_number(axes):
    t = dataset().t
    fields = field_array(dataset(), "t", axes=axes)
    assert fields.axes == tuple(a if isinstance(a, str) else t.dims[a] for a in axes)
    for index in range(len(fields)):
        part = t.isel(fields.where(index)).transpose(*fields.axes)
        assert np.array_equal(fields.raw(index)[0], part)


def test_a_path_is_pickled_without_its_data(tmp_path: Path):
    zarr.create_array(tmp_path / "x.zarr", data=np.zeros((4, 64, 64)))
    fields = field_array(tmp_path / "x.zarr", ranges={"values": (-1, 1), "x": (-1, 1)})
    assert len(pickle.dumps(fields)) < 2000


@given(
    low=st.floats(-1e6, 1e6),
    width=st.floats(1e-3, 1e6),
    values=st.lists(st.floats(-1, 1), min_size=1, max_size=5),
)
def test_the_scale_is_undone(low: float, width: float, values: list[float]):
    scale = FieldScale({"a": (low, low + width), "b": (0.0, 1.0)})
    x = torch.tensor(values, dtype=torch.float64).expand(2, 1, -1)
    physical = scale.undo(x)
    assert torch.allclose(scale(physical), x, atol=1e-8 * (1 + abs(low) / width), rtol=0)
    assert torch.allclose(physical[0], low + width * (x[0] + 1) / 2)
    again = FieldScale(json.loads(json.dumps(scale.ranges)))
    assert torch.equal(again.undo(x), physical)


def test_stated_ranges_are_those_of_other_data_too():
    train = field_array(dataset().isel(time=[0, 1]), ["t", "u"])
    ranges = {"u": (-90.0, 90.0), "t": (200, 350)}
    fields = field_array(dataset(), ["t", "u"], ranges=ranges)
    assert list(fields.scale.ranges) == ["t", "u"]
    assert torch.allclose(
        fields.scale.undo(fields[3].double()), torch.from_numpy(fields.raw(3)), atol=1e-4
    )
    same = field_array(dataset().isel(time=[1]), ["t", "u"], ranges=train.scale.ranges)
    assert torch.equal(same[0], train[2])


@pytest.mark.parametrize("missing", [275.0, {"t": 275}])
def test_missing_values_can_be_declared(missing):
    fields = field_array(gaps(), "t", missing=missing)
    low, high = fields.scale.ranges["t"]
    assert (low, high) == (float(gaps().t.min()), float(gaps().t.max()))
    assert fields.scale.undo(fields[1].double())[0, 2, 3].item() == pytest.approx(275, abs=1e-4)
    assert np.isnan(fields.raw(1)[0, 2, 3])
    with pytest.raises(ValueError, match="lies in the variable's range; got 0.0"):
        field_array(gaps(), "t", missing=0)


def test_packed_and_fill_values_are_undone(tmp_path: Path):
    encoding = {"t": {"dtype": "i2", "scale_factor": 0.01, "add_offset": 275, "_FillValue": -999}}
    gaps().to_netcdf(tmp_path / "x.nc", engine="h5netcdf", encoding=encoding)
    gaps().to_zarr(tmp_path / "x.zarr", encoding=encoding, consolidated=False)
    for name in ("x.nc", "x.zarr"):
        raw = field_array(tmp_path / name, "t", missing=275).raw(1)[0]
        assert np.allclose(raw, gaps().t[1], atol=0.006, equal_nan=True)
        assert np.isnan(raw[2, 3])


def test_masked_values_are_missing():
    values = np.ma.masked_greater(np.arange(8.0).reshape(2, 2, 2), 6)
    with pytest.raises(ValueError, match="misses 1 of 4"):
        field_array(values)
    assert field_array(values, missing=0)[1][0, 1, 1] == -1


def test_whole_numbers_and_truth_values_are_fields():
    land = np.array([[True, False]])
    assert field_array(land)[0].tolist() == [[[1.0, -1.0]]]
    assert field_array(np.array([[3, 7, 5]]))[0].tolist() == [[[-1.0, 1.0, 0.0]]]
