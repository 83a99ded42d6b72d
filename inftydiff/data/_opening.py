"""Picture files, opened: by which formats, and with what goes wrong said in a few words.

A file is read by what it holds, not by its name, in every format that PIL decodes by itself, those
of PIL's plug-ins included. Left out are formats that run another program (EPS) or that PIL names
without decoding them.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

from inftydiff._extras import extra
from inftydiff.data._depth import refuse_deep

with extra("train"):
    from PIL import Image, UnidentifiedImageError

__all__ = ["large_pictures", "named", "opened", "suffixes"]

REFUSED = frozenset({"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"})
"""Formats that PIL cannot decode by itself; for EPS it runs Ghostscript."""

IN_JPEG = "MPO"
"""A format that PIL opens as JPEG."""


def _formats() -> tuple[str, ...]:
    """The formats that are read, in the order in which PIL tries them."""
    Image.init()
    return tuple(name for name in Image.ID if name not in REFUSED)


def suffixes() -> frozenset[str]:
    """Return the endings of names of pictures, in lower case, such as ``.jpg``.

    Example:
        >>> {".jfif", ".png", ".tga"} <= suffixes(), ".eps" in suffixes()
        (True, False)
    """
    formats = {*_formats(), IN_JPEG}
    return frozenset(end for end, name in Image.registered_extensions().items() if name in formats)


@contextmanager
def opened(file: Path | BytesIO) -> Iterator[Image.Image]:
    """Open a picture, whose pixels are not decoded yet.

    Args:
        file: a file, or the content of one.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it is no regular file, holds no picture, one of more pixels than PIL decodes,
            or one of more than eight bits a channel. Decoders of damaged files raise anything.
    """
    if isinstance(file, Path) and file.exists() and not file.is_file():
        raise ValueError("it is no regular file")
    try:
        image = Image.open(file, formats=_formats())
    except UnidentifiedImageError as error:
        raise ValueError("it holds no picture in a format that is read") from error
    except Image.DecompressionBombError as error:
        limit = 2 * (Image.MAX_IMAGE_PIXELS or 0)
        raise ValueError(f"it has more than {limit} pixels, the most that are decoded") from error
    with image:
        refuse_deep(image)
        yield image


@contextmanager
def named(file: Path) -> Iterator[None]:
    """Read one picture, and name its file where that fails.

    Raises:
        ValueError: if anything is raised.
    """
    try:
        with large_pictures():
            yield
    except Exception as error:  # decoders of damaged files raise anything
        raise ValueError(
            f"{file} cannot be read as a picture: {error}. Remove or replace it."
        ) from error


@contextmanager
def large_pictures() -> Iterator[None]:
    """Take pictures up to twice the size that PIL warns of, beyond which it refuses them.

    The filter of warnings belongs to the process: hold this in its main thread, and not for every
    picture of many.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        yield
