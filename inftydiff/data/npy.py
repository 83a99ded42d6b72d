"""Files of arrays, ``.npy`` and ``.npz``: as much is read as is there, and nothing is unpickled.

What a file's header declares is compared with the file before memory is taken for it. Rows of a
``.npy`` file are read by their place, not mapped: where a file that is mapped becomes shorter, the
system ends the program.
"""

import zipfile
from dataclasses import dataclass
from io import BufferedIOBase
from math import prod
from pathlib import Path
from typing import Any, final

import numpy as np
import numpy.typing as npt

__all__ = ["NpyFile", "read_array"]

ZIP = b"PK"
"""What an ``.npz`` file begins with."""

INFLATED, RATIO = 2**28, 250
"""A compressed array may be this many bytes, or else this many times as many as its file."""

PIECE = 2**24
"""Bytes read at once."""


@final
@dataclass(frozen=True)
class _Header:
    """What an array is, and where it begins.

    Args:
        shape: its shape.
        dtype: its numbers.
        fortran: whether its first axis runs fastest.
        offset: the bytes before it.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool
    offset: int

    @property
    def size(self) -> int:
        """Bytes of the array."""
        return prod(self.shape) * self.dtype.itemsize

    @staticmethod
    def read(stream: BufferedIOBase, available: int) -> "_Header":
        """Read the head of an array.

        Args:
            stream: what begins with it.
            available: bytes that there are, the head's included.

        Raises:
            ValueError: if it is none, it holds Python objects, or more bytes than there are.
                Damaged heads raise anything.
        """
        version = np.lib.format.read_magic(stream)
        if version == (1, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
        elif version == (2, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_2_0(stream)
        else:
            raise ValueError(f"it has version {version} of the format; write it anew")
        offset = stream.tell()
        if dtype.hasobject:
            raise ValueError("it holds Python objects, which are not read")
        header = _Header(shape, dtype, fortran, offset)
        if any(size < 0 for size in shape) or offset + header.size > available:
            raise ValueError(
                f"it declares {dtype} of shape {shape}, {header.size} bytes, and has "
                f"{available - offset}; it was cut short, or never complete"
            )
        return header


@final
@dataclass(frozen=True)
class NpyFile:
    """The array of a ``.npy`` file, read row by row.

    Args:
        path: the file.
        shape: the array's shape.
        dtype: its numbers.
    """

    path: Path
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    _header: _Header

    @staticmethod
    def open(path: Path) -> "NpyFile":
        """Read the head of a file.

        Raises:
            OSError: if the file cannot be read.
            ValueError: if it is no such file, or shorter than its array. Damaged heads raise
                anything.
        """
        with _regular(path) as stream:
            header = _Header.read(stream, _length(stream))
        return NpyFile(path, header.shape, header.dtype, header)

    def row(self, index: int) -> npt.NDArray[Any]:
        """The part of the array at a place of its first axis.

        Args:
            index: the place, from 0.

        Raises:
            OSError: if the file cannot be read.
            ValueError: if it has become shorter.
        """
        count, *inner = self.shape
        with _regular(self.path) as stream:
            if not self._header.fortran:
                size = prod(inner) * self.dtype.itemsize
                content = _bytes(stream, self._header.offset + index * size, size)
                return content.view(self.dtype).reshape(inner)
            values = np.empty(prod(inner), self.dtype)  # one of each count
            step = max(1, PIECE // (count * self.dtype.itemsize))
            for start in range(0, len(values), step):
                part = values[start : start + step]
                place = self._header.offset + start * count * self.dtype.itemsize
                content = _bytes(stream, place, len(part) * count * self.dtype.itemsize)
                part[...] = content.view(self.dtype).reshape(len(part), count)[:, index]
        return values.reshape(inner[::-1]).T


def read_array(path: Path) -> npt.NDArray[Any]:
    """The array of a ``.npy`` file, or the only one of an ``.npz`` file.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it does not hold one array, holds Python objects, is shorter than its array,
            or was compressed so far that its array is out of proportion. Damaged files raise
            anything.
    """
    with _regular(path) as stream:
        begins = stream.read(len(ZIP))
        stream.seek(0)
        if begins != ZIP:
            return _whole(stream, _length(stream))
        with zipfile.ZipFile(stream) as archive:
            members = archive.infolist()
            names = ", ".join(member.filename.removesuffix(".npy") for member in members)
            if len(members) != 1:
                raise ValueError(f"it holds {len(members)} arrays ({names}), and one is wanted")
            size = members[0].file_size
            packed = min(members[0].compress_size, _length(stream))
            if size > max(INFLATED, RATIO * packed):
                raise ValueError(
                    f"its {packed} bytes would become {size}, more than {RATIO} times as many; if "
                    "they are to, write it uncompressed by np.save"
                )
            with archive.open(members[0]) as member:
                assert isinstance(member, zipfile.ZipExtFile)
                return _whole(member, size)


def _whole(stream: BufferedIOBase, available: int) -> npt.NDArray[Any]:
    """All of an array."""
    header = _Header.read(stream, available)
    content = np.empty(header.size, np.uint8)
    _fill(stream, content)
    stream.read(1)  # at its end, a compressed file is compared with its check sum
    values = content.view(header.dtype)
    if header.fortran:
        return values.reshape(header.shape[::-1]).T
    return values.reshape(header.shape)


def _bytes(stream: BufferedIOBase, place: int, size: int) -> npt.NDArray[np.uint8]:
    """So many bytes from a place on."""
    content = np.empty(size, np.uint8)
    stream.seek(place)
    _fill(stream, content)
    return content


def _fill(stream: BufferedIOBase, content: npt.NDArray[np.uint8]) -> None:
    """Read as many bytes as there is place for."""
    done = 0
    while done < len(content):
        count = stream.readinto(content[done : done + PIECE].data)
        if not count:
            raise ValueError(f"it ends {len(content) - done} bytes too early")
        done += count


def _regular(path: Path) -> BufferedIOBase:
    """Open a file to read from; what is no file, such as a pipe, may have no end."""
    if path.exists() and not path.is_file():
        raise ValueError("it is no regular file")
    return path.open("rb")


def _length(stream: BufferedIOBase) -> int:
    """Bytes of an open file."""
    place = stream.tell()
    length = stream.seek(0, 2)
    stream.seek(place)
    return length
