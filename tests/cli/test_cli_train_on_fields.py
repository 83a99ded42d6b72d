"""``inftydiff train`` takes zarr stores and NetCDF files, and keeps their ranges."""

import json

import numpy as np
import pytest
import torch
from weather import dataset, gaps, weather

from inftydiff.cli import main
from inftydiff.cli.field_source import FieldSource
from inftydiff.data import FieldScale, field_array
from inftydiff.pipelines import load_pipeline

QUICK = [
    *("--preset", "tiny", "--minutes", "None", "--max-steps", "1", "--batch-size", "2"),
    *("--precision", "float32"),
]


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    dataset().to_zarr("weather.zarr", consolidated=False)
    dataset().to_netcdf("weather.nc")
    gaps().to_netcdf("gaps.nc")


@pytest.mark.parametrize("path", ["weather.zarr", "weather.nc"])
def test_samples_can_be_given_their_units(path, tmp_path):
    assert main(["train", path, "--variables", "t", "u", *QUICK]) == 0
    pipeline = load_pipeline("run")
    assert pipeline.config.channels == 2
    assert pipeline.config.domain.lengths == (4 / 5, 1.0)
    assert main(["sample", "run", "--count", "1", "--steps", "1", "--out", "x.npy"]) == 0
    scale = FieldScale(json.loads((tmp_path / "run" / "ranges.json").read_text()))
    sample = torch.from_numpy(np.load("x.npy"))
    assert scale.undo(sample).shape == sample.shape
    for name, values in weather().items():
        assert scale.ranges[name] == pytest.approx((values.min(), values.max()))


@pytest.mark.thorough
def test_a_resumed_run_keeps_its_ranges(tmp_path, capsys):
    words = ["--variables", "t", "--max-steps", "2"]
    assert main(["train", "weather.nc", *QUICK, *words[:2]]) == 0
    kept = (tmp_path / "run" / "ranges.json").read_text()
    warmer = dataset()
    warmer["t"] += 1.0
    warmer.to_netcdf("warmer.nc")
    again = ["train", "warmer.nc", *QUICK, *words, "--resume"]
    assert main(again) == 2
    assert "Go on with --ranges run/ranges.json" in capsys.readouterr().err
    (tmp_path / "wide.json").write_text('{"t": [200, 350]}')
    assert main([*again, "--ranges", "wide.json"]) == 2
    assert "has other ranges" in capsys.readouterr().err
    assert main(["train", "weather.nc", *QUICK, *words, "--resume"]) == 0
    assert (tmp_path / "run" / "ranges.json").read_text() == kept
    assert main(["train", "weather.nc", *QUICK, *words, "--ranges", "wide.json", "--out", "w"]) == 0
    assert json.loads((tmp_path / "w" / "ranges.json").read_text()) == {"t": [200.0, 350.0]}


@pytest.mark.parametrize("held_out", [None, 2])
def test_the_last_are_held_out(tmp_path, held_out):
    fields = field_array(tmp_path / "weather.nc", ["t", "u"])
    train, last = FieldSource(fields, held_out).load()
    count = len(fields) - (held_out or 1)
    assert (len(train), len(last)) == (count, held_out or 1)
    for place, index in enumerate(range(count, len(fields))):
        assert torch.equal(last[place], fields[index])
    assert all(torch.equal(train[i], fields[i]) for i in range(count))


def test_missing_values_and_axes_are_stated(capsys):
    words = ["train", "gaps.nc", "--variables", "t", *QUICK]
    assert main(words) == 2
    assert "misses 1 of 20 values" in capsys.readouterr().err
    assert main([*words, "--missing", "280", "--axes", "lon", "lat"]) == 0
    assert load_pipeline("run").config.domain.lengths == (1.0, 4 / 5)


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (["weather.zarr"], "Say which variables to read; there are "),
        (["weather.zarr", "--variables", "v"], "got 'v'; there are "),
        (
            ["weather.nc", "--variables", "t", "--held-out", "6"],
            "Of 6 pictures, 1 to 5 can be held",
        ),
        (["weather.nc", "--variables", "t", "--ranges", "no.json"], "no.json cannot be read as"),
        (["nothing.nc"], "nor a zarr store or a NetCDF file (.cdf, .h5, .nc, .nc4)"),
        (["empty.zarr"], "empty.zarr cannot be read as fields"),
        (["faces", "--variables", "t"], "--variables is for fields"),
        (["faces", "--missing", "0"], "--missing is for fields"),
    ],
)
def test_bad_input_is_one_line(tmp_path, capsys, words, match):
    (tmp_path / "empty.zarr").mkdir()
    assert main(["train", *words]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert match in said
    assert not (tmp_path / "run").exists()


def test_a_link_in_the_place_of_the_ranges_is_not_followed(tmp_path, capsys):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "ranges.json").symlink_to(tmp_path / "elsewhere")
    assert main(["train", "weather.nc", "--variables", "t", *QUICK]) == 2
    assert "is a link, and a run follows none" in capsys.readouterr().err
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    "text",
    ["[" * 10**5, '{"t": [0, Infinity]}', '{"t": 3}', "null", '{"t": [0, 1' + "0" * 400 + "]}"],
)
def test_a_file_of_ranges_that_is_none_is_one_line(tmp_path, capsys, text):
    (tmp_path / "r.json").write_text(text)
    words = ["weather.nc", "--variables", "t", "--ranges", "r.json"]
    assert main(["train", *words]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "r.json cannot be read as ranges" in said
