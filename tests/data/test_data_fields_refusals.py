"""``field_array`` says what is wrong with values, arguments and files that it does not take."""

from collections.abc import Iterator
from pathlib import Path

import jaxtyping
import numpy as np
import pytest
import torch
from weather import dataset, gaps

from inftydiff.data import FieldScale, field_array


@pytest.fixture
def unchecked() -> Iterator[None]:
    """Run as shipped, without the run-time checks of types that the tests have."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def test_values_outside_the_ranges_are_refused_or_clipped():
    values = np.zeros((3, 2, 2))
    values[1, 0, 1] = 7.0
    ranges = {"values": (-1.0, 5.0)}
    with pytest.raises(ValueError, match=r"sample 1 \(axis 0=1\) has values from 0 to 7, outside"):
        field_array(values, ranges=ranges)[1]
    assert field_array(values, ranges=ranges, outside="clip")[1].max() == 1


def test_missing_values_are_refused():
    with pytest.raises(ValueError, match=r"'t' of sample 1 \(time=1\) misses 1 of 20 values"):
        field_array(gaps(), "t")
    with pytest.raises(ValueError, match="misses 1 of 20"):
        field_array(gaps(), ["u", "t"], missing={"u": 0.0})
    fields = field_array(gaps(), "t", ranges={"t": (200, 300)})
    assert fields[0].shape == (1, 4, 5)
    with pytest.raises(ValueError, match="misses 1 of 20"):
        fields[1]


def test_infinite_values_are_refused():
    with pytest.raises(ValueError, match="has infinite values"):
        field_array(np.array([[0.0, np.inf]]), missing=0)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "Say which variables to read; there are 't', 'u'"),
        ({"variables": "v"}, "got 'v'; there are 't', 'u'"),
        ({"variables": []}, "got none"),
        ({"variables": ["t", "t"]}, "each once"),
        ({"axes": ("lat", "x")}, r"axes names two axes of 't', which has \(time=3, level=2"),
        ({"axes": (0, 9)}, "axes names two axes"),
        ({"axes": (3, "lon")}, "axes names two axes"),
        ({"axes": ("lat",)}, "axes names two axes"),
        ({"ranges": {"u": (0, 1)}}, "'t' is not there, only 'u'"),
        ({"ranges": {"t": (1, 1)}}, r"finite minimum below a finite maximum; got \[1.0, 1.0\]"),
        ({"ranges": {"t": (0, float("inf"))}}, "finite maximum"),
        ({"ranges": {"t": (0, 1, 2)}}, "finite maximum"),
        ({"missing": {"x": 0}}, "missing names 'x'"),
        ({"ranges": {"t": (float("nan"), 1)}}, "finite maximum; got .nan, 1"),
        ({"ranges": {"t": (1, 0)}}, r"finite maximum; got \[1.0, 0.0\]"),
        ({"ranges": {"t": (0, 10**400)}}, "finite maximum"),
        ({"ranges": {"t": (-1e308, 1e308)}}, "finite maximum"),
        ({"missing": float("nan")}, "stands for missing values of 't' is a finite number; got nan"),
        ({"axes": "xy"}, "got 'xy'"),
        ({"axes": (True, 0)}, "axes names two axes"),
        ({"outside": "wrap"}, "outside must be"),
    ],
)
def test_arguments_out_of_range_are_refused(options, message):
    if "variables" not in options and message[:3] != "Say":
        options = {"variables": "t", **options}
    with pytest.raises(ValueError, match=message):
        field_array(dataset(), **options)


def test_sources_that_do_not_fit_are_refused(tmp_path: Path):
    different = dataset().assign(s=dataset().t.isel(level=0))
    with pytest.raises(ValueError, match=r"'t' has \(time=3, level=2.*'s' has \(time=3, lat=4"):
        field_array(different, ["t", "s"])
    with pytest.raises(TypeError, match="'values' holds complex128"):
        field_array(np.zeros((2, 2), complex))
    with pytest.raises(TypeError, match="got list"):
        field_array([[0.0]])
    with pytest.raises(ValueError, match="axes of at least one"):
        field_array(np.zeros((0, 2, 2)))
    with pytest.raises(ValueError, match="got .-1.0, -1.0"):
        field_array(np.full((2, 2), -1.0))
    with pytest.raises(ValueError, match="does not exist"):
        field_array(tmp_path / "absent.nc")
    for name in ("x.nc", "x.npy"):
        (tmp_path / name).write_text("no field")
        with pytest.raises(ValueError, match="cannot be read as fields"):
            field_array(tmp_path / name)
    with pytest.raises(ValueError, match="cannot be read as fields"):
        field_array(tmp_path)
    (tmp_path / "x.csv").touch()
    with pytest.raises(ValueError, match="Fields are read from a zarr store"):
        field_array(tmp_path / "x.csv")
    with pytest.raises(ValueError, match=r"shape \(\.\.\., 1, h, w\); got \(2, 4, 4\)"):
        FieldScale({"t": (0.0, 1.0)})(torch.zeros(2, 4, 4))
    with pytest.raises(ValueError, match="at least one variable"):
        FieldScale({})
    with pytest.raises(IndexError, match="There are 6 samples"):
        field_array(dataset(), "t")[6]


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ranges": [(0, 1)]}, "ranges is a mapping from names to pairs"),
        ({"ranges": {"t": 5}}, "The range of 't' is a pair of numbers; got 5"),
        ({"ranges": {"t": "ab"}}, "The range of 't' is a pair of numbers; got 'ab'"),
        ({"ranges": {"t": (0, "1")}}, "An end of the range of 't' is a number; got '1'"),
        ({"missing": "0"}, "stands for missing values of 't' is a number; got '0'"),
        ({"missing": True}, "is a number; got True"),
        ({"variables": [1]}, "Variables are named by words"),
        ({"variables": 1}, "Variables are named by words"),
    ],
)
def test_arguments_of_other_kinds_are_refused(options, message):
    with pytest.raises(TypeError, match=message):
        field_array(dataset(), **({"variables": "t"} | options))


@pytest.mark.usefixtures("unchecked")
def test_values_and_indices_of_other_kinds_are_refused():
    with pytest.raises(TypeError, match=r"must be a floating-point tensor; got .* of int64"):
        FieldScale({"t": (0.5, 1.5)})(torch.ones(1, 2, 2, dtype=torch.int64))
    with pytest.raises(TypeError, match="asked for by a whole number; got 1.5"):
        field_array(dataset(), "t")[1.5]
    with pytest.raises(ValueError, match="Every value of 't' is missing"):
        field_array({"t": np.full((2, 2, 2), np.nan)}, missing=0)
