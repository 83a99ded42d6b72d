"""Files and folders that appear whole or not at all.

What is written lies beside its place until it is on the disk, and is then renamed. So a full disk,
a kill or an error leaves what was there before. A link at the place is replaced, and what it leads
to is left alone.
"""

import os
import platform
import re
import secrets
import shutil
import stat
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import final

__all__ = [
    "MARK",
    "NotWritten",
    "append_line",
    "flush",
    "reason",
    "require_writable",
    "sweep",
    "unfinished",
    "whole_file",
    "whole_folder",
]

MARK = ".tmp-"
"""The beginning of the names of unfinished files and folders."""

HOST = f"{zlib.crc32(platform.node().encode()):08x}"
"""The part of such a name for this machine, before the number of the process."""


OWNED = re.compile(rf"{re.escape(MARK)}{HOST}-(\d+)-[0-9a-f]{{8}}(?:\.\w+)?")
"""The names of what this machine has not finished."""


@final
class NotWritten(OSError):
    """A file or folder could not be written, and is named.

    Args:
        path: which.
        why: what went wrong, in words.
    """

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(
            f"{path} could not be written: {why}. What was there before is as it was; make room "
            "there, or choose another place."
        )
        self.path = path
        self.why = why


@contextmanager
def whole_file(file: str | Path) -> Iterator[Path]:
    """Give a path to write a file to, and put what was written there in the place of another.

    A pipe or a device at the place is written to directly.

    Args:
        file: where the file shall be; its folder is made if need be.

    Yields:
        The path to write to, with the same suffix.

    Raises:
        OSError: if the file cannot be written; the message names it, and what was there before is
            as it was.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with whole_file(f"{folder}/a.txt") as partial:
        ...         _ = partial.write_text("all of it")
        ...     Path(folder, "a.txt").read_text()
        'all of it'
    """
    file = Path(file)
    with _told(file):
        if _is_stream(file):
            yield file
            return
        if file.is_dir() and not file.is_symlink():
            raise IsADirectoryError(
                f"{file} is a folder, and a file is to be written there. Choose another name, or "
                "remove the folder."
            )
        partial = unfinished(file.parent, file.suffix)
        with _parents(file):
            try:
                yield partial
                flush(partial)
                os.replace(partial, file)
                flush(file.parent)
                sweep(file.parent)
            finally:
                partial.unlink(missing_ok=True)


@contextmanager
def whole_folder(folder: str | Path, *, last: str | None = None) -> Iterator[Path]:
    """Give a folder to write files to, and put all of them in their places when all are written.

    A folder that is not there before appears with all of its files. In one that is, files of the
    same names are replaced one after another, and others stay.

    Args:
        folder: where the files shall be.
        last: the name of the file that is put in its place after all others.

    Yields:
        The folder to write to.

    Raises:
        OSError: if they cannot be written; the message names the folder, and what was there before
            is as it was.
    """
    folder = Path(folder)
    with _told(folder), _parents(folder):
        there = folder.is_dir()
        partial = unfinished(folder if there else folder.parent)
        try:
            partial.mkdir()
            yield partial
            written = sorted(partial.iterdir(), key=lambda path: (path.name == last, path.name))
            for path in [*written, partial]:
                flush(path)
            if there:
                for path in written:
                    os.replace(path, folder / path.name)
            else:
                os.replace(partial, folder)
            flush(partial.parent)
            sweep(partial.parent)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def append_line(file: Path, line: str) -> None:
    """Add a line to a file, which is made if need be, and never through a link.

    Raises:
        OSError: if the file is a link or cannot be written.
    """
    with _told(file):
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        if file.is_symlink():
            raise OSError("it is a link, which is not followed; remove it")
        handle = os.open(file, flags | getattr(os, "O_NONBLOCK", 0), 0o666)
        with open(handle, "a", encoding="utf-8") as opened:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise OSError("it is no regular file; remove it")
            opened.write(line + "\n")


def unfinished(folder: Path, suffix: str = "") -> Path:
    """Return a new name for what is to be written in a folder."""
    return folder / f"{MARK}{HOST}-{os.getpid()}-{secrets.token_hex(4)}{suffix}"


def sweep(folder: Path) -> None:
    """Remove what processes of this machine that are no more have left unfinished in a folder."""
    for old in folder.glob(f"{MARK}{HOST}-*"):
        found = OWNED.fullmatch(old.name)
        if found and not old.is_symlink() and _ended(int(found[1])):
            if old.is_dir():
                shutil.rmtree(old, ignore_errors=True)
            else:
                old.unlink(missing_ok=True)


def _ended(process: int) -> bool:
    """Tell whether there is no such process; where systems cannot tell, there may be one."""
    if os.name != "posix":
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


@contextmanager
def _parents(path: Path) -> Iterator[None]:
    """Make the folders above a path, and remove those made if they are to stay empty."""
    missing = [parent for parent in path.parents if not parent.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        for parent in missing:
            with suppress(OSError):
                parent.rmdir()
        raise


def require_writable(folder: Path, advice: str) -> None:
    """Refuse a folder that cannot be written to, or cannot be made, without making it.

    Args:
        folder: the folder.
        advice: what to do, a sentence.

    Raises:
        ValueError: if so.
    """
    nearest = next(path for path in [folder, *folder.absolute().parents] if path.exists())
    try:
        with tempfile.TemporaryFile(dir=nearest):
            pass
    except OSError as error:
        raise ValueError(
            f"{folder} cannot be written to: {nearest}: {error.strerror}. {advice}"
        ) from error


def flush(path: Path) -> None:
    """Wait until a file or folder is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def reason(error: Exception) -> str:
    """Say what went wrong with a file: an error of the system without its number and path."""
    if isinstance(error, NotWritten):
        return error.why
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Name the file or folder that an error of the system is about."""
    try:
        yield
    except OSError as error:  # that of a file in an unfinished folder, too
        raise NotWritten(path, reason(error).removesuffix(".")) from error


def _is_stream(file: Path) -> bool:
    """Tell whether there is a pipe or a device, which has no content that could be replaced."""
    try:
        mode = file.stat().st_mode
    except OSError:
        return False
    return file.parent == Path("/dev") or not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))
