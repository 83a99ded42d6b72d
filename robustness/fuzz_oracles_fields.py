"""Answers by two routes: of fields, in one format and by each way, and of schedules."""

import inspect
import random
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

from robustness.fuzz_oracles import Oracle, Said
from robustness.fuzz_oracles_pictures import _new

__all__ = ["FIELDS"]

MISSING = 285.0

SCHEDULERS = [
    f"{name}Scheduler"
    for name in (
        "DDPM", "DDIM", "DDIMInverse", "PNDM", "LMSDiscrete", "EulerDiscrete", "HeunDiscrete",
        "EulerAncestralDiscrete", "KDPM2Discrete", "KDPM2AncestralDiscrete", "DEISMultistep",
        "DPMSolverSinglestep", "DPMSolverMultistep", "UniPCMultistep", "EDMEuler", "LCM",
        "EDMDPMSolverMultistep", "FlowMatchEulerDiscrete", "FlowMatchHeunDiscrete", "TCD",
    )
]  # fmt: skip
"""Schedulers of diffusers that can be made alone."""


def packed_stores(draw: random.Random, n: dict[str, Any], scratch: Path) -> Said:
    """A packed variable of a zarr store has its values by every way to it."""
    import xarray
    import zarr

    store, form = _new(scratch, "zarr") / "a.zarr", draw.choice([2, 3])
    alone, gaps = draw.random() < 0.6, draw.random() < 0.6
    packed = np.random.default_rng(1).integers(-500, 900, (3, 4, 5)).astype(np.int16)
    packed[0, 0, 0] = 0
    truth = packed * 0.01 + 280.0
    attributes: dict[str, Any] = {"scale_factor": 0.01, "add_offset": 280.0}
    if gaps:
        packed[1, 2, 3] = -32768
        truth[1, 2, 3] = np.nan
        attributes["_FillValue"] = -32768
    dims = ["time", "lat", "lon"]
    named: dict[str, Any] = {} if form == 2 else {"dimension_names": dims}
    group = zarr.open_group(store, mode="w", zarr_format=form)
    array = group.create_array("t2m", shape=packed.shape, dtype="int16", **named)
    array[:] = packed
    array.attrs.update(attributes | ({"_ARRAY_DIMENSIONS": dims} if form == 2 else {}))
    if alone:
        group.create_array("crs", shape=(2,), dtype="int32")[:] = 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ways = {
            "the store's path": lambda: store,
            "the array's path": lambda: store / "t2m",
            "a Group": lambda: zarr.open_group(store, mode="r"),
            "an Array": lambda: zarr.open_group(store, mode="r")["t2m"],
            "xarray": lambda: xarray.DataArray(truth, dims=dims, name="t2m").to_dataset(),
        }
        way = draw.choice(list(ways))
        source = ways[way]()
        said = f"zarr {form}, {'one' if alone else 'no'} array beside"
        yield from _as(n, source, way, truth, said, None if "array" in way.lower() else "t2m")


def plain_zeros(draw: random.Random, n: dict[str, Any], scratch: Path) -> Said:
    """Zeros stay zeros, whatever a container fills its gaps with."""
    import zarr

    form = draw.choice([2, 3])
    store = _new(scratch, "zeros") / "a.zarr"
    group = zarr.open_group(store, mode="w", zarr_format=form)
    dims = ["time", "lat", "lon"]
    named: dict[str, Any] = {} if form == 2 else {"dimension_names": dims}
    dtype = draw.choice(["float32", "float64"])
    array = group.create_array("u", shape=(2, 4, 5), dtype=dtype, **named)
    values = np.random.default_rng(2).normal(size=(2, 4, 5)).astype(dtype)
    values[0, :2] = 0.0
    array[:] = values
    if form == 2:
        array.attrs["_ARRAY_DIMENSIONS"] = dims
    way, source = draw.choice(
        [("the store's path", store), ("the array's path", store / "u"), ("an Array", group["u"])]
    )
    name = "u" if "store" in way else None
    yield from _as(n, source, way, values, f"zeros in zarr {form}", name)


def valid_values(draw: random.Random, n: dict[str, Any], scratch: Path) -> Said:
    """Values that a NetCDF file says are not valid are missing."""
    import h5netcdf

    file = _new(scratch, "valid") / f"a{draw.choice(['.nc', '.h5', '.nc4'])}"
    values = np.random.default_rng(3).uniform(250, 310, (3, 4, 5)).astype(np.float32)
    truth = values.copy()
    values[1, 2, 3], truth[1, 2, 3] = 9999.0, np.nan
    how = draw.choice(["valid_max", "both", "valid_range", "missing_value", "_FillValue"])
    with h5netcdf.File(file, "w") as opened:
        opened.dimensions = {"time": 3, "lat": 4, "lon": 5}
        fill = {"fillvalue": np.float32(9999.0)} if how == "_FillValue" else {}
        variable = opened.create_variable(
            "t2m", ("time", "lat", "lon"), np.float32, data=values, **fill
        )
        if how in ("valid_max", "both"):
            variable.attrs["valid_max"] = np.float32(400.0)
        if how == "both":
            variable.attrs["valid_min"] = np.float32(100.0)
        if how == "valid_range":
            variable.attrs["valid_range"] = np.array([100.0, 400.0], np.float32)
        if how == "missing_value":
            variable.attrs["missing_value"] = np.float32(9999.0)
    yield from _as(n, file, "the file", truth, f"NetCDF with {how}", "t2m")


def gaps_of_one(draw: random.Random, n: dict[str, Any], scratch: Path) -> Said:
    """A stand-in for missing values is checked against the variables that have some."""
    import xarray

    t2m = np.random.default_rng(4).uniform(270, 300, (3, 4, 5))
    t2m[0, 1, 1] = np.nan
    u = np.random.default_rng(5).uniform(-10, 10, (3, 4, 5))
    dims = ("time", "lat", "lon")
    data = xarray.Dataset({"t2m": (dims, t2m), "u": (dims, u)})
    source: Any = data
    if draw.random() < 0.5:
        source = _new(scratch, "gaps") / "a.nc"
        data.to_netcdf(source, engine="h5netcdf")
    try:
        n["field_array"](source, ["t2m", "u"], missing=MISSING)[0]
    except ValueError as error:
        yield (
            "silent",
            f"missing={MISSING:g} is refused for the variable without gaps: {error}"[:300],
        )


def places_in_files(draw: random.Random, n: dict[str, Any], scratch: Path) -> Said:
    """Variables in groups, and those that stand as coordinates, can be reached; so can any case."""
    import h5netcdf

    place = _new(scratch, "places")
    what = draw.choice(["a group", "a coordinate", ".hdf5", ".NC", ".Nc4", ".H5",
                        "gs://bucket/a.zarr", "s3://bucket/a.nc",
                        "https://host.invalid/a.nc"])  # fmt: skip
    values = np.random.default_rng(6).uniform(0, 1, (3, 4, 5)).astype(np.float32)
    file = place / (f"a{what}" if what.startswith(".") else "a.nc")
    name = "t2m"
    with h5netcdf.File(file, "w") as opened:
        opened.dimensions = {"time": 3, "lat": 4, "lon": 5}
        parent = opened.create_group("inside") if what == "a group" else opened
        parent.create_variable("t2m", ("time", "lat", "lon"), np.float32, data=values)
        if what == "a coordinate":
            parent.create_variable("u", ("time", "lat", "lon"), np.float32, data=values)
            parent["u"].attrs["coordinates"] = "t2m"
    if "://" in what:
        try:
            n["field_array"](what, "t2m")
        except (ValueError, OSError) as error:
            if "does not exist" in str(error):
                yield "silent", f"{what} is refused as if it were a file: {error}"[:200]
        return
    names = ["inside/t2m", "/inside/t2m"] if what == "a group" else [name]
    said = ""
    for name in names:
        try:
            n["field_array"](file, name)
            return
        except ValueError as error:
            said = str(error)
    yield "silent", f"a variable in {what} cannot be reached: {said}"[:300]


def schedulers(draw: random.Random, n: dict[str, Any], scratch: Path) -> Said:
    """The schedule of a scheduler adds the noise that the scheduler adds."""
    import diffusers

    kind = getattr(diffusers, draw.choice(SCHEDULERS))
    try:
        parameters = inspect.signature(kind.__init__).parameters
        count = draw.choice([20, 100])
        settings: dict[str, Any] = {"num_train_timesteps": count}
        settings |= {"beta_schedule": draw.choice(["linear", "scaled_linear", "squaredcos_cap_v2"])}
        settings |= {"shift": draw.choice([1.0, 2.0])}
        settings |= {"timestep_spacing": draw.choice(["linspace", "leading", "trailing"])}
        settings = {k: v for k, v in settings.items() if k in parameters}
        scheduler = kind(**settings)
        setters = []
        if draw.random() < 0.5:
            scheduler.set_timesteps(draw.choice([5, count]))
            setters.append("set_timesteps")
        if hasattr(scheduler, "set_shift") and draw.random() < 0.7:
            scheduler.set_shift(3.0)
            setters.append("set_shift(3.0)")
    except Exception:  # not every scheduler has these settings
        return
    try:
        schedule = n["from_diffusers"](scheduler)
    except (TypeError, ValueError):
        return
    said = f"{kind.__name__}({settings}) after {setters}"
    t = (torch.arange(count, dtype=torch.float64) + 1) / count
    ratio = schedule.sigma(t) / schedule.alpha(t)
    if "set_shift(3.0)" in setters:
        fresh = n["from_diffusers"](kind(**settings | {"shift": 3.0}))
        right = fresh.sigma(t) / fresh.alpha(t)
    elif hasattr(scheduler, "alphas_cumprod") and not hasattr(scheduler, "sigmas"):
        ones, zeros = torch.ones(count, 1), torch.zeros(count, 1)
        times = torch.arange(count)
        try:
            right = scheduler.add_noise(zeros, ones, times) / scheduler.add_noise(
                ones, zeros, times
            )
        except Exception:
            return
    else:
        return
    right = right.double().flatten()
    if not torch.allclose(ratio.log(), right.log(), rtol=2e-2, atol=2e-2):
        yield "silent", f"from_diffusers of {said} is not its own add_noise"[:300]


def _as(n: dict[str, Any], source: Any, way: str, truth: Any, said: str, name: str | None) -> Said:
    """Compare the values of a source, and what stands for missing ones where some are missing."""
    missing = float(np.nanmean(truth)) if np.isnan(truth).any() else None
    expected = truth if missing is None else np.where(np.isnan(truth), missing, truth)
    try:
        fields = n["field_array"](source, name, missing=missing)
        found = np.stack([fields.scale.undo(fields[i])[0].numpy() for i in range(len(truth))])
    except ValueError as error:
        yield "silent", f"{said}, by {way}: refused: {error}"[:300]
        return
    wrong = float(np.abs(found - expected).max())
    if wrong > 0.02:
        yield "silent", f"{said}, by {way}: values {wrong:.3g} off"


FIELDS: tuple[Oracle, ...] = (
    packed_stores,
    plain_zeros,
    valid_values,
    gaps_of_one,
    places_in_files,
    schedulers,
)
