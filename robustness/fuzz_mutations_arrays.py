"""Mutations of files of numbers: npy and npz, HDF5, zarr, pictures."""

import io
import random
import struct
import zipfile
from pathlib import Path

import numpy as np

from robustness.fuzz_mutations import Mutation, Unfit

__all__ = ["ARRAYS"]

HUGE = 700 * 2**20
"""Bytes that a small archive inflates to."""


def npy_header(draw: random.Random, folder: Path, file: Path) -> str:
    """Change what the header of a ``.npy`` file says."""
    if file.suffix != ".npy":
        raise Unfit
    array = np.load(file)
    shape, descr, order = repr(array.shape), repr(array.dtype.str), "False"
    how = draw.choice(["shape", "descr", "order", "text"])
    if how == "shape":
        shape = draw.choice(["(10**9, 3, 8, 8)", "(4000000000, 3, 8, 8)", "(-1, 3, 8, 8)",
                             "(0, 3, 8, 8)", "()",
                             "(7, 3, 8, 8)", "(6, 3, 8)", "(2**70, 2)", "(6.5, 3)",
                             "None"])  # fmt: skip
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
        names = {"two": ["a.npy", "b.npy"], "none": [], "twice": ["a.npy", "a.npy"],
                 "dots": ["../../a.npy"],
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


ARRAYS: tuple[Mutation, ...] = (
    npy_header,
    npy_values,
    inflating,
    members,
    hdf5,
    hdf5,
    chunks,
    picture,
)
