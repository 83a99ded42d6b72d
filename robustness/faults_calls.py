"""The calls of the package in a process under test, besides its commands."""

import json
from pathlib import Path

__all__ = ["draw_faces", "fixture", "look", "prepare", "save_model"]


def prepare() -> None:
    """Import what is slow to import, before any thread is started."""
    import torch

    torch.set_num_threads(1)
    import matplotlib.figure  # noqa: F401
    import tqdm
    from PIL import Image

    import inftydiff.cli  # noqa: F401

    Image.init()
    tqdm.tqdm.monitor_interval = 0  # else a thread watches, which no fork survives


def fixture(folder: str) -> None:
    """Write the data that everything is trained on: arrays, pictures, fields, readings."""
    import numpy as np
    from PIL import Image

    place, draw = Path(folder), np.random.default_rng(0)
    pixels = draw.integers(0, 256, (64, 3, 16, 16), dtype=np.uint8)
    np.save(place / "data.npy", pixels)
    (place / "pictures").mkdir()
    for number, picture in enumerate(pixels[:14]):
        Image.fromarray(picture.transpose(1, 2, 0)).save(place / "pictures" / f"{number:02d}.png")
    lines = [",".join(f"{x:.4f}" for x in row) for row in draw.random((6, 5))]
    (place / "readings.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    try:
        import xarray
    except ModuleNotFoundError:
        return
    values = draw.normal(280.0, 10.0, (40, 16, 16)).astype(np.float32)
    axes = ("time", "y", "x")
    for suffix in ("zarr", "nc"):
        fields = xarray.Dataset({"t2m": (axes, values), "wind": (axes, values[::-1] - 280.0)})
        if suffix == "zarr":
            chunks = {name: {"chunks": (1, 16, 16)} for name in ("t2m", "wind")}
            fields.to_zarr(place / "fields.zarr", encoding=chunks, consolidated=False)
        else:
            fields.to_netcdf(place / "fields.nc", engine="h5netcdf")


def save_model(source: str, out: str) -> None:
    """Save the model of a run."""
    from inftydiff.pipelines import load_pipeline

    load_pipeline(source).save_pretrained(out)


def draw_faces(cache: str, out: str) -> None:
    """Draw faces, of which the cache keeps blocks, and write them to a file."""
    import numpy as np

    from inftydiff.data import faces

    found = faces(seeds=range(9), resolution=256, cache=cache, workers=1, progress=False)
    np.save(out, found.pixels.numpy())


def look(folders: list[str], out: str) -> None:
    """Load models, and write for each the step and None, or the error."""
    from inftydiff.pipelines import load_pipeline
    from inftydiff.training import read_progress

    found: dict[str, list[object]] = {}
    for folder in folders:
        try:
            load_pipeline(folder)
            saved = (Path(folder) / "training.safetensors").exists()
            found[folder] = [read_progress(folder).step if saved else 0, None]
        except Exception as error:
            found[folder] = [-1, f"{type(error).__name__}: {error}"]
    Path(out).write_text(json.dumps(found), encoding="utf-8")
