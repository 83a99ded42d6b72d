"""A sample that cannot be read names its file, its variable and itself, in one line."""

import pickle
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray
import zarr
from torch.utils.data import DataLoader

from inftydiff.cli import main
from inftydiff.data import UnreadableSample, field_array

DIMS = ("time", "y", "x")
VALUES = np.random.default_rng(0).normal(size=(3, 16, 16))
RANGES = {"t": (-9.0, 9.0)}
QUICK = [
    *("--preset", "tiny", "--minutes", "None", "--max-steps", "4", "--batch-size", "2"),
    *("--precision", "float32", "--held-out", "1"),
]


def written(folder: Path, kind: str) -> Path:
    """Three compressed samples, each in a part of its own."""
    path = folder / f"x.{kind}"
    if kind == "nc":
        encoding = {"t": {"zlib": True, "chunksizes": (1, 16, 16), "_FillValue": None}}
        data = xarray.Dataset({"t": (DIMS, VALUES)})
        data.to_netcdf(path, engine="h5netcdf", encoding=encoding)
    else:
        group = zarr.open_group(path, mode="w", zarr_format=2 if kind == "v2.zarr" else 3)
        codec = zarr.codecs.BloscCodec() if kind == "blosc.zarr" else "auto"
        group.create_array("t", data=VALUES, chunks=(1, 16, 16), compressors=codec)
    return path


def damage(path: Path, how: str) -> None:
    """Spoil the second of three samples, in place."""
    if path.is_dir():
        part = next(p for p in (path / "t" / "1.0.0", path / "t" / "c/1/0/0") if p.exists())
        good = part.read_bytes()
        part.write_bytes(good[: len(good) // 2] if how == "cut" else b"\xff" * len(good))
        return
    with h5py.File(path, "r") as file:
        part = file["t"].id.get_chunk_info(1)
    with path.open("r+b") as raw:
        raw.seek(part.byte_offset)
        raw.write((b"\xff" if how == "garbled" else b"\0") * part.size)


@pytest.mark.thorough
@pytest.mark.parametrize("kind", ["v2.zarr", "zarr", "blosc.zarr", "nc"])
@pytest.mark.parametrize("how", ["cut", "garbled"])
def test_a_damaged_part_is_one_line(tmp_path: Path, kind: str, how: str, capsys, monkeypatch):
    path = written(tmp_path, kind)
    damage(path, how)
    fields = field_array(path, "t", ranges=RANGES)
    assert fields[0].shape == fields[2].shape == (1, 16, 16)
    message = rf"^{path}: 't' of sample 1 \(.*=1\) cannot be read: \S.* Repair the file"
    with pytest.raises(UnreadableSample, match=message) as caught:
        fields[1]
    assert "\n" not in str(caught.value)
    with pytest.raises(UnreadableSample, match=message) as caught:
        list(DataLoader(fields, num_workers=1))
    assert "\n" not in str(caught.value)
    with pytest.raises(UnreadableSample, match=message):
        field_array(path, "t")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "r.json").write_text('{"t": [-9, 9]}')
    words = ["train", str(path), "--variables", "t", "--ranges", "r.json", *QUICK]
    assert main(words) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert f"{path}: 't' of sample 1" in said


@pytest.mark.parametrize("kind", ["h5", "nc", "npy"])
def test_files_cut_while_they_are_open_are_named(tmp_path: Path, kind: str):
    path = tmp_path / f"x.{kind}"
    if kind == "h5":
        with h5py.File(path, "w") as file:
            file["t"] = VALUES
    elif kind == "npy":
        np.save(path, VALUES)
    else:
        xarray.Dataset({"t": (DIMS, VALUES)}).to_netcdf(path, engine="scipy")
    fields = field_array(path, ranges={"t": (-9, 9), "values": (-9, 9)})
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.truncate(size - VALUES[1].nbytes - 8)
    with pytest.raises(UnreadableSample, match=rf"{path}: '.*' of sample 2 .*cannot be read"):
        fields[2]
    with pytest.raises(ValueError, match=rf"{path} cannot be read as fields"):
        field_array(path)


def test_a_file_that_was_replaced_is_named(tmp_path: Path):
    zarr.create_array(tmp_path / "x.zarr", data=VALUES)
    fields = field_array(tmp_path / "x.zarr")
    zarr.create_array(tmp_path / "x.zarr", data=VALUES[:, :4], overwrite=True)
    with pytest.raises(UnreadableSample, match="other variables or shapes than when"):
        pickle.loads(pickle.dumps(fields))[0]


def test_values_that_no_one_declared_are_named(tmp_path: Path):
    values = VALUES.copy()
    values[1, 0, 0], values[2, 0, 0] = np.nan, np.inf
    np.save(tmp_path / "x.npy", values)
    fields = field_array(tmp_path / "x.npy", ranges={"values": (-9, 9)})
    for index, what in ((1, "misses 1 of 256 values"), (2, "has infinite values")):
        with pytest.raises(UnreadableSample, match=rf"x\.npy: 'values' of sample {index}.* {what}"):
            fields[index]
    with pytest.raises(UnreadableSample, match="'values' of sample 0 .* has values from"):
        field_array(tmp_path / "x.npy", ranges={"values": (0, 9)})[0]
