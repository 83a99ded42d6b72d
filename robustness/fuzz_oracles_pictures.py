"""Answers by two routes: of pictures, as Pillow has them and as the library reads them."""

import copy
import io
import random
import shutil
import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps

from robustness.fuzz_oracles import Oracle, Said

__all__ = ["PICTURES"]

COLOURS = {0: 1, 2: 3, 4: 2, 6: 4}
"""PNG's colour types, and their channels."""


def orientations(draw: random.Random, n: dict[str, Any], scratch: Path) -> Said:
    """A picture that says how it is turned is the picture turned, by each reader."""
    folder, upright = _new(scratch, "turned"), _new(scratch, "upright")
    kind = draw.choice(["late.png", "png", "jpg", "webp", "tiff"])
    turn = draw.randrange(2, 9)
    pixels = np.zeros((10, 16, 3), np.uint8)
    pixels[:5, :8], pixels[5:, 8:] = (250, 10, 10), (10, 10, 250)
    image = Image.fromarray(pixels)
    exif = Image.Exif()
    exif[0x0112] = turn
    file = folder / f"a.{kind}"
    if kind == "late.png":
        file.write_bytes(
            _png(pixels, 8, 2, late=[(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0"))])
        )
    else:
        image.save(file, quality=95, exif=exif)
    with Image.open(file) as opened:
        opened.load()
        ImageOps.exif_transpose(opened).save(upright / "a.png")
    if draw.random() < 0.5:  # both folders have more pictures of the turned shape
        for name in ("b.png", "c.png"):
            shutil.copy(upright / "a.png", folder / name)
            shutil.copy(upright / "a.png", upright / name)
    readers = {
        "ImageFolder": lambda f: n["ImageFolder"](f, longest=16, progress=False),
        "image_folder": lambda f: n["image_folder"](f, 8, progress=False),
        "ImageFolder of a size": lambda f: n["ImageFolder"](f, 8, progress=False),
    }
    name = draw.choice(list(readers))
    found, right = (readers[name](f) for f in (folder, upright))
    if found.shape != right.shape:
        yield "silent", f"{name}: a .{kind} turned by {turn} has the shape {found.shape}"
    elif (found[0] - right[0]).abs().mean() > 0.1:
        yield "silent", f"{name}: a .{kind} turned by {turn} has other pixels than Pillow's"


def deep_pictures(draw: random.Random, n: dict[str, Any], scratch: Path) -> Said:
    """A picture of sixteen bits has its levels, or is refused."""
    folder = _new(scratch, "deep")
    colour = draw.choice([0, 2, 4, 6, "pgm", "ppm", "tiff"])
    levels = 700
    ramp = (np.arange(levels) * (65535 // levels)).astype(np.uint16)
    channels = COLOURS.get(colour, 3 if colour == "ppm" else 1)
    if draw.random() < 0.5:  # close to each other, as in the shades of a sky
        ramp = (30000 + np.arange(levels) * 5).astype(np.uint16)
    pixels = np.repeat(np.tile(ramp, (4, 1))[..., None], channels, 2)
    if colour in (4, 6):
        pixels[..., -1] = 65535
    if isinstance(colour, int):
        (folder / "a.png").write_bytes(_png(pixels, 16, colour))
    elif colour == "tiff":
        Image.fromarray(pixels[..., 0]).save(folder / "a.tiff")
    else:
        head = f"P{6 if colour == 'ppm' else 5} {levels} 4 65535\n".encode()
        (folder / f"a.{colour}").write_bytes(head + pixels.astype(">u2").tobytes())
    wanted = 3 if channels >= 3 else 1
    reader = draw.choice(["image_folder", "ImageFolder"])
    found = n[reader](folder, (4, levels), channels=wanted, progress=False)[0]
    seen = len(found[0].unique())
    if seen < 0.8 * levels:
        yield (
            "silent",
            f"{reader}: {levels} levels of sixteen bits (PNG colour {colour}) are {seen}",
        )


def linked_folders(draw: random.Random, n: dict[str, Any], scratch: Path) -> Said:
    """Class folders that are links count like folders, and loops end."""
    folder, elsewhere = _new(scratch, "linked"), _new(scratch, "elsewhere")
    count = 0
    for label in range(3):
        real = elsewhere / f"real{label}"
        linked = draw.random() < 0.6
        place = real if linked else folder / f"class{label}"
        place.mkdir()
        for i in range(draw.randrange(1, 4)):
            n["plain"].save(place / f"{i}.png")
            count += 1
        if linked:
            (folder / f"class{label}").symlink_to(real)
    n["plain"].save(folder / "a.png")
    if draw.random() < 0.5:
        (folder / "loop").symlink_to(folder)
    reader = draw.choice(["image_folder", "ImageFolder"])
    found = len(n[reader](folder, 4, progress=False))
    if found != count + 1:
        yield "silent", f"{reader}: {found} of {count + 1} pictures, where class folders are links"


def suffixes(draw: random.Random, n: dict[str, Any], scratch: Path) -> Said:
    """A picture that Pillow reads is read, or named as left out."""
    Image.init()
    both = [
        s for s, f in Image.registered_extensions().items() if f in Image.SAVE and f in Image.OPEN
    ]
    suffix = draw.choice(sorted(both))
    folder = _new(scratch, "suffixes")
    n["plain"].save(folder / "a.png")
    file = folder / f"b{draw.choice([suffix, suffix.upper()])}"
    for mode in ("RGB", "L", "P", "1"):
        try:
            n["plain"].convert(mode).save(file, format=Image.registered_extensions()[suffix])
            with Image.open(file) as opened:
                opened.load()
            break
        except Exception:  # not every format has every mode
            file.unlink(missing_ok=True)
    else:
        return
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found = len(n["image_folder"](folder, 4, progress=False))
    if found != 2 and not any(file.name in str(w.message) for w in told):
        yield "silent", f"image_folder leaves out a {file.suffix} that Pillow reads, without a word"


def wrapped_networks(draw: random.Random, n: dict[str, Any], scratch: Path) -> Said:
    """A model that is saved can be loaded, whatever wraps its network."""
    pipe = copy.deepcopy(n["pipe"])
    name, wrap = draw.choice(
        [
            ("DataParallel", torch.nn.DataParallel),
            ("torch.compile", torch.compile),
            ("Sequential", torch.nn.Sequential),
            ("another network", lambda network: torch.nn.Linear(3, 3)),
            ("none", lambda network: network),
        ]
    )
    pipe.network = wrap(pipe.network)
    folder = pipe.save_pretrained(_new(scratch, "wrapped") / "model")
    try:
        loaded = n["InftyDiff"].from_pretrained(folder)
    except Exception as error:
        yield "lost", f"a model whose network is wrapped by {name} is saved, and cannot be loaded"
        del error
        return
    ours, others = list(pipe.parameters()), list(loaded.parameters())
    if len(ours) != len(others) or not all(map(torch.equal, ours, others)):
        yield "lost", f"the weights of a network wrapped by {name} are others when they are loaded"


def precisions(draw: random.Random, n: dict[str, Any], scratch: Path) -> Said:
    """Weights that overflow where they are loaded are refused."""
    pipe = copy.deepcopy(n["pipe"])
    with torch.no_grad():
        next(pipe.parameters()).fill_(1e30)
    folder = pipe.save_pretrained(_new(scratch, "loud") / "model")
    dtype = draw.choice([torch.float16, torch.bfloat16, torch.float32])
    loaded = n["InftyDiff"].from_pretrained(folder, dtype=dtype)
    if not all(bool(p.isfinite().all()) for p in loaded.parameters()):
        yield "silent", f"weights that overflow in {dtype} are loaded as infinite"


def layouts(draw: random.Random, n: dict[str, Any], scratch: Path) -> Said:
    """An array whose axes are others than said is asked about, and not trained on."""
    shape, words = draw.choice(
        [
            ((40, 3, 16, 16), ["--layout", "nhwc"]),
            ((40, 1, 16, 16), ["--layout", "nhwc"]),
            ((40, 16, 16, 16), []),
            ((40, 3, 64), ["--layout", "nhw"]),
            ((40, 16, 16, 3), []),
        ]
    )
    place = _new(scratch, "layouts")
    dtype = draw.choice([np.uint8, np.float32])
    values = np.random.default_rng(0).integers(0, 2, shape).astype(dtype)
    np.save(place / "a.npy", values)
    from inftydiff.cli import main

    status = _silently(
        lambda: main(
            ["train", str(place / "a.npy"), "--preset", "tiny", "--max-steps", "1", "--batch-size",
             "2", "--held-out", "2", "--out", str(place / "run"), *words]
        )
    )  # fmt: skip
    if status == 0:
        yield "silent", f"train takes an array of shape {shape} with {words}, without asking"


def masks(draw: random.Random, n: dict[str, Any], scratch: Path) -> Said:
    """A cell of a picture is known if all of it is, and transparency is no paint.

    A known value k is put back as f + (k − f), rounded twice in single precision: it is off by at
    most 2⁻²⁴ (|k| + 2 |k − f|), so two samples differ there by under 1e-4 while |f| < 400 and
    |k| ≤ 1. Where nothing is known they differ by their noise, of the order of 0.1 or more.
    """
    place, side, cells = _new(scratch, "masks"), 32, 8
    rng = np.random.default_rng(draw.randrange(100))
    Image.fromarray(rng.integers(0, 256, (side, side, 3), dtype=np.uint8)).save(place / "a.png")
    hidden = np.zeros((side, side), bool)
    if draw.random() < 0.3:
        hidden[draw.randrange(side), :] = True
    else:
        top, left = draw.randrange(2, 12), draw.randrange(2, 12)
        hidden[top : top + draw.randrange(5, 18), left : left + draw.randrange(5, 18)] = True
    mode = draw.choice(["L", "RGBA", "RGB", "1", "LA"])
    paint = np.where(hidden, 255, 0).astype(np.uint8)
    if mode in ("RGBA", "LA"):  # white everywhere, and transparent where nothing is painted
        white = np.full((side, side, 3 if mode == "RGBA" else 1), 255, np.uint8)
        Image.fromarray(np.dstack([white, paint]), mode).save(place / "mask.png")
    else:
        Image.fromarray(paint).convert(mode).save(place / "mask.png")
    from inftydiff.cli import main

    words = ["inpaint", str(n["model_folder"]), str(place / "a.png"), "--mask",
             str(place / "mask.png"),
             "--taken-at", str(cells), "--samples", "2", "--steps", "2", "--out",
             str(place / "out")]  # fmt: skip
    error = io.StringIO()
    status = _silently(lambda: main(words), error)
    blocks = hidden.reshape(cells, side // cells, cells, side // cells).any((1, 3))
    if status:
        if blocks.any() and not blocks.all():
            yield "silent", f"a {mode} mask that hides a part is refused: {error.getvalue()[:200]}"
        return
    samples = np.load(place / "out" / "answer.npz")["samples"][0]
    known = np.abs(samples[0] - samples[1]).max(0) < 1e-4
    if (known & blocks).any():
        part = (known & blocks).sum() / blocks.sum()
        yield "silent", f"{part:.0%} of the cells that a {mode} mask hides are put back as known"
    if (~known & ~blocks).any():
        yield "silent", f"cells that a {mode} mask does not hide are sampled"


def _silently(call: Any, error: io.StringIO | None = None) -> Any:
    from contextlib import redirect_stderr, redirect_stdout

    with redirect_stdout(io.StringIO()), redirect_stderr(error or io.StringIO()):
        try:
            return call()
        except SystemExit as stop:
            return stop.code


def _new(scratch: Path, name: str) -> Path:
    number = len(list(scratch.glob(f"{name}-*")))
    folder = scratch / f"{name}-{number}"
    folder.mkdir(parents=True)
    return folder


def _png(pixels: Any, depth: int, colour: int, late: Any = ()) -> bytes:
    """A PNG, with chunks after the pixels if asked for."""
    rows, columns = pixels.shape[:2]
    kind = ">u2" if depth == 16 else np.uint8
    lines = b"".join(b"\0" + row.astype(kind).tobytes() for row in pixels)
    head = struct.pack(">IIBBBBB", columns, rows, depth, colour, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(lines)), *late, (b"IEND", b"")]
    parts = (
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


PICTURES: tuple[Oracle, ...] = (
    orientations,
    deep_pictures,
    linked_folders,
    suffixes,
    wrapped_networks,
    precisions,
    layouts,
    masks,
)
