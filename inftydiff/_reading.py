"""Reading what strangers wrote: regular files within a folder, and JSON within bounds.

A folder of a model or of a run is read as it lies: its files are regular files in it. A link that
leads out of it is refused, and so are pipes and devices, which would be waited for without end.
"""

import json
import math
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn

__all__ = ["LARGEST_NUMBER", "parse_json", "read_json", "read_text", "require_regular"]

LARGEST_TEXT = 2**24
"""The bytes of the longest text that is read."""

LARGEST_NUMBER = 2**63
"""Integers of a text are below this in size."""

MOST_LEVELS = 64
"""The most mappings and lists within each other in a text."""


def require_regular(file: Path, *, within: Path | None = None) -> Path:
    """Refuse what is no regular file, or lies outside of a folder.

    A folder ``snapshots/…`` of the Hub's cache links to the ``blobs`` beside ``snapshots``, and
    these count as inside.

    Args:
        file: the file.
        within: the folder that links may not lead out of.

    Returns:
        The file.

    Raises:
        FileNotFoundError: if it does not exist, or is a link to nothing.
        ValueError: if it is something else than a file, or a link that leads out of the folder.
    """
    try:
        mode = file.stat().st_mode
    except OSError as error:
        if file.is_symlink():
            raise ValueError(
                f"{file} is a link that cannot be followed: {error.strerror}. Put the file itself "
                "there."
            ) from error
        raise
    if stat.S_ISDIR(mode):
        raise ValueError(f"{file} is a folder, and a file is read there. Name a file.")
    if not stat.S_ISREG(mode):
        raise ValueError(f"{file} is no regular file. Put the file itself there.")
    if within is not None and not _inside(file, within):
        raise ValueError(
            f"{file} is a link to {os.path.realpath(file)}, which is outside of {within}, and is "
            "not followed. Put the file itself there."
        )
    return file


def read_text(file: Path, *, within: Path | None = None, largest: int = LARGEST_TEXT) -> str:
    """Read a text in UTF-8.

    Args:
        file: the file.
        within: the folder that links may not lead out of.
        largest: the number of bytes that it may have.

    Raises:
        FileNotFoundError: as :func:`require_regular`.
        OSError: if it cannot be read.
        ValueError: as :func:`require_regular`, or if the file is larger, or not in UTF-8.
    """
    require_regular(file, within=within)
    with file.open("rb") as opened:
        content = opened.read(largest + 1)
    if len(content) > largest:
        raise ValueError(
            f"{file} has more than {largest} bytes, too many for such a file. Name a smaller one."
        )
    return content.decode("utf-8")


def read_json(file: Path, *, within: Path | None = None) -> Any:
    """Read a file of JSON, see :func:`read_text` and :func:`parse_json`."""
    return parse_json(read_text(file, within=within))


def parse_json(text: str) -> Any:
    """Parse JSON, with each number finite, each key once in its mapping, and at most 64 levels.

    Raises:
        ValueError: if the text is not such JSON.

    Example:
        >>> parse_json('{"width": 1e999}')
        Traceback (most recent call last):
            ...
        ValueError: 1e999 is not a finite number; replace it
    """
    deep = "the text is nested too deeply for a record; make it flatter"
    try:
        parsed = json.loads(
            text,
            parse_constant=_refuse_constant,
            parse_float=_finite,
            parse_int=_bounded,
            object_pairs_hook=_unique,
        )
    except RecursionError:
        raise ValueError(deep) from None
    level = _holders([parsed])
    for _ in range(MOST_LEVELS):
        level = _holders(inner for each in level for inner in _held(each))
    if level:
        raise ValueError(deep)
    return parsed


def _holders(values: Iterable[Any]) -> list[Any]:
    """The mappings and lists among some values."""
    return [value for value in values if isinstance(value, dict | list)]


def _held(value: Any) -> Iterable[Any]:
    """Return the values of a mapping or a list."""
    return value.values() if isinstance(value, dict) else value


def _refuse_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a finite number; replace it")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{_short(digits)} is not a finite number; replace it")
    return number


def _bounded(digits: str) -> int:
    if len(digits) > 20 or abs(int(digits)) >= LARGEST_NUMBER:
        raise ValueError(f"{_short(digits)} is too large; integers are below 2^63 here; replace it")
    return int(digits)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r} occurs twice; state it once")
    return record


def _short(digits: str) -> str:
    return digits if len(digits) <= 20 else f"{digits[:12]}… ({len(digits)} digits)"


def _inside(file: Path, folder: Path) -> bool:
    home = Path(os.path.realpath(folder))
    homes = [home, home.parent.parent / "blobs"] if home.parent.name == "snapshots" else [home]
    return any(Path(os.path.realpath(file)).is_relative_to(place) for place in homes)
