"""``inftydiff from-sensors`` samples what agrees with readings of pictures or of a file."""

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from autoencoders import autoencoder
from networks import randomised
from PIL import Image

from inftydiff import Grid, Scattered
from inftydiff.cli import main
from inftydiff.cli.from_sensors import sensors_shown
from inftydiff.operators import Function
from inftydiff.pipelines import InftyDiff, preset

QUICK = ["--steps", "2", "--samples", "2"]
POINTS = torch.rand(12, 2, generator=torch.Generator().manual_seed(1)).double()
VALUES = 1.8 * torch.rand(12, 3, generator=torch.Generator().manual_seed(2)).double() - 0.9
RANGES = {"u": [-20.0, 20.0], "t": [260.0, 300.0]}


@pytest.fixture(scope="module")
def fields(tmp_path_factory) -> str:
    """A small model of two variables, saved."""
    config = preset("tiny", resolution=16)
    folder = tmp_path_factory.mktemp("models") / "fields"
    found = randomised(InftyDiff(dataclasses.replace(config, channels=2)))
    found.float().save_pretrained(folder)
    return str(folder)


def table(file: Path, points=POINTS, values=VALUES, head: str | None = None) -> str:
    rows = torch.cat([points, values], 1).tolist()
    lines = [",".join(repr(number) for number in row) for row in rows]
    file.write_text("\n".join([*([head] if head else []), *lines]) + "\n", encoding="utf-8")
    return str(file)


def run(capsys, *words: str) -> str:
    assert main(["from-sensors", *words]) == 0
    return capsys.readouterr().out


def arrays(out: Path) -> dict[str, np.ndarray]:
    with np.load(out / "answer.npz") as found:
        return dict(found)


@pytest.mark.thorough
@pytest.mark.parametrize(("points", "count"), [("0.25", 64), ("5", 5), ("1", 1), ("256", 256)])
def test_points_of_pictures_are_read(model, points, count, tmp_path, capsys):
    words = ["--count", "2", "--taken-at", "16", "--points", points, "--out", str(tmp_path)]
    printed = run(capsys, model, "faces", *words, *QUICK)
    assert "2 samples of each of 2 pictures, 16 × 16" in printed
    assert "means of the nearest sensors" in printed
    assert "rms misfit of what was observed" in printed
    if count == 256:
        assert "means of the nearest sensors 0.0000" in printed
    found = arrays(tmp_path)
    assert found["samples"].shape == (2, 2, 3, 16, 16)
    assert np.allclose(found["spread"], found["samples"].std(1, ddof=1), atol=1e-5)
    assert (tmp_path / "0003.png").is_file()
    with Image.open(tmp_path / "answer.png") as figure:
        assert figure.size[0] > 5 * 128


@pytest.mark.thorough
def test_answers_are_near_the_readings_of_every_kind_of_file(model, tmp_path, capsys):
    np.savez(tmp_path / "one.npz", points=POINTS, values=VALUES)
    np.savez(tmp_path / "two.npz", points=POINTS, values=np.stack([VALUES, -VALUES]))
    answers = {}
    for name, file in (
        ("plain", table(tmp_path / "plain.csv")),
        ("named", table(tmp_path / "named.csv", head="down, across, red, green, blue")),
        ("one", str(tmp_path / "one.npz")),
        ("two", str(tmp_path / "two.npz")),
    ):
        out = tmp_path / name
        printed = run(capsys, model, file, "--size", "16", *QUICK, "--out", str(out))
        misfit = float(printed.split("rms misfit of what was observed: ")[1].split()[0])
        assert misfit < 0.1
        answers[name] = arrays(out)["samples"]
    assert answers["plain"].shape == (1, 2, 3, 16, 16)
    assert answers["two"].shape == (2, 2, 3, 16, 16)
    assert np.allclose(answers["named"], answers["plain"], atol=1e-5)
    assert np.allclose(answers["one"], answers["plain"], atol=1e-5)


def test_coordinates_are_down_and_across(model, tmp_path, capsys):
    points = torch.cartesian_prod(torch.arange(0.5, 8) / 8, torch.arange(0.5, 8) / 8).double()
    low = torch.where(points[:, :1] > 0.5, 0.8, -0.8).expand(-1, 3)
    file = table(tmp_path / "low.csv", points, low)
    run(capsys, model, file, "--size", "8", *QUICK, "--out", str(tmp_path / "out"))
    mean = arrays(tmp_path / "out")["mean"][0]
    assert mean[:, 4:].mean() > 0.5
    assert mean[:, :4].mean() < -0.5


def test_units_are_those_of_the_ranges(fields, tmp_path, capsys):
    (tmp_path / "ranges.json").write_text(json.dumps(RANGES))
    scaled = VALUES[:, :2]
    ends = torch.tensor(list(RANGES.values())).double()
    physical = ends[:, 0] + 0.5 * (scaled + 1.0) * (ends[:, 1] - ends[:, 0])
    found = {}
    for name, values, words in (
        ("scaled", scaled, []),
        ("physical", physical, ["--ranges", str(tmp_path / "ranges.json")]),
    ):
        file = table(tmp_path / f"{name}.csv", values=values)
        out = tmp_path / name
        run(capsys, fields, file, *words, "--size", "16", *QUICK, "--out", str(out))
        assert sorted(path.name for path in out.iterdir()) == ["answer.npz", "answer.png"]
        found[name] = arrays(out)
    low, high = ends.T[:, None, :, None, None].numpy()
    expected = low + 0.5 * (found["scaled"]["samples"] + 1.0) * (high - low)
    assert np.allclose(found["physical"]["samples"], expected, atol=2e-3)
    assert found["physical"]["mean"][0, 1].mean() > 200.0
    expected = found["scaled"]["spread"] * (0.5 * (high - low))[0]
    assert np.allclose(found["physical"]["spread"], expected, atol=2e-3)


@pytest.mark.thorough
def test_seeds_of_the_points_and_of_the_samples_are_two(model, tmp_path, capsys):
    words = ["faces", "--count", "1", "--taken-at", "16", "--points", "9", *QUICK]
    answers = []
    for number, seeds in enumerate((["--seed", "0"], ["--seed", "0"], ["--points-seed", "1"])):
        out = tmp_path / str(number)
        run(capsys, model, *words, *seeds, "--out", str(out))
        answers.append(arrays(out)["samples"])
    assert np.array_equal(answers[0], answers[1])
    assert not np.allclose(answers[0], answers[2], atol=1e-3)


def test_added_errors_have_their_deviation(model, tmp_path, capsys):
    words = ["faces", "--count", "1", "--taken-at", "64", "--points", "4096", *QUICK]
    printed = run(capsys, model, *words, "--added-noise", "0.2", "--out", str(tmp_path))
    said = float(printed.split("means of the nearest sensors ")[1].split()[0])
    assert abs(said / 0.2 - 1.0) < 6 / math.sqrt(2 * 3 * 4096)


@pytest.mark.thorough
def test_tiles_change_nothing(model, tmp_path, capsys):
    file = table(tmp_path / "readings.csv")
    for name, tile in (("whole", []), ("tiles", ["--tile", "11"])):
        words = ["--size", "20", *QUICK, *tile, "--out", str(tmp_path / name)]
        run(capsys, model, file, *words)
    whole, tiles = (arrays(tmp_path / name)["samples"] for name in ("whole", "tiles"))
    assert np.allclose(tiles, whole, atol=1e-3)


def test_readings_are_shown_in_the_cells_they_lie_in():
    points = torch.tensor([[0.1, 0.1], [0.2, 0.2], [1.0, 0.6]], dtype=torch.float64)
    values = torch.tensor([[1.0], [2.0], [5.0]]).expand(1, 3, 1)
    shown = sensors_shown(Function(Scattered(points), values), Grid((2, 4)))
    assert shown.squeeze().tolist() == [[1.5, 0.0, 0.0, 0.0], [0.0, 0.0, 5.0, 0.0]]


def test_bad_input_is_one_line(model, fields, tmp_path, capsys):
    def bad(match: str, *words: str, source: str = model) -> None:
        assert main(["from-sensors", source, *words, "--out", str(tmp_path / "out")]) == 2
        said = capsys.readouterr().err.strip()
        assert match in said
        assert "\n" not in said

    def written(text: str) -> str:
        (tmp_path / "readings.csv").write_text(text)
        return str(tmp_path / "readings.csv")

    bad("has no readings", written(""))
    bad("has no readings", written("down,across,r,g,b\n"))
    bad("1 of 2 sensors", written("0.1,0.2,0,0,0\n0.1,1.2,0,0,0\n"))
    bad("has 1 values a sensor", written("0.1,0.2,0\n"))
    bad("Line 2 of", written("0.1,0.2,0,0,0\n0.1,0.2,0,0\n"))
    bad("Line 2 of", written("0.1,0.2,0,0,0\n0.1,0.2,0,0,red\n"))
    bad("values that are not finite", written("0.1,0.2,0,nan,0\n"))
    bad("coordinates that are not finite", written("inf,0.2,0,0,0\n"))
    bad("by --ranges", written("0.1,0.2,0,290,0\n"))
    bad("or raise --noise-std", written("0.1,0.2,0,1.5,0\n"))
    good = written("0.1,0.2,0,0,0\n0.1,0.2,1,1,1\n")
    bad("how pictures are read", good, "--points", "3")
    bad("how pictures are read", good, "--added-noise", "0.1")
    bad("how pictures are read", good, "--taken-at", "8")
    bad("those of one file; got 2", good, good)
    bad("contradicts itself", good, "--noise-std", "0", "--size", "8")
    bad("cannot be read as lines", str(tmp_path / "nowhere.csv"))
    (tmp_path / "ranges.json").write_text(json.dumps(RANGES))
    bad("--ranges has 2 variables", good, "--ranges", str(tmp_path / "ranges.json"))
    bad("cannot be read as ranges", good, "--ranges", str(tmp_path / "nowhere.json"))
    bad("--ranges is for readings", "faces", "--ranges", str(tmp_path / "ranges.json"))
    for name, shapes in (("flat", ((4,), (4, 3))), ("other", ((4, 2), (5, 3)))):
        points, values = map(np.zeros, shapes)
        np.savez(tmp_path / f"{name}.npz", points=points, values=values)
        bad("sensors, channels", str(tmp_path / f"{name}.npz"))
    np.savez(tmp_path / "words.npz", points=np.array(["a"]), values=np.zeros((1, 3)))
    bad("readings are real numbers", str(tmp_path / "words.npz"))
    np.save(tmp_path / "picture.npy", np.zeros((1, 3, 16, 16), dtype=np.float32))
    picture = str(tmp_path / "picture.npy")
    bad("at most the 64", picture, "--points", "65", "--taken-at", "8")
    bad("a whole number", picture, "--points", "2.5", "--taken-at", "8")
    bad("--points is above zero", "faces", "--points", "0")
    bad("--noise-std is a deviation", "faces", "--noise-std", "-1")
    bad("--points-seed", "faces", "--points-seed", "-1")
    bad("this model 2", picture, source=fields)
    without = tmp_path / "without"
    autoencoder(prior=None).float().save_pretrained(without)
    bad("no prior to draw them from", good, "--latent", "prior", source=str(without))
    assert not (tmp_path / "out").exists()
