"""Small made-up weather for tests of fields, the same at every call."""

import numpy as np
import xarray

__all__ = ["SIZES", "dataset", "gaps", "weather"]

SIZES = {"time": 3, "level": 2, "lat": 4, "lon": 5}


def weather() -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    shape = tuple(SIZES.values())
    return {"t": generator.uniform(250, 300, shape), "u": generator.normal(0, 9, shape)}


def dataset() -> xarray.Dataset:
    return xarray.Dataset({name: (tuple(SIZES), array) for name, array in weather().items()})


def gaps() -> xarray.Dataset:
    sea = dataset().isel(level=0)
    sea["t"][1, 2, 3] = np.nan
    return sea
