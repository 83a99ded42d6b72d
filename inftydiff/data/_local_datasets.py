"""What the loaders of public data sets share: finding the user's own copy, and its splits."""

import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from inftydiff._typing import a_path
from inftydiff.data._files import pictures_below
from inftydiff.data._resize import Reduction, pixel_shape
from inftydiff.data.lazy import FileSource, LazyImages, OnError

__all__ = ["Split", "numbered", "require_root", "sized_folder", "wanted_files", "warn_incomplete"]

Split = Literal["train", "validation", "test", "all"]
"""The parts of a data set."""


def require_root(root: str | Path, what: str) -> Path:
    """The folder of a copy.

    Raises:
        TypeError: if the root is no path.
        ValueError: if it does not exist.
    """
    folder = a_path(root, "root")
    if not folder.is_dir():
        raise ValueError(
            f"{what} is read from a folder of yours; {folder} is none. Give the folder of a copy."
        )
    return folder


def sized_folder(
    roots: Sequence[Path],
    size_of: Callable[[str], int | None],
    resolution: int | tuple[int, int],
    what: str,
    layout: str,
) -> Path:
    """Of the folders that hold one data set at several sizes, the smallest that is large enough.

    Args:
        roots: where to look; a root may be such a folder itself.
        size_of: the pixels a side that a folder's name stands for, or None for other folders.
        resolution: the wanted pixels a side, or height and width.
        what: the data set's name.
        layout: what is expected where, for the error.

    Raises:
        ValueError: if there is none, or all are too small.
    """
    candidates = {root: size_of(root.resolve().name) for root in roots}
    for root in roots:
        if root.is_dir():
            candidates |= {f: size_of(f.name) for f in sorted(root.iterdir()) if f.is_dir()}
    sizes = {folder: size for folder, size in candidates.items() if size is not None}
    if not sizes:
        raise ValueError(
            f"{roots[0]} holds no copy of {what}. Expected there: {layout}. Complete the copy, or "
            "give its folder."
        )
    wanted = max(pixel_shape(resolution))
    enough = {folder: size for folder, size in sizes.items() if size >= wanted}
    if not enough:
        raise ValueError(
            f"{wanted} pixels a side are asked for, and {what} is there at "
            f"{', '.join(str(size) for size in sorted(set(sizes.values())))} only. Ask for fewer, "
            f"or get a larger copy: {layout}."
        )
    return min(enough, key=lambda folder: (enough[folder], str(folder)))


def numbered(folder: Path, what: str, layout: str) -> dict[int, str]:
    """The pictures of a folder and its subfolders whose names are numbers, by number, in order.

    Raises:
        ValueError: if there are none, or two have one number.
    """
    found: dict[int, str] = {}
    for file in sorted(pictures_below(folder)):
        if re.fullmatch(r"[0-9]+", file.stem) is None:
            continue
        number, name = int(file.stem), file.relative_to(folder).as_posix()
        if number in found:
            raise ValueError(
                f"{folder} holds picture {number} of {what} twice, as {found[number]} and {name}. "
                "Keep one."
            )
        found[number] = name
    if not found:
        raise ValueError(
            f"{folder} holds no pictures of {what}. Expected: {layout}. Complete the copy, or give "
            "its folder."
        )
    return dict(sorted(found.items()))


def wanted_files(
    folder: Path,
    files: Mapping[int, str],
    wanted: Sequence[int],
    resolution: int | tuple[int, int],
    on_error: OnError,
    what: str,
) -> LazyImages:
    """The pictures of the wanted numbers, as far as they are there.

    Raises:
        ValueError: if none is.
    """
    names = tuple(files[number] for number in wanted if number in files)
    if not names:
        raise ValueError(
            f"{folder} holds none of the {len(wanted)} pictures of {what}; the numbers there are "
            f"{min(files)} to {max(files)}. Complete the copy."
        )
    warn_incomplete(folder, len(names), len(wanted), what)
    return LazyImages(FileSource(folder, names), Reduction(pixel_shape(resolution)), on_error)


def warn_incomplete(
    folder: Path, count: int, complete: int, what: str, stacklevel: int = 4
) -> None:
    """Warn if a copy does not have as many pictures as the data set."""
    if count != complete:
        warnings.warn(
            f"{folder} holds {count} of the {complete} pictures of {what}.", stacklevel=stacklevel
        )
