"""Pictures from a folder of image files, decoded at once and kept in memory."""

import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from inftydiff._extras import extra
from inftydiff._typing import (
    a_path,
    flag,
    whole,
)
from inftydiff.data._files import picture_files
from inftydiff.data._resize import Reduction, pixel_shape
from inftydiff.data.images import Images
from inftydiff.data.lazy import check_on_error

__all__ = ["image_folder"]


def image_folder(
    path: str | Path,
    resolution: int | tuple[int, int],
    *,
    pattern: str | None = None,
    channels: Literal[1, 3] = 3,
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
    ``ImageFolder`` does the same picture by picture, for folders that do not fit in memory.

    Args:
        path: the folder; its subfolders are searched too.
        resolution: pixels a side, or ``(height, width)`` in pixels.
        pattern: which files to read, as a glob relative to the folder, such as ``"*/*.jpg"``; by
            default every file whose name ends as those of a format that PIL decodes and starts with
            no dot. Links to folders are followed; files of other names are named in a warning.
        channels: 3 for colours (grey files get three equal channels), 1 for grey (colours become
            their luma).
        background: six hexadecimal digits, what shows through transparent pixels.
        workers: threads that decode; by default a few more than there are cores.
        progress: show a progress bar.
        on_error: ``"raise"`` names every file that cannot be read; ``"skip"`` warns of them and
            leaves them out.

    Returns:
        Eight-bit pictures, shape ``(n, channels, height, width)``.

    Raises:
        TypeError: if an argument is of another kind.
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
    from inftydiff.data._opening import large_pictures

    with extra("train"):
        from tqdm import tqdm

    reduction = Reduction(pixel_shape(resolution), channels, background)
    check_on_error(on_error)
    flag(progress, "progress")
    threads = None if workers is None else whole(workers, "workers")
    files = picture_files(a_path(path, "path"), pattern)

    pixels = np.empty((len(files), reduction.channels, *reduction.shape), dtype=np.uint8)

    def read(index: int) -> Exception | None:
        try:
            pixels[index] = reduction.decode(files[index])
        except Exception as error:  # decoders of damaged files raise anything
            return error
        return None

    with large_pictures(), ThreadPoolExecutor(threads) as executor:
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
