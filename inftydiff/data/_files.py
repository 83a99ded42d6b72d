"""Which files of a folder count as pictures, and in which order.

Links to folders are followed, and each folder is searched once, so that a link to a folder above
ends there. Files whose names start with a dot are left out.
"""

import os
import warnings
from collections import defaultdict
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePath

from inftydiff._typing import instance

__all__ = ["picture_files", "pictures_below"]

ANY_FOLDERS = "**"
"""The part of a pattern that stands for any number of folders."""

_TOLD: set[str] = set()
"""The warnings of what is left out that this process has given, each once."""

SHUT = "folder that cannot be searched"
"""The name in messages of folders that may not be looked into."""


def picture_files(folder: Path, pattern: str | None) -> list[Path]:
    """The picture files of a folder and its subfolders, sorted by path.

    What is left out is counted and named in a warning, once in each process: files whose names end
    otherwise, what is no file, such as a link to nowhere, and folders that may not be searched.

    Args:
        folder: the folder.
        pattern: a glob relative to the folder; by default every file whose name ends as those of a
            format that PIL decodes, in capitals or not, and starts with no dot.

    Raises:
        TypeError: if the pattern is no text.
        ValueError: if the folder does not exist or has no such file, or the pattern is not
            relative.
    """
    if not folder.is_dir():
        raise ValueError(
            f"Reading pictures takes an existing folder; {folder} is none. Check the path."
        )
    ends = _suffixes()
    found: set[Path] = set()
    left_out: dict[str, set[Path]] = defaultdict(set)
    for entry in _matching(folder, _parts(pattern), left_out[SHUT]):
        path = Path(entry.path)
        if _is_folder(entry) or (pattern is None and entry.name.startswith(".")):
            continue
        if not _is_file(entry):
            left_out["no file"].add(path)
        elif pattern is None and path.suffix.lower() not in ends:
            left_out[path.suffix.lower() or "no suffix"].add(path)
        else:
            found.add(path)
    others = "; ".join(
        f"{len(paths)} × {kind} ({min(paths).relative_to(folder)}{', …' * (len(paths) > 1)})"
        for kind, paths in sorted(left_out.items())
        if paths
    )
    if not found:
        wanted = f"matching {pattern!r}" if pattern else "ending with .jpg, .png or the like"
        there = f" Left out: {others}." if others else ""
        raise ValueError(
            f"{folder} holds no file {wanted}.{there} Check the path, or pass pattern=."
        )
    count = sum(map(len, left_out.values()))
    told = f"{folder}: {len(found)} pictures are found, and {count} others are left out: {others}."
    if others and told not in _TOLD:
        warnings.warn(told, stacklevel=3)
        _TOLD.add(told)
    return sorted(found)


def pictures_below(folder: Path) -> Iterator[Path]:
    """The files of a folder and its subfolders that are pictures by their names, in any order."""
    ends = _suffixes()
    for entry in _matching(folder, _parts(None), set()):
        path = Path(entry.path)
        if not entry.name.startswith(".") and path.suffix.lower() in ends and _is_file(entry):
            yield path


def _suffixes() -> frozenset[str]:
    """Return the endings of names of pictures, in lower case."""
    from inftydiff.data._opening import suffixes

    return suffixes()


def _parts(pattern: str | None) -> Sequence[str]:
    """The parts of a pattern."""
    if pattern is None:
        return ANY_FOLDERS, "*"
    parts = PurePath(instance(pattern, str, "pattern")).parts
    if not parts or PurePath(pattern).is_absolute() or ".." in parts:
        raise ValueError(
            f"A pattern is relative to the folder, such as '*/*.jpg', and stays in it; got "
            f"{pattern!r}."
        )
    return parts


def _matching(folder: Path, parts: Sequence[str], shut: set[Path]) -> Iterator[os.DirEntry[str]]:
    """Yield what matches the parts of a pattern in a folder, some of it perhaps more than once.

    Args:
        folder: the folder.
        parts: those of the pattern.
        shut: where folders that may not be searched are noted.
    """
    first, *others = parts
    if first == ANY_FOLDERS:
        for inner in _folders(folder, shut) if others else ():
            yield from _matching(inner, others, shut)
        return
    for entry in _entries(folder, shut):
        if fnmatchcase(entry.name, first):
            if not others:
                yield entry
            elif _is_folder(entry):
                yield from _matching(Path(entry.path), others, shut)


def _folders(folder: Path, shut: set[Path]) -> Iterator[Path]:
    """A folder and those below it, each once; one that is also linked to has its own path.

    Args:
        folder: the folder.
        shut: where folders that may not be searched are noted.
    """
    waiting, seen = [folder], set()
    links: list[Path] = []
    while waiting or links:
        if not waiting:
            links.sort(reverse=True)
            waiting.append(links.pop())
        inner = waiting.pop()
        try:
            status = inner.stat()
        except OSError:
            shut.add(inner)
            continue
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        yield inner
        for entry in _entries(inner, shut):
            if _is_folder(entry):
                (links if entry.is_symlink() else waiting).append(Path(entry.path))


def _entries(folder: Path, shut: set[Path]) -> list[os.DirEntry[str]]:
    """List what a folder holds."""
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        shut.add(folder)
        return []


def _is_file(entry: os.DirEntry[str]) -> bool:
    """Say whether an entry is a regular file, or a link to one."""
    try:
        return entry.is_file()
    except OSError:  # links in a circle
        return False


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Say whether an entry is a folder, or a link to one."""
    try:
        return entry.is_dir()
    except OSError:  # links in a circle
        return False
