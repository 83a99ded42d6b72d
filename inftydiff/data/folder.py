"""Pictures from a folder of image files."""

import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from inftydiff._typing import whole
from inftydiff.data._extras import extra
from inftydiff.data.images import Images

__all__ = ["SUFFIXES", "image_folder"]

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
"""What a file's name must end with to count as a picture where no pattern is given."""


def image_folder(
    path: str | Path,
    resolution: int | tuple[int, int],
    *,
    pattern: str | None = None,
    background: str = "ffffff",
    workers: int | None = None,
    progress: bool = True,
    on_error: Literal["raise", "skip"] = "raise",
) -> Images:
    """Pictures decoded from files, cropped at the centre and averaged down to one size.

    Each picture is turned as its EXIF orientation says, laid over the background where it is
    transparent, cropped to the largest centred rectangle of the wanted proportions, and reduced by
    a box filter, so that a pixel is the average over its cell. A smaller picture is enlarged with
    constant cells. The order is that of the paths, whatever the number of workers.

    Args:
        path: the folder; its subfolders are searched too.
        resolution: pixels a side, or ``(height, width)`` in pixels.
        pattern: which files to read, as a glob relative to the folder, such as ``"*/*.jpg"``; by
            default every file whose name ends with one of ``SUFFIXES`` and starts with no dot.
        background: six hexadecimal digits, what shows through transparent pixels.
        workers: threads that decode; by default a few more than there are cores.
        progress: show a progress bar.
        on_error: ``"raise"`` names every file that cannot be read; ``"skip"`` warns of them and
            leaves them out.

    Returns:
        Eight-bit pictures, shape ``(n, 3, height, width)``.

    Raises:
        ValueError: if the folder does not exist or has no such files, if an argument is out of
            range, or if files cannot be read (any, or all of them with ``"skip"``).

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Image.new("RGB", (50, 40), "#ff0000").save(f"{folder}/red.png")
        ...     images = image_folder(folder, 16, progress=False)
        >>> images, images[0][:, 8, 8].tolist()
        (Images(n=1, c=3, h=16, w=16, uint8), [1.0, -1.0, -1.0])
    """
    from inftydiff.data.raster import decode, hex_colour

    with extra("train"):
        from tqdm import tqdm

    shape = _shape(resolution)
    background = hex_colour(background, "background")
    if on_error not in ("raise", "skip"):
        raise ValueError(f"on_error must be 'raise' or 'skip'; got {on_error!r}.")
    threads = None if workers is None else whole(workers, "workers")
    files = _files(Path(path), pattern)

    pixels = np.empty((len(files), 3, *shape), dtype=np.uint8)

    def read(index: int) -> Exception | None:
        try:
            pixels[index] = decode(files[index], shape, background)
        except Exception as error:  # decoders of damaged files raise anything
            return error
        return None

    with ThreadPoolExecutor(threads) as executor:
        outcomes = executor.map(read, range(len(files)))
        bar = tqdm(outcomes, "Decoding", total=len(files), unit="file", disable=not progress)
        errors = list(bar)
    unreadable = [
        f"{file} ({error})" for file, error in zip(files, errors, strict=True) if error is not None
    ]
    if not unreadable:
        return Images(torch.from_numpy(pixels))
    report = f"{len(unreadable)} of {len(files)} files cannot be read: {'; '.join(unreadable)}."
    if on_error == "raise" or len(unreadable) == len(files):
        raise ValueError(f'{report} Remove or repair them, or pass on_error="skip".')
    warnings.warn(f"{report} They are left out.", stacklevel=2)
    return Images(torch.from_numpy(pixels[[error is None for error in errors]]))


def _shape(resolution: int | tuple[int, int]) -> tuple[int, int]:
    """Height and width in pixels."""
    if isinstance(resolution, tuple):
        if len(resolution) != 2:
            raise ValueError(f"resolution must be a number or (height, width); got {resolution}.")
        return whole(resolution[0], "height"), whole(resolution[1], "width")
    return (whole(resolution, "resolution"),) * 2


def _files(folder: Path, pattern: str | None) -> list[Path]:
    """The files to read, sorted."""
    if not folder.is_dir():
        raise ValueError(f"image_folder takes an existing folder; {folder} is none.")
    matching = folder.glob("**/*" if pattern is None else pattern)
    found = sorted(file for file in matching if file.is_file())
    if pattern is None:
        found = [
            file
            for file in found
            if file.suffix.lower() in SUFFIXES and not file.name.startswith(".")
        ]
    if not found:
        wanted = f"matching {pattern!r}" if pattern else f"ending with {', '.join(SUFFIXES)}"
        raise ValueError(f"{folder} holds no file {wanted}. Check the path, or pass pattern=.")
    return found
