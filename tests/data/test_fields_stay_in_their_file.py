"""A file of fields makes no other file be read, and no more memory be taken than it has."""

import os
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray
import zarr

from inftydiff.cli import main
from inftydiff.data import field_array

VALUES = np.arange(16.0).reshape(2, 2, 4)
DIMS = ("time", "y", "x")


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """An HDF5 file with every way to point at others, and one good variable."""
    (tmp_path / "secret").write_bytes(VALUES.tobytes())
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["t"] = VALUES
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["good"] = VALUES
        outside = [(str(tmp_path / "secret"), 0, VALUES.nbytes)]
        file.create_dataset("external", VALUES.shape, "f8", external=outside)
        file["linked"] = h5py.ExternalLink("other.h5", "/t")
        file["group"] = h5py.ExternalLink("other.h5", "/")
        file["soft"] = h5py.SoftLink("/group/t")
        file["alias"] = h5py.SoftLink("/good")
        file["round"] = h5py.SoftLink("/round")
        file["nowhere"] = h5py.SoftLink("/no/such")
        file["loop"] = file["/"]
        for name, source in (
            ("virtual", ("other.h5", "t")),
            ("twice", (".", "external")),
            ("through", (".", "/group/t")),
            ("whole", (".", "good")),
        ):
            layout = h5py.VirtualLayout(VALUES.shape, "f8")
            layout[:] = h5py.VirtualSource(*source, shape=VALUES.shape)
            file.create_virtual_dataset(name, layout)
    return tmp_path / "x.h5"


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("external", "secret"),
        ("linked", "other.h5"),
        ("group", "other.h5"),
        ("soft", "other.h5"),
        ("virtual", "other.h5"),
        ("twice", "secret"),
        ("through", "other.h5"),
    ],
)
def test_other_files_are_not_read(hostile: Path, name: str, file: str, capsys):
    with pytest.raises(ValueError, match=rf"from no other; '{name}' of .*x\.h5 .*'.*{file}'"):
        field_array(hostile, name)
    assert main(["train", str(hostile), "--variables", name]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert file in said


@pytest.mark.parametrize("name", ["good", "alias", "whole"])
def test_what_lies_in_the_file_is_read(hostile: Path, name: str):
    assert np.array_equal(field_array(hostile, name).raw(1)[0], VALUES[1])


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("what", ["chunk", "array", "pipe"])
def test_links_out_of_a_store_are_not_followed(tmp_path: Path, version: int, what: str):
    for name in ("x.zarr", "other.zarr"):
        group = zarr.open_group(tmp_path / name, mode="w", zarr_format=version)
        group.create_array("t", data=VALUES, chunks=(1, 2, 4))
    array, other = tmp_path / "x.zarr" / "t", tmp_path / "other.zarr" / "t"
    if what == "array":
        (tmp_path / "x.zarr" / "u").symlink_to(other)
        with pytest.raises(ValueError, match=r"'u' cannot be read: .* is a link to .*other\.zarr"):
            field_array(tmp_path / "x.zarr", "u")
        with pytest.raises(ValueError, match=r"is a link to .*other\.zarr"):
            field_array(zarr.open_group(tmp_path / "x.zarr", mode="r"), "u")
        return
    key = "1.0.0" if version == 2 else "c/1/0/0"
    (array / key).unlink()
    if what == "chunk":
        (array / key).symlink_to(other / key)
    else:
        os.mkfifo(array / key)
    fields = field_array(tmp_path / "x.zarr", "t", ranges={"t": (0, 15)})
    assert fields[0].shape == (1, 2, 4)
    message = "is a link to .*out of the store" if what == "chunk" else "is no regular file"
    with pytest.raises(
        ValueError, match=rf"x\.zarr: 't' of sample 1 .* cannot be read: .*{message}"
    ):
        fields[1]


def test_links_within_a_store_are_followed_and_loops_end(tmp_path: Path):
    group = zarr.open_group(tmp_path / "x.zarr", mode="w")
    group.create_array("t", data=VALUES, chunks=(1, 2, 4))
    (tmp_path / "x.zarr" / "u").symlink_to(tmp_path / "x.zarr" / "t")
    (tmp_path / "x.zarr" / "again").symlink_to(tmp_path / "x.zarr")
    assert np.array_equal(field_array(tmp_path / "x.zarr", "u").raw(1)[0], VALUES[1])


def huge(folder: Path, kind: str, shape: tuple[int, ...], chunks: tuple[int, ...]) -> Path:
    """A small file that claims to hold a large variable."""
    path = folder / f"x.{kind}"
    if kind == "zarr":
        zarr.create_array(path, shape=shape, chunks=chunks, dtype="f4", dimension_names=DIMS)
    else:
        with h5py.File(path, "w") as file:
            file.create_dataset("values", shape, "f4", chunks=chunks, maxshape=(None,) * 3)
    return path


@pytest.mark.parametrize("kind", ["zarr", "h5"])
def test_what_is_claimed_and_not_kept_is_not_read(tmp_path: Path, kind: str):
    path = huge(tmp_path, kind, (10**9, 4, 4), (10, 4, 4))
    with pytest.raises(ValueError, match="claims 64000000000 bytes, of which .* are kept"):
        field_array(path)
    fields = field_array(path, ranges={"values": (0, 1)})
    assert len(fields) == 10**9
    assert fields[10**9 - 1].eq(-1).all()


@pytest.mark.parametrize("kind", ["zarr", "h5"])
@pytest.mark.parametrize(
    ("shape", "chunks", "message"),
    [
        ((10**12, 4, 4), (10, 4, 4), "has 1000000000000 of 16. Check its axes"),
        ((2, 10**6, 10**6), (1, 100, 100), "has 2 of 1000000000000"),
        ((2, 30000, 30000), (1, 30000, 30000), r"parts of \(1, 30000, 30000\), 3600000000 bytes"),
        ((0, 4, 4), (1, 4, 4), r"axes of at least one; got \(.*=0"),
        ((2, 0, 4), (1, 1, 4), "axes of at least one"),
    ],
)
def test_claims_out_of_bounds_are_refused(tmp_path: Path, kind, shape, chunks, message):
    with pytest.raises(ValueError, match=message):
        field_array(huge(tmp_path, kind, shape, chunks), ranges={"values": (0, 1)})


@pytest.mark.parametrize("kind", ["zarr", "nc", "h5"])
def test_what_is_no_field_is_refused_and_its_neighbour_read(tmp_path: Path, kind: str):
    path = tmp_path / f"x.{kind}"
    data = xarray.Dataset(
        {
            "t": (DIMS, VALUES),
            "times": (("time",), np.array(["2001-01-01", "2002-01-01"], "datetime64[ns]")),
            "label": (("time",), np.array(["a", "b"], "S1")),
            "alone": ((), 3.0),
        }
    )
    if kind == "zarr":
        data.drop_vars("label").to_zarr(path, consolidated=False)
        (path / "damaged").mkdir()
        (path / "damaged" / "zarr.json").write_text("[" * 10**5)
    elif kind == "nc":
        data.to_netcdf(path)
    else:
        with h5py.File(path, "w") as file:
            file["t"], file["alone"], file["z"] = VALUES, 3.0, VALUES.astype("c8")
            file["table"] = np.zeros((2, 2, 2), [("a", "f4"), ("b", "i4")])
            file["words"] = np.array([["a", "b"]], dtype=h5py.string_dtype())
            file["empty"] = h5py.Empty("f4")
    assert np.array_equal(field_array(path, "t").raw(1)[0], VALUES[1])
    with pytest.raises(ValueError, match="axes names two axes of 'alone', which has ()"):
        field_array(path, "alone")
    others = {"zarr": ["damaged"], "nc": ["label"], "h5": ["z", "table", "words", "empty"]}[kind]
    for name in others:
        with pytest.raises((ValueError, TypeError), match=f"'{name}'"):
            field_array(path, name)


def test_axes_of_one_name_are_refused(tmp_path: Path):
    zarr.create_array(tmp_path / "x.zarr", data=VALUES, dimension_names=("time", "x", "x"))
    with pytest.raises(ValueError, match="Each axis of a variable has a name of its own"):
        field_array(tmp_path / "x.zarr")
