"""Output folders: nothing of the user's is overwritten unasked, and errors come before the work."""

from collections.abc import Sequence
from pathlib import Path

from inftydiff import _writing

__all__ = ["MOST_PICTURES", "require_free", "require_writable"]

MOST_PICTURES = 10**6
"""The most pictures that one command draws or reads."""


def require_free(folder: Path, own: Sequence[str], *, overwrite: bool) -> None:
    """Refuse an output folder that has content, without touching it.

    Args:
        folder: the folder.
        own: the names that will be written there.
        overwrite: allow content; what has one of the names will be replaced.

    Raises:
        ValueError: if the folder is a file, or has content and it may not be overwritten.
    """
    if folder.exists() and not folder.is_dir():
        raise ValueError(
            f"{folder} is a file, and a folder is to be written there. Choose another --out."
        )
    entries = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    if entries and not overwrite:
        shown = ", ".join(entries[:3]) + (", …" if len(entries) > 3 else "")
        raise ValueError(
            f"{folder} is not empty ({shown}). Choose another --out, or pass --overwrite to "
            f"replace {', '.join(own)} there; other files stay."
        )


def require_writable(folder: Path) -> None:
    """Refuse a folder that cannot be written to, or cannot be made, without making it.

    Raises:
        ValueError: if so.
    """
    _writing.require_writable(folder, "Choose another --out.")
