"""LSUN's churches from the user's own copy."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Literal, final

from jaxtyping import UInt8
from numpy import ndarray

from inftydiff._extras import extra
from inftydiff._typing import instance
from inftydiff.data._files import picture_files
from inftydiff.data._local_datasets import require_root, warn_incomplete
from inftydiff.data._resize import Reduction, pixel_shape
from inftydiff.data.lazy import FileSource, LazyImages, OnError, PictureSource

__all__ = ["LmdbSource", "lsun_church"]

NAMES = {"train": "church_outdoor_train", "validation": "church_outdoor_val"}
COUNTS = {"train": 126_227, "validation": 300}


@final
@dataclass(frozen=True)
class LmdbSource(PictureSource):
    """Encoded pictures in an LMDB database, as LSUN has them.

    The database is opened for each picture, which takes a small part of the time that decoding
    does, as its handles must neither be shared by a fork nor be opened twice.

    Args:
        path: the folder with ``data.mdb``.
        keys: the keys of the pictures.
    """

    path: Path
    keys: tuple[bytes, ...]

    @staticmethod
    def open(path: Path) -> "LmdbSource":
        """List the keys of a database, in its order.

        Raises:
            ModuleNotFoundError: if ``lmdb`` is not installed.
            ValueError: if the database cannot be read.
        """
        with extra("lsun"):
            import lmdb
        try:
            with _database(path) as database, database.begin() as reader:
                keys = tuple(reader.cursor().iternext(values=False))
        except (lmdb.Error, OSError, ValueError) as error:
            raise ValueError(
                f"{path} cannot be read as an LMDB database: {error}. Complete the copy, or get it "
                "anew."
            ) from error
        if not keys:
            raise ValueError(f"{path} is an LMDB database without pictures. Complete the copy.")
        return LmdbSource(path, keys)

    def __len__(self) -> int:
        return len(self.keys)

    def read(self, number: int, reduction: Reduction) -> UInt8[ndarray, "c h w"]:
        with _database(self.path) as database, database.begin() as reader:
            content = reader.get(self.keys[number])
        if content is None:
            raise ValueError("the database has it no longer")
        return reduction.decode(BytesIO(content))

    def name(self, number: int) -> str:
        return f"{self.path}: {self.keys[number].decode(errors='replace')}"


def lsun_church(
    root: str | Path,
    split: Literal["train", "validation"] = "train",
    resolution: int | tuple[int, int] = 256,
    *,
    on_error: OnError = "raise",
) -> LazyImages:
    """The churches of LSUN, decoded when asked for.

    The pictures have 256 pixels on their shorter side, so that square ones of 256² are crops. The
    database as it is published is read with the library ``lmdb``; a folder of files exported from
    it needs nothing more.

    Args:
        root: the folder that holds ``church_outdoor_train_lmdb`` and ``church_outdoor_val_lmdb``,
            or ``church_outdoor_train`` and ``church_outdoor_val`` with ``.webp`` or ``.jpg`` files
            in any subfolders; or one of these itself.
        split: ``"train"`` for the 126,227, ``"validation"`` for the 300.
        resolution: pixels a side, or ``(height, width)`` in pixels.
        on_error: what a damaged picture does, see ``LazyImages``.

    Raises:
        ModuleNotFoundError: if the ``train`` extra, or for a database ``lmdb``, is not installed.
        TypeError: if an argument is of another kind.
        ValueError: if there is no such folder or split, or it cannot be read; the message says what
            is expected where. An incomplete copy is a warning.

    Example:
        From the database, or from the folder of files beside it::

            churches = lsun_church("/data/lsun", "train", 128)
    """
    instance(split, str, "split")
    if split not in NAMES:
        raise ValueError(f"The splits are {', '.join(NAMES)}; got {split!r}.")
    reduction = Reduction(pixel_shape(resolution))
    folder, name = require_root(root, "LSUN Church"), NAMES[split]
    places = [folder / f"{name}_lmdb", folder / name]
    if folder.resolve().name in (f"{name}_lmdb", name):
        places.insert(0, folder)
    place = next((place for place in places if place.is_dir()), None)
    if place is None:
        raise ValueError(
            f"{folder} holds no copy of LSUN Church's split {split!r}. Expected there: "
            f"{name}_lmdb/data.mdb, or {name}/ with .webp or .jpg files. Complete the copy, or "
            "give its folder."
        )
    source: PictureSource
    if (place / "data.mdb").is_file():
        source = LmdbSource.open(place)
    else:
        files = picture_files(place, None)
        source = FileSource(place, tuple(file.relative_to(place).as_posix() for file in files))
    images = LazyImages(source, reduction, on_error)
    warn_incomplete(place, len(images), COUNTS[split], f"LSUN Church's split {split!r}", 3)
    return images


@contextmanager
def _database(path: Path) -> Iterator[Any]:
    """Open a database to read from, taking no lock and writing no file.

    Raises:
        OSError: if its file cannot be read.
        ValueError: if its file is shorter than it says, since reading pages that are not there ends
            the program.
    """
    import lmdb

    with lmdb.open(str(path), readonly=True, lock=False, readahead=False) as database:
        pages, size = database.info()["last_pgno"] + 1, database.stat()["psize"]
        found = (path / "data.mdb").stat().st_size
        if found < pages * size:
            raise ValueError(
                f"data.mdb has {found} bytes of {pages * size}; it was cut short, or never complete"
            )
        yield database
