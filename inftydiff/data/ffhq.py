"""FFHQ from the user's own copy."""

import re
from pathlib import Path
from typing import Literal

from inftydiff._typing import instance
from inftydiff.data._local_datasets import numbered, require_root, sized_folder, wanted_files
from inftydiff.data.lazy import LazyImages, OnError

__all__ = ["ffhq"]

SPLITS = {"train": range(60_000), "validation": range(60_000, 70_000), "all": range(70_000)}

LAYOUT = (
    "images1024x1024/00000/00000.png to 69000/69999.png or thumbnails128x128/00000/00000.png to "
    "69000/69999.png (or without the folders of a thousand, or another size)"
)


def ffhq(
    root: str | Path,
    split: Literal["train", "validation", "all"] = "train",
    resolution: int | tuple[int, int] = 256,
    *,
    on_error: OnError = "raise",
) -> LazyImages:
    """The faces of Flickr-Faces-HQ, decoded when asked for.

    Of ``images1024x1024``, ``thumbnails128x128`` and other sizes, the smallest that is large enough
    is read. The splits are those of its authors: the first 60,000 pictures and the other 10,000.

    Args:
        root: the folder that holds these, or one of them.
        split: ``"train"``, ``"validation"`` or ``"all"``.
        resolution: pixels a side, or ``(height, width)`` in pixels.
        on_error: what a damaged file does, see ``LazyImages``.

    Raises:
        ModuleNotFoundError: if the ``train`` extra is not installed.
        TypeError: if an argument is of another kind.
        ValueError: if there is no such folder or split, or the copy is smaller than asked for; the
            message says what is expected where. An incomplete copy is a warning.

    Example:
        From the thumbnails, if they are there::

            faces = ffhq("/data/ffhq", "train", 64)
    """
    instance(split, str, "split")
    if split not in SPLITS:
        raise ValueError(f"The splits are {', '.join(SPLITS)}; got {split!r}.")
    folder = require_root(root, "FFHQ")
    pictures = sized_folder([folder], _size, resolution, "FFHQ", LAYOUT)
    files = numbered(pictures, "FFHQ", LAYOUT)
    what = "FFHQ" if split == "all" else f"FFHQ's split {split!r}"
    return wanted_files(pictures, files, SPLITS[split], resolution, on_error, what)


def _size(name: str) -> int | None:
    """The pixels a side that a folder's name stands for."""
    match = re.fullmatch(r"(?:images|thumbnails)(\d+)x\1", name)
    return None if match is None else int(match[1])
