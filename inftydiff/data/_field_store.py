"""A folder of zarr that is read without following links out of it."""

import os
import stat
import struct
from collections.abc import Iterable
from typing import final

from inftydiff._extras import extra
from inftydiff.data._field_variable import MAX_BYTES

with extra("fields"):
    from zarr.abc.store import ByteRequest
    from zarr.core.buffer import Buffer, BufferPrototype
    from zarr.storage import LocalStore, WrapperStore

__all__ = ["Inside"]

METADATA = (".zarray", ".zattrs", ".zgroup", ".zmetadata", "zarr.json")

BLOSC = struct.Struct("<4xI4xI")
"""The first bytes of a part: how long it is when inflated, and how long it is."""


@final
class Inside(WrapperStore[LocalStore]):
    """A store whose every file is checked before it is read.

    Args:
        store: the folder.
        blosc: whether the parts of arrays are compressed by Blosc, which trusts their first bytes
            and reads on beyond the end of a part that was cut.
    """

    def __init__(self, store: LocalStore, *, blosc: bool = False) -> None:
        super().__init__(store)
        self.blosc = blosc

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """Read a file of the store, or the part of it in a range of bytes."""
        self._check(key, whole=byte_range is None)
        found = await self._store.get(key, prototype, byte_range)
        if self.blosc and found is not None and not key.endswith(METADATA):
            _check_blosc(found.to_bytes()[: BLOSC.size], len(found))
        return found

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        """Read parts of several files of the store."""
        asked = list(key_ranges)
        for key, byte_range in asked:
            self._check(key, whole=byte_range is None)
        return await self._store.get_partial_values(prototype, asked)

    def checking_blosc(self) -> "Inside":
        """The same folder, of an array that is compressed by Blosc."""
        return Inside(self._store, blosc=True)

    def _with_store(self, store: LocalStore) -> "Inside":
        return Inside(store, blosc=self.blosc)

    def _check(self, key: str, *, whole: bool) -> None:
        """Refuse links that leave the folder, what is no file, and what is too large to be read."""
        path = self._store.root / key
        try:
            found = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return
        root, real = os.path.realpath(self._store.root), os.path.realpath(path)
        if os.path.commonpath((root, real)) != root:
            raise OSError(f"{path} is a link to {real}, out of the store, and is not followed")
        if stat.S_ISDIR(found.st_mode):
            return
        if not stat.S_ISREG(found.st_mode):
            raise OSError(f"{path} is no regular file")
        if whole and found.st_size > MAX_BYTES:
            raise OSError(f"{path} has {found.st_size} bytes; up to {MAX_BYTES} are read at once")


def _check_blosc(head: bytes, length: int) -> None:
    """Refuse a part that is not as long as it says, or that inflates beyond bounds."""
    inflated, said = BLOSC.unpack(head) if len(head) == BLOSC.size else (0, -1)
    if said != length:
        raise OSError(f"a part of {length} bytes is damaged; whole, it has {max(said, BLOSC.size)}")
    if inflated > MAX_BYTES:
        raise OSError(f"a part inflates to {inflated} bytes; up to {MAX_BYTES} are read at once")
