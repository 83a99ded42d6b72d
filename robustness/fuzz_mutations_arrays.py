"""Mutations of files of arrays: safetensors, npy and npz, HDF5, zarr, pictures."""

import hashlib
import io
import json
import random
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from robustness.fuzz_mutations import Mutation, Unfit

__all__ = ["ARRAYS", "resigned"]

HUGE = 700 * 2**20
"""Bytes that a small archive inflates to."""


def header(draw: random.Random, folder: Path, file: Path) -> str:
    """Change what the header of a file of safetensors says."""
    record, data = _safetensors(file)
    names = [name for name in record if name != "__metadata__"]
    name = draw.choice(names)
    how = draw.choice(
        ["shape", "dtype", "offsets", "missing", "extra", "metadata", "length", "wide", "negative"]
    )
    entry = dict(record[name])
    if how == "shape":
        entry["shape"] = draw.choice([[], [0], [1, *entry["shape"]], [2**62, 2**62], ["a"], None])
    elif how == "wide":
        entry["shape"] = [20000, 20000]
    elif how == "negative":
        entry["shape"] = [-1]
    elif how == "dtype":
        entry["dtype"] = draw.choice(["I64", "F16", "BOOL", "X", None, "F64"])
    elif how == "offsets":
        entry["data_offsets"] = draw.choice([[0, 2**40], [-4, 4], [4, 0], [0], None, [0, 4]])
    record = {**record, name: entry}
    if how == "missing":
        del record[name]
    if how == "extra":
        record["../x"] = {"dtype": "F32", "shape": [0], "data_offsets": [len(data), len(data)]}
    if how == "metadata":
        record["__metadata__"] = draw.choice(
            [{"format": "pt"}, {"sha256": "0" * 64}, {"a": 1}, None]
        )
    text = json.dumps(record).encode()
    size = len(text)
    if how == "length":
        size = draw.choice([0, 1, 2**63, 2**40, len(text) - 1])
    file.write_bytes(struct.pack("<Q", size) + text + data)
    if draw.random() < 0.5:
        resigned(folder)
    return f"{how} of {name} in its header"


def weights(draw: random.Random, folder: Path, file: Path) -> str:
    """Save other weights, with the right digests: not finite, of another type, of another shape."""
    from safetensors.torch import load_file, save_file

    if file.suffix != ".safetensors":
        raise Unfit
    tensors = load_file(file)
    how = draw.choice(
        [
            "nan",
            "inf",
            "int64",
            "bool",
            "half",
            "float64",
            "loud",
            "wide",
            "none",
            "renamed",
            "complex",
        ]
    )
    names = [name for name in sorted(tensors) if tensors[name].is_floating_point()]
    name = draw.choice(names)
    changed: Any = {
        "nan": lambda v: torch.full_like(v, torch.nan),
        "inf": lambda v: torch.full_like(v, torch.inf),
        "int64": lambda v: v.long(),
        "bool": lambda v: v.bool(),
        "half": lambda v: v.half(),
        "float64": lambda v: v.double(),
        "loud": lambda v: torch.full_like(v, 1e37),
        "wide": lambda v: torch.zeros(*v.shape, 2),
        "complex": lambda v: v + 0j,
    }.get(how, lambda v: v)
    every = how in ("int64", "half", "float64") and draw.random() < 0.5
    for one in names if every else [name]:
        tensors[one] = changed(tensors[one]).contiguous()
    if how == "none":
        del tensors[name]
    if how == "renamed":
        tensors[f"_orig_mod.{name}"] = tensors.pop(name)
    save_file(tensors, file, metadata=_metadata(file))
    resigned(folder)
    return f"{how} weights in {'all' if every else name}"


def wide_config(draw: random.Random, folder: Path, file: Path) -> str:
    """State a network that is much larger than the weights beside it, without digests."""
    configs = sorted(folder.rglob("config.json"))
    if not configs:
        raise Unfit
    config = draw.choice(configs)
    record = json.loads(config.read_text())
    network = record.get("pipeline", record)["network"]
    key, value = draw.choice(
        [("local_blocks", 10**9), ("width", 20000), ("grid_channels", 20000), ("grid_blocks", 10**8),
         ("grid", [10**6, 10**6]), ("kernel_size", 10**6 + 1), ("embedding", 10**7), ("channels", 10**7),
         ("multipliers", [1] * 10**5), ("latent", 10**8), ("attention", list(range(10**5))), ("head", 10**9),
         ("cell", 1e-9)]
    )  # fmt: skip
    network[key] = value
    config.write_text(json.dumps(record))
    resigned(folder)
    return f"config.json with {key} = {str(value)[:20]}"


def npy_header(draw: random.Random, folder: Path, file: Path) -> str:
    """Change what the header of a ``.npy`` file says."""
    if file.suffix != ".npy":
        raise Unfit
    array = np.load(file)
    shape, descr, order = repr(array.shape), repr(array.dtype.str), "False"
    how = draw.choice(["shape", "descr", "order", "text"])
    if how == "shape":
        shape = draw.choice(["(10**9, 3, 8, 8)", "(4000000000, 3, 8, 8)", "(-1, 3, 8, 8)", "(0, 3, 8, 8)", "()",
                             "(7, 3, 8, 8)", "(6, 3, 8)", "(2**70, 2)", "(6.5, 3)", "None"])  # fmt: skip
    elif how == "descr":
        descr = draw.choice(
            [
                "'|O'",
                "'<f8'",
                "'<c16'",
                "'<U5'",
                "[('a', '<f4')]",
                "'<M8[s]'",
                "'|V1'",
                "5",
                "'<f2'",
            ]
        )
    elif how == "order":
        order = "True"
    text = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}"
    if how == "text":
        text = draw.choice(["{", "(" * 5000, "{'descr': '|u1'}", "\0" * 50, "__import__('os')"])
    text = text.ljust((len(text) + 74) // 64 * 64 - 11) + "\n"
    head = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()
    file.write_bytes(head + array.tobytes())
    return f"its header: {text.strip()[:70]}"


def npy_values(draw: random.Random, folder: Path, file: Path) -> str:
    """Save other values: not finite, out of range, of other types and shapes."""
    if file.suffix != ".npy":
        raise Unfit
    array = np.load(file)
    how = draw.choice(
        [
            "nan",
            "inf",
            "loud",
            "int64",
            "bool",
            "complex",
            "words",
            "empty",
            "object",
            "deep",
            "f16",
        ]
    )
    changed = {
        "nan": lambda: np.where(array > array.mean(), np.nan, array / 255),
        "inf": lambda: np.where(array > array.mean(), np.inf, array / 255),
        "loud": lambda: array * 1e30,
        "int64": lambda: array.astype(np.int64),
        "bool": lambda: array > 0,
        "complex": lambda: array + 0j,
        "words": lambda: array.astype(str),
        "empty": lambda: array[:0],
        "object": lambda: np.array([None, {}]),
        "deep": lambda: array.reshape((*array.shape, 1, 1)),
        "f16": lambda: array.astype(np.float16),
    }[how]()
    np.save(file, changed, allow_pickle=True)
    return f"{how} values"


def inflating(draw: random.Random, folder: Path, file: Path) -> str:
    """Put an archive in its place that inflates to a thousand times its size."""
    if file.suffix != ".npz":
        raise Unfit
    count = HUGE // (3 * 64 * 64)
    names = ["points", "values"] if "sensors" in str(folder) else ["arr_0"]
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name in names:
            with archive.open(f"{name}.npy", "w", force_zip64=True) as opened:
                head = io.BytesIO()
                shape = (
                    (count, 3, 64, 64)
                    if name == "arr_0"
                    else (count * 3 * 512, 2 if name == "points" else 3)
                )
                dtype = "|u1" if name == "arr_0" else "<f4"
                record = {"descr": dtype, "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(head, record)
                opened.write(head.getvalue())
                size = int(np.prod(shape)) * np.dtype(dtype).itemsize
                block = bytes(2**22)
                for _ in range(size // len(block)):
                    opened.write(block)
                opened.write(bytes(size % len(block)))
    return f"an archive of {file.stat().st_size // 2**10} KB that inflates to {HUGE // 2**20} MB"


def members(draw: random.Random, folder: Path, file: Path) -> str:
    """Put other members into an archive."""
    if file.suffix != ".npz":
        raise Unfit
    array = np.arange(12.0).reshape(6, 2)
    how = draw.choice(["two", "none", "pickle", "twice", "dots", "text"])
    with zipfile.ZipFile(file, "w") as archive:
        content = io.BytesIO()
        np.save(content, np.array([{}]) if how == "pickle" else array, allow_pickle=True)
        names = {"two": ["a.npy", "b.npy"], "none": [], "twice": ["a.npy", "a.npy"], "dots": ["../../a.npy"],
                 "text": ["a.txt"]}.get(how, ["arr_0.npy"])  # fmt: skip
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for name in names:
                archive.writestr(name, content.getvalue())
    return f"an archive with {how}"


def hdf5(draw: random.Random, folder: Path, file: Path) -> str:
    """Let a variable lie in another file, or state other numbers of it."""
    if file.suffix not in (".nc", ".h5"):
        raise Unfit
    import h5py

    victim = folder.parent / "outside" / "victim.txt"
    how = draw.choice(
        [
            "external",
            "external",
            "link",
            "virtual",
            "scale",
            "words",
            "nan",
            "huge",
            "valid",
            "fill",
        ]
    )
    with h5py.File(file, "a") as opened:
        values = opened["t2m"][:]
        dims = [scale[0].name for scale in opened["t2m"].dims]
        del opened["t2m"]
        if how == "external":
            size = values.nbytes
            opened.create_dataset("t2m", values.shape, "f4", external=[(str(victim), 0, size)])
        elif how == "link":
            opened["t2m"] = h5py.ExternalLink(str(victim), "/t2m")
        elif how == "virtual":
            layout = h5py.VirtualLayout(values.shape, "f4")
            layout[:] = h5py.VirtualSource(str(victim), "t2m", values.shape)
            opened.create_virtual_dataset("t2m", layout)
        elif how == "huge":
            opened.create_dataset("t2m", (10**9, 4, 5), "f4", chunks=(1, 4, 5))
        else:
            if how == "words":
                values = values.astype("S5")
            if how == "nan":
                values[0] = np.nan
            opened.create_dataset("t2m", data=values)
            attributes = {
                "scale": {
                    "scale_factor": draw.choice([np.nan, 0.0, "x", 1e308]),
                    "add_offset": "y",
                },
                "valid": {"valid_min": draw.choice([np.nan, "x", 1e30]), "valid_max": 0.0},
                "fill": {
                    "_FillValue": values.flat[0],
                    "missing_value": draw.choice([np.nan, 300.0]),
                },
            }.get(how, {})
            for key, value in attributes.items():
                opened["t2m"].attrs[key] = value
        if how != "link":
            for axis, name in enumerate(dims):
                if how not in ("huge",):
                    opened["t2m"].dims[axis].attach_scale(opened[name])
    return f"HDF5: {how}"


def chunks(draw: random.Random, folder: Path, file: Path) -> str:
    """Damage or take away a chunk of a zarr store."""
    found = [f for f in sorted(folder.rglob("*")) if f.is_file() and f.name[0].isdigit()]
    if not found or "zarr" not in str(folder):
        raise Unfit
    chunk = draw.choice(found)
    how = draw.choice(["damaged", "removed", "empty", "longer"])
    if how == "removed":
        chunk.unlink()
    else:
        content = chunk.read_bytes()
        chunk.write_bytes(
            {"damaged": draw.randbytes(len(content)), "empty": b"", "longer": content * 2}[how]
        )
    return f"a chunk {how}"


def picture(draw: random.Random, folder: Path, file: Path) -> str:
    """Put another picture in its place: huge, of another mode, turned, of several frames."""
    from PIL import Image

    if file.suffix not in (".png", ".jpg", ".tiff", ".webp"):
        raise Unfit
    how = draw.choice(["huge", "mode", "one", "turned", "frames", "bomb"])
    with Image.open(file) as opened:
        image = opened.convert("RGB")
    if how == "mode":
        mode = draw.choice(["1", "L", "P", "RGBA", "LA", "CMYK", "I;16", "F", "I"])
        try:
            image.convert(mode).save(
                file.with_suffix(".tiff" if mode in ("CMYK", "F") else file.suffix)
            )
        except (OSError, ValueError) as error:
            raise Unfit from error
        return f"mode {mode}"
    if how == "one":
        Image.new("RGB", (1, 1)).save(file)
    elif how == "turned":
        exif = Image.Exif()
        exif[0x0112] = draw.choice([0, 3, 6, 8, 9, 99])
        image.save(file, exif=exif)
    elif how == "frames" and file.suffix != ".jpg":
        image.save(file, save_all=True, append_images=[image.rotate(90)])
    elif how == "huge":
        Image.new("L", (3000, 4000)).convert("RGB").save(file)
    elif file.suffix == ".png":  # a header of a billion pixels
        content = bytearray(file.read_bytes())
        content[16:24] = struct.pack(">II", 40000, 40000)
        import zlib

        content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
        file.write_bytes(content)
    return f"a picture: {how}"


def resigned(folder: Path) -> None:
    """Make the digests in a folder right again, or take them away where they stand in metadata."""
    for file in folder.rglob("*.safetensors"):
        try:
            record, data = _safetensors(file)
        except Exception:  # it has been damaged
            continue
        if "__metadata__" in record and not (file.parent / "training.safetensors").exists():
            record.pop("__metadata__")
            text = json.dumps(record).encode()
            file.write_bytes(struct.pack("<Q", len(text)) + text + data)
    for config in folder.rglob("config.json"):
        try:
            record = json.loads(config.read_text())
            digests = record["digests"]
        except Exception:  # it has none, or has been damaged
            continue
        for name in digests if isinstance(digests, dict) else ():
            file = config.parent / name
            if file.is_file():
                digests[name] = hashlib.sha256(file.read_bytes()).hexdigest()
        config.write_text(json.dumps(record, indent=2))


def _safetensors(file: Path) -> tuple[dict[str, Any], bytes]:
    if file.suffix != ".safetensors":
        raise Unfit
    content = file.read_bytes()
    (size,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + size]), content[8 + size :]


def _metadata(file: Path) -> dict[str, str] | None:
    return _safetensors(file)[0].get("__metadata__")


ARRAYS: tuple[Mutation, ...] = (
    header, weights, weights, wide_config, npy_header, npy_values, inflating, members, hdf5, hdf5,
    chunks, picture,
)  # fmt: skip
