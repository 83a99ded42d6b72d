"""Packing, fills and valid ranges mean the same by every container and way, as xarray has it."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
import xarray
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from packed import CONTAINERS, Packed, packed, reference, ways, write

from inftydiff.data import field_array


def read(source: object, name: str = "t") -> np.ndarray:
    fields = field_array(source, name, ranges={name: (-1e6, 1e6)})
    return np.concatenate([fields.raw(index) for index in range(len(fields))])


@pytest.mark.filterwarnings("ignore:Consolidated metadata is:zarr.errors.ZarrUserWarning")
@pytest.mark.filterwarnings("ignore:variable 't' has multiple fill:xarray.SerializationWarning")
@settings(max_examples=settings().max_examples // 2)
@given(case=packed(), container=st.sampled_from(CONTAINERS))
def test_every_way_gives_what_xarray_gives(case: Packed, container: str):
    narrow = case.stored.dtype.str[1:] in ("u1", "u2", "i1")
    if container == "NetCDF 3" and (narrow or "_Unsigned" in case.attributes):
        container = "NetCDF 4"  # the classic format has no such numbers
    with tempfile.TemporaryDirectory() as folder:
        path = write(case, container, Path(folder))
        expected = reference(path)
        for way, source in ways(path, container).items():
            # where all fills are NaN, xarray scales float32 in float32, whatever the scale's type
            loose = 1e-6 if case.stored.dtype.kind == "f" else 0.0
            same = np.allclose(read(source), expected, rtol=loose, atol=loose, equal_nan=True)
            assert same, (way, container)


@pytest.mark.parametrize("version", [2, 3])
def test_a_neighbour_without_names_changes_nothing(tmp_path: Path, version: int):
    group = zarr.open_group(tmp_path / "x.zarr", mode="w", zarr_format=version)
    stored = np.array([[[-32768, 0, 3066, -1]]], np.int16)
    named = {"dimension_names": ("time", "lat", "lon")} if version == 3 else {}
    t2m = group.create_array("t2m", data=stored, **named)
    t2m.attrs.update({"scale_factor": 0.01, "add_offset": 280.0, "_FillValue": -32768})
    if version == 2:
        t2m.attrs["_ARRAY_DIMENSIONS"] = ["time", "lat", "lon"]
    group.create_array("bare", data=np.zeros(3))
    for source in (tmp_path / "x.zarr", tmp_path / "x.zarr" / "t2m", group, t2m):
        fields = field_array(source, "t2m", missing=285)
        assert fields.scale.ranges["t2m"] == pytest.approx((279.99, 310.66))
        expected = [[[np.nan, 280, 310.66, 279.99]]]
        assert np.allclose(fields.raw(0), expected, equal_nan=True)


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("dtype", ["i2", "u1", "f4", "f8", "bool"])
def test_the_fill_of_a_container_is_a_value(tmp_path: Path, version: int, dtype: str):
    values = np.array([[[0, 1], [1, 0]]], dtype)
    array = zarr.create_array(tmp_path / "x.zarr", data=values, zarr_format=version)
    assert array.fill_value == 0
    for source in (tmp_path / "x.zarr", array):
        assert np.array_equal(field_array(source).raw(0), values)


def test_parts_that_were_never_written_are_filled(tmp_path: Path):
    for fill, expected in ((0.0, 0.0), (np.nan, np.nan)):
        array = zarr.create_array(
            tmp_path / "x.zarr",
            shape=(2, 2, 2),
            chunks=(1, 2, 2),
            dtype="f8",
            fill_value=fill,
            overwrite=True,
        )
        array[0] = np.arange(4.0).reshape(2, 2)
        raw = field_array(tmp_path / "x.zarr", ranges={"values": (0, 3)}).raw(1)
        assert np.array_equal(raw, np.full((1, 2, 2), expected), equal_nan=True)


@pytest.mark.parametrize("unpacked", [False, True])
@pytest.mark.parametrize("key", ["valid_range", "valid_max"])
@pytest.mark.parametrize("kind", ["nc", "zarr"])
def test_values_outside_the_valid_range_are_missing(tmp_path: Path, unpacked, key, kind):
    scale = {"scale_factor": 0.1, "add_offset": 270.0}
    most = 310.1 if unpacked else np.int16(401)
    least = 260.0 if unpacked else np.int16(-100)
    limit = {key: most if key == "valid_max" else np.array([least, most])}
    stored = np.array([[[401, 402, -100, 9999]]], np.int16)
    data = xarray.Dataset({"t": (("time", "y", "x"), stored, scale | limit)})
    path = tmp_path / f"x.{kind}"
    data.to_netcdf(path) if kind == "nc" else data.to_zarr(path, consolidated=False)
    options = {} if kind == "nc" else {"engine": "zarr", "consolidated": False}
    for source in (path, xarray.open_dataset(path, **options), data):
        fields = field_array(source, missing=300)
        assert fields.scale.ranges["t"] == pytest.approx((260.0, 310.1))
        assert np.isnan(fields.raw(0)[0, 0]).tolist() == [False, True, False, True]


def test_unpacked_files_have_valid_ranges_too(tmp_path: Path):
    values = np.array([[[250.0, 9999.0], [300.5, -1.0]]], np.float32)
    said = {"valid_min": np.float32(0.0), "valid_max": np.float32(300.5)}
    xarray.Dataset({"t": (("time", "y", "x"), values, said)}).to_netcdf(tmp_path / "x.nc")
    fields = field_array(tmp_path / "x.nc", missing=275)
    assert fields.scale.ranges["t"] == (250.0, 300.5)
    with pytest.raises(ValueError, match=r"x\.nc: 't' of sample 0 \(time=0\) misses 2 of 4"):
        field_array(tmp_path / "x.nc")


def test_limits_of_unsigned_numbers_are_read_as_they_are(tmp_path: Path):
    stored = np.array([[[0, 100, -56, -1]]], np.int8)  # 0, 100, 200, 255
    said = {"_Unsigned": "true", "_FillValue": np.int8(-1), "valid_range": np.int8([50, -6])}
    xarray.Dataset({"t": (("time", "y", "x"), stored, said)}).to_netcdf(tmp_path / "x.nc")
    raw = field_array(tmp_path / "x.nc", missing=150).raw(0)
    assert np.array_equal(raw, [[[np.nan, 100, 200, np.nan]]], equal_nan=True)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (
            {"scale_factor": 0.0},
            "scale_factor of .*'t' is a finite number other than zero.*got 0.0",
        ),
        ({"scale_factor": float("nan")}, "scale_factor of .* is one finite number"),
        ({"scale_factor": "0.1"}, "scale_factor of .* is made of numbers.*got '0.1'"),
        ({"scale_factor": [0.1, 0.2]}, "is one finite number"),
        ({"add_offset": "K"}, "add_offset of .* is made of numbers"),
        ({"add_offset": float("inf")}, "is one finite number"),
        ({"_FillValue": "none"}, "_FillValue of .* is a number, by the CF conventions; got 'none'"),
        ({"missing_value": {"a": 1}}, "missing_value of .* is made of numbers"),
        ({"_Unsigned": "perhaps"}, "is 'true' or 'false'"),
        ({"valid_range": [0.0]}, "valid_range of .* is a minimum and a maximum"),
        ({"valid_range": [5, 1]}, "is a minimum not above its maximum"),
        (
            {"valid_min": 5, "valid_max": 1},
            "valid_max of .* is a limit that leaves values from 5 on.*got 1",
        ),
        ({"valid_min": "low"}, "is made of numbers"),
        ({"valid_max": float("nan")}, "is a minimum not above its maximum"),
    ],
)
@pytest.mark.parametrize("kind", ["zarr", "xarray"])
def test_attributes_that_mean_nothing_are_refused(tmp_path: Path, said, message, kind):
    array = zarr.create_array(tmp_path / "x.zarr", data=np.ones((2, 2, 2), np.int16))
    array.attrs.update(said)
    data = xarray.Dataset({"t": (("a", "b", "c"), np.ones((2, 2, 2), np.int16), said)})
    with pytest.raises(ValueError, match=message.replace("'t'", "'(t|values)'")):
        field_array(tmp_path / "x.zarr" if kind == "zarr" else data)
