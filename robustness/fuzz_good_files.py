"""Good files of every kind that the library reads, at a small size, and how each is read.

A kind is a folder that is copied for every try, and readers that are given the copy. A reader
returns what it has read, of which the numbers are looked at.
"""

import contextlib
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import torch

from robustness.fuzz_mutations import resigned

__all__ = ["Kind", "Refused", "kinds"]

Reader = Callable[[Path], Any]


class Refused(ValueError):
    """The words of a command whose status is 2."""


@final
@dataclass(frozen=True)
class Kind:
    """A kind of files.

    Args:
        name: of the kind, and of its folder.
        readers: by name.
        bounded: whether reading it takes two seconds and 500 MB at most, whatever is in it.
        written: whether a reader writes into the folder.
    """

    name: str
    readers: Mapping[str, Reader]
    bounded: bool = False
    written: bool = False


def kinds(n: dict[str, Any], good: Path) -> list[Kind]:
    """Make the files and say how they are read.

    Args:
        n: the namespace of the examples.
        good: a new folder for the files.
    """
    good.mkdir(parents=True)
    found = [
        _model(n, good),
        _model_1(n, good),
        _run(n, good),
        *_arrays(n, good),
        *_pictures(n, good),
    ]
    found += [*_fields(n, good), *_settings(n, good), *_tables(n, good)]
    return found


def _model(n: dict[str, Any], good: Path) -> Kind:
    n["pipe"].save_pretrained(good / "model")
    return Kind(
        "model",
        {
            "from_pretrained": lambda at: n["InftyDiff"].from_pretrained(at),
            "from_pretrained in half": lambda at: n["InftyDiff"].from_pretrained(
                at, dtype=torch.float16
            ),
            "load_pipeline": lambda at: n["load_pipeline"](at),
        },
        bounded=True,
    )


def _model_1(n: dict[str, Any], good: Path) -> Kind:
    """A model whose configuration is of version 1, as the releases before components wrote it."""
    n["pipe"].save_pretrained(good / "model_1")
    config = n["pipe"].config
    sizes = {"channels": config.channels, "out_channels": None, "latent": None}
    record = json.loads(config.to_json())
    network = {name: value for name, value in record["network"].items() if name != "kind"}
    parts = ("process", "predict", "domain", "channels", "latent")
    old = {name: value for name, value in record.items() if name not in parts}
    old |= {
        "version": 1,
        "network": {**sizes, **network},
        "process": "mollified",
        "schedule": "cosine",
        "mollifier_width": record["process"]["mollifier"]["width"],
        "noise_intensity": record["process"]["noise"]["intensity"],
        "predict": record["predict"]["kind"],
        "lengths": record["domain"]["lengths"],
    }
    (good / "model_1" / "config.json").write_text(json.dumps(old, indent=2))
    resigned(good / "model_1")
    return Kind(
        "model_1",
        {
            "from_pretrained": lambda at: n["InftyDiff"].from_pretrained(at),
            "load_pipeline": lambda at: n["load_pipeline"](at),
        },
        bounded=True,
    )


def _run(n: dict[str, Any], good: Path) -> Kind:
    settings = n["replace"](n["settings"], log_every=1, max_steps=2, checkpoint_steps=1, keep=2)
    data = n["pictures"]
    n["train"](n["config"], data, data, settings, good / "run", progress=False)
    longer = n["replace"](settings, max_steps=3, keep=1)

    def resumed(at: Path) -> Any:
        return n["train"](n["config"], data, data, longer, at, resume=True, progress=False)

    return Kind(
        "run",
        {
            "train resumed": resumed,
            "load_pipeline": lambda at: n["load_pipeline"](at),
            "read_progress": lambda at: n["read_progress"](at),
            "best": lambda at: str(n["best"](at)),
            "train resumed again": resumed,
        },
        bounded=True,
        written=True,
    )


def _all(dataset: Any) -> Any:
    return [dataset[index] for index in range(len(dataset))]


def _arrays(n: dict[str, Any], good: Path) -> list[Kind]:
    for name in ("npy", "npz"):
        (good / name).mkdir()
    np.save(good / "npy" / "a.npy", n["pictures"].pixels.numpy())
    np.savez(good / "npz" / "a.npz", n["pictures"].pixels.numpy())
    return [
        Kind(
            "npy",
            {
                "image_array": lambda at: n["image_array"](at / "a.npy").pixels,
                "ImageArray": lambda at: _all(n["ImageArray"](at / "a.npy")),
                "field_array": lambda at: _all(n["field_array"](at / "a.npy")),
            },
        ),
        Kind(
            "npz", {"image_array": lambda at: n["image_array"](at / "a.npz").pixels}, bounded=True
        ),
    ]


def _pictures(n: dict[str, Any], good: Path) -> list[Kind]:
    image = n["Pillow"].fromarray(np.random.default_rng(0).integers(0, 256, (9, 12, 3), np.uint8))
    folder = good / "pictures"
    (folder / "inner").mkdir(parents=True)
    for suffix in ("png", "jpg", "tiff", "webp", "bmp", "gif", "ppm"):
        image.save(folder / f"a.{suffix}")
    image.save(folder / "inner" / "b.png")
    (folder / "notes.txt").write_text("no picture")
    for name in ("ffhq", "celeba", "lsun"):
        _copy(n[f"{name}_root"], good / name)
    lmdb_kind = _lmdb(n, good, image)
    return [
        Kind(
            "pictures",
            {
                "image_folder": lambda at: n["image_folder"](at, 4, progress=False).pixels,
                "ImageFolder": lambda at: _all(n["ImageFolder"](at, 4, progress=False)),
                "ImageFolder unchecked": lambda at: _all(
                    n["ImageFolder"](at, longest=6, check=False, progress=False)
                ),
                "image_folder skipping": lambda at: (
                    n["image_folder"](at, 4, progress=False, on_error="skip").pixels
                ),
            },
        ),
        Kind("ffhq", {"ffhq": lambda at: _all(n["ffhq"](at, "train", 4))}),
        Kind("celeba", {"celeba_hq": lambda at: _all(n["celeba_hq"](at, "all", 4))}),
        Kind("lsun", {"lsun_church": lambda at: _all(n["lsun_church"](at, "train", 4))}),
        *lmdb_kind,
    ]


def _lmdb(n: dict[str, Any], good: Path, image: Any) -> list[Kind]:
    try:
        import lmdb
    except ModuleNotFoundError:
        return []
    content = io.BytesIO()
    image.save(content, "webp", lossless=True)
    folder = good / "lmdb" / "church_outdoor_train_lmdb"
    folder.mkdir(parents=True)
    with lmdb.open(str(folder), map_size=2**20) as opened, opened.begin(write=True) as writer:
        for key in ("0a1", "3fc"):
            writer.put(key.encode(), content.getvalue())
    return [Kind("lmdb", {"lsun_church": lambda at: _all(n["lsun_church"](at, "train", 4))})]


def _fields(n: dict[str, Any], good: Path) -> list[Kind]:
    import h5netcdf
    import zarr

    values = np.random.default_rng(1).uniform(250, 310, (3, 4, 5)).astype(np.float32)
    dims = ("time", "lat", "lon")
    for name in ("netcdf", "hdf5"):
        (good / name).mkdir()
    for file in (good / "netcdf" / "a.nc", good / "hdf5" / "a.h5"):
        with h5netcdf.File(file, "w") as opened:
            opened.dimensions = dict(zip(dims, values.shape, strict=True))
            variable = opened.create_variable(
                "t2m", dims, np.float32, data=values, chunks=(1, 4, 5)
            )
            variable.attrs["units"] = "K"
    for form in (2, 3):
        group = zarr.open_group(good / f"zarr{form}" / "a.zarr", mode="w", zarr_format=form)
        named: dict[str, Any] = {} if form == 2 else {"dimension_names": dims}
        array = group.create_array(
            "t2m", shape=values.shape, dtype="float32", chunks=(1, 4, 5), **named
        )
        array[:] = values
        if form == 2:
            array.attrs["_ARRAY_DIMENSIONS"] = list(dims)

    def reader(name: str) -> dict[str, Reader]:
        def read(at: Path) -> Any:
            fields = n["field_array"](at / name)
            return [(fields[index], fields.raw(index)) for index in range(min(3, len(fields)))]

        return {"field_array": read}

    return [
        Kind("netcdf", reader("a.nc"), bounded=True),
        Kind("hdf5", reader("a.h5"), bounded=True),
        Kind("zarr2", reader("a.zarr")),
        Kind("zarr3", reader("a.zarr")),
    ]


def _settings(n: dict[str, Any], good: Path) -> list[Kind]:
    array, fields = str(n["array_file"]), str(good / "netcdf" / "a.nc")
    folder = good / "settings"
    folder.mkdir()
    lines = ['preset = "tiny"', "max-steps = 1", "batch-size = 2", 'precision = "float32"',
             "held-out = 2", "learning-rate = 1e-3", "clip = [-1.0, 1.0]", "seed = 0", "",
             "[network]", 'kind = "multiscale"', "width = 8", "local-blocks = 1", "",
             "[process.mollifier]", 'kind = "heat"', "width = 0.1", "",
             "[domain]", "lengths = [1.0, 1.0]"]  # fmt: skip
    (folder / "a.toml").write_text("\n".join(lines))
    record = {"preset": "tiny", "max-steps": 1, "batch-size": 2, "held-out": 2, "seed": 0,
              "process": {"kind": "mollified", "mollifier": {"width": 0.1}},
              "network": {"width": 8, "grid": [8, 8]}}  # fmt: skip
    (folder / "a.json").write_text(json.dumps(record))
    (good / "ranges").mkdir()
    (good / "ranges" / "a.json").write_text(json.dumps({"t2m": [200.0, 350.0]}))

    def trained(*words: str) -> Reader:
        return lambda at: said("train", *(w.replace("@", str(at)) for w in words))

    few = ("--max-steps", "1", "--batch-size", "2", "--held-out", "1", "--preset", "tiny")
    return [
        Kind(
            "settings",
            {
                name: trained(array, "--config", f"@/a.{name}", "--out", "@/out")
                for name in ("toml", "json")
            },
            written=True,
        ),
        Kind(
            "ranges",
            {"train": trained(fields, "--ranges", "@/a.json", "--out", "@/out", *few)},
            written=True,
        ),
    ]


def _tables(n: dict[str, Any], good: Path) -> list[Kind]:
    model = str(good / "model")
    for name in ("sensors", "mask", "labels"):
        (good / name).mkdir()
    rows = np.random.default_rng(2).uniform(0.1, 0.9, (6, 5))
    lines = [",".join(f"{v:.4f}" for v in row) for row in rows]
    (good / "sensors" / "a.csv").write_text("\n".join(["down,across,red,green,blue", *lines]))
    np.savez(good / "sensors" / "a.npz", points=rows[:, :2], values=rows[:, 2:])
    mask = np.zeros((8, 8), np.uint8)
    mask[2:5, 3:6] = 255
    n["Pillow"].fromarray(mask).save(good / "mask" / "a.png")
    np.save(good / "labels" / "a.npy", np.arange(16) % 2)
    autoencoder = good.parent / "autoencoder"
    n["ae"].save_pretrained(autoencoder)
    few = ("--steps", "1", "--samples", "1", "--count", "1")
    prior = ("--prior.width", "8", "--prior.layers", "2", "--max-steps", "1", "--batch-size", "2",
             "--held-out", "2", "--draws", "1", "--warmup", "1", "--seen", "0.5")  # fmt: skip
    return [
        Kind(
            "sensors",
            {
                name: lambda at, name=name: said(
                    "from-sensors", model, str(at / f"a.{name}"), "--size", "8", "--out",
                    str(at / "out"), "--steps", "1", "--samples", "1",
                )
                for name in ("csv", "npz")
            },
            written=True,
        ),
        Kind(
            "mask",
            {
                "inpaint": lambda at: said(
                    "inpaint", model, str(n["array_file"]), "--mask", str(at / "a.png"),
                    "--out", str(at / "out"), *few,
                )
            },
            written=True,
        ),
        Kind(
            "labels",
            {
                "train-prior": lambda at: said(
                    "train-prior", str(autoencoder), str(n["array_file"]), "--labels",
                    str(at / "a.npy"), "--out", str(at / "out"), *prior,
                )
            },
            written=True,
        ),
    ]  # fmt: skip


def said(*words: str) -> str:
    """Run a command in this process.

    Raises:
        Refused: with what it says, where its status is not 0.
    """
    from inftydiff.cli import main

    output, error = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(error):
        try:
            status: Any = main(list(words))
        except SystemExit as stop:
            status = stop.code
    if status:
        raise Refused(f"{error.getvalue()}{output.getvalue()}".strip())
    return output.getvalue()


def _copy(source: Path, target: Path) -> None:
    import shutil

    shutil.copytree(source, target)
