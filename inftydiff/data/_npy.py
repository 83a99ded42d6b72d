"""Files of arrays, ``.npy`` and ``.npz``: as much is read as is there, and nothing is unpickled.

What a file's header declares is compared with the file before memory is taken for it. Rows of a
``.npy`` file are read by their place, not mapped: where a file that is mapped becomes shorter, the
system ends the program.
"""

import os
import stat
import zipfile
from dataclasses import dataclass
from io import BufferedIOBase, BufferedReader
from math import prod
from pathlib import Path
from typing import Any, final

import numpy as np
import numpy.typing as npt

__all__ = ["NpyFile", "read_array"]

ZIP = b"PK"
"""The beginning of an ``.npz`` file."""

INFLATED, RATIO = 2**27, 64
"""A compressed array may be this many bytes, or else this many times as many as its file.

A file of a few megabytes then takes less than half a gigabyte, with the copy that is made where the
channels are last.
"""

PIECE = 2**24
"""Bytes read at once."""

NO_WAITING = getattr(os, "O_NONBLOCK", 0)
"""The flag that lets a pipe be opened that nobody writes to, where systems have one."""


@final
@dataclass(frozen=True)
class _Header:
    """The kind, the shape and the place of an array in its file.

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
        descriptor = _descriptor(self.path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        try:
            if self._header.fortran:
                return self._column(descriptor, index)
            return self._part(descriptor, index * prod(self.shape[1:]), self.shape[1:])
        finally:
            os.close(descriptor)

    def _column(self, descriptor: int, index: int) -> npt.NDArray[Any]:
        """A row of a file in Fortran order, which has it scattered."""
        count, *inner = self.shape
        values = np.empty(prod(inner), self.dtype)
        step = max(1, PIECE // (count * self.dtype.itemsize))
        for start in range(0, len(values), step):
            part = values[start : start + step]
            part[...] = self._part(descriptor, start * count, (len(part), count))[:, index]
        return values.reshape(inner[::-1]).T

    def _part(self, descriptor: int, start: int, shape: tuple[int, ...]) -> npt.NDArray[Any]:
        """Numbers that follow each other in the file."""
        size = prod(shape) * self.dtype.itemsize
        os.lseek(descriptor, self._header.offset + start * self.dtype.itemsize, os.SEEK_SET)
        content = os.read(descriptor, size)
        while len(content) < size:
            more = os.read(descriptor, size - len(content))
            if not more:
                raise ValueError(f"it ends {size - len(content)} bytes too early")
            content += more
        return np.frombuffer(content, self.dtype).reshape(shape)


def read_array(path: Path, name: str | None = None) -> npt.NDArray[Any]:
    """The array of a ``.npy`` file, or one of an ``.npz`` file.

    Args:
        path: the file.
        name: which of an ``.npz`` file's arrays; by default the only one.

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
            if name is not None:
                raise ValueError(f"it holds one array without a name, and {name!r} is wanted")
            return _whole(stream, _length(stream))
        with zipfile.ZipFile(stream) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            names = ", ".join(members)
            if name is not None and name not in members:
                raise ValueError(f"it holds no {name!r} among its {len(members)} arrays ({names})")
            if name is None and len(members) != 1:
                raise ValueError(f"it holds {len(members)} arrays ({names}), and one is wanted")
            info = members[names if name is None else name]
            size, packed = info.file_size, min(info.compress_size, _length(stream))
            if size > max(INFLATED, RATIO * packed):
                raise ValueError(
                    f"its {packed} bytes would become {size}, more than {RATIO} times as many; if "
                    "they are to, write it uncompressed by np.save"
                )
            with archive.open(info) as member:
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


def _fill(stream: BufferedIOBase, content: npt.NDArray[np.uint8]) -> None:
    """Read as many bytes as there is place for."""
    done = 0
    while done < len(content):
        count = stream.readinto(content[done : done + PIECE].data)
        if not count:
            raise ValueError(f"it ends {len(content) - done} bytes too early")
        done += count


def _regular(path: Path) -> BufferedReader:
    """Open a file to read from; what is no file, such as a pipe, may have no end."""
    return open(path, "rb", opener=_descriptor)


def _descriptor(path: str | Path, flags: int) -> int:
    """Open a file without waiting for a pipe's other end, and refuse it if it is none."""
    descriptor = os.open(path, flags | NO_WAITING)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ValueError("it is no regular file")
    return descriptor


def _length(stream: BufferedIOBase) -> int:
    """Bytes of an open file."""
    place = stream.tell()
    length = stream.seek(0, 2)
    stream.seek(place)
    return length
