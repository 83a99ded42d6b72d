"""Where rendered pictures are kept, and how their files are written and read.

A file appears whole or not at all: it is written beside its place under another name and moved
there in one step, so that processes that write the same file at once do not disturb each other. A
file carries check sums, so that a damaged one is told from a good one.
"""

import os
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from inftydiff._extras import extra
from inftydiff._writing import whole_file

__all__ = ["VARIABLE", "cache_folder", "load", "store"]

VARIABLE = "INFTYDIFF_CACHE"
"""The environment variable that moves the cache folder."""


def cache_folder() -> Path:
    """The folder of rendered pictures: ``INFTYDIFF_CACHE``, or the user's cache folder.

    It can be deleted at any time; what is missing is rendered again.

    Raises:
        ModuleNotFoundError: if the variable is not set and ``platformdirs`` is missing.

    Example:
        >>> import unittest.mock
        >>> with unittest.mock.patch.dict(os.environ, INFTYDIFF_CACHE="pictures"):
        ...     cache_folder().name
        'pictures'
    """
    if os.environ.get(VARIABLE):
        return Path(os.environ[VARIABLE])
    with extra("train"):
        from platformdirs import user_cache_path
    return user_cache_path("inftydiff", appauthor=False)


def store(file: Path, pixels: UInt8[ndarray, "n c h w"]) -> None:
    """Write pictures to a file in one step, replacing what is there.

    Raises:
        OSError: if it cannot be written; what is there stays.
    """
    with whole_file(file) as partial:
        np.savez_compressed(partial, pixels=pixels)


def load(file: Path, shape: tuple[int, int, int, int]) -> UInt8[ndarray, "n c h w"] | None:
    """Read pictures from a file.

    Returns:
        The pictures, or None if the file is missing, damaged, or holds something of another shape.
    """
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as content:
            pixels = content["pixels"]
    except Exception:  # damaged archives raise anything
        return None
    if not isinstance(pixels, ndarray) or pixels.shape != shape or pixels.dtype != np.uint8:
        return None
    return pixels
