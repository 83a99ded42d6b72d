"""Which files of a folder count as pictures, and in which order."""

from pathlib import Path

__all__ = ["SUFFIXES", "picture_files"]

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
"""What a file's name must end with to count as a picture where no pattern is given."""


def picture_files(folder: Path, pattern: str | None) -> list[Path]:
    """The picture files of a folder and its subfolders, sorted by path.

    Args:
        folder: the folder.
        pattern: a glob relative to the folder; by default every file whose name ends with one of
            ``SUFFIXES``, in capitals or not, and starts with no dot.

    Raises:
        ValueError: if the folder does not exist or has no such file.
    """
    if not folder.is_dir():
        raise ValueError(f"Reading pictures takes an existing folder; {folder} is none.")
    matching = folder.glob("**/*" if pattern is None else pattern)
    if pattern is None:
        matching = (
            file
            for file in matching
            if file.suffix.lower() in SUFFIXES and not file.name.startswith(".")
        )
    found = sorted(file for file in matching if file.is_file())
    if not found:
        wanted = f"matching {pattern!r}" if pattern else f"ending with {', '.join(SUFFIXES)}"
        raise ValueError(f"{folder} holds no file {wanted}. Check the path, or pass pattern=.")
    return found
