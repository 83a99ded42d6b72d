"""Pictures in a column of a Hugging Face ``datasets.Dataset`` that the caller has at hand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Protocol, final, runtime_checkable

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from inftydiff._typing import instance
from inftydiff.data._resize import Reduction, pixel_shape
from inftydiff.data.lazy import LazyImages, OnError, PictureSource

__all__ = ["HubSource", "Table", "hub_dataset"]


@runtime_checkable
class Table(Protocol):
    """What is used of ``datasets.Dataset``; nothing of that library is imported."""

    @property
    def column_names(self) -> list[str]:
        """The names of the columns."""

    def select_columns(self, column_names: Any) -> Any:
        """The table with these columns only."""

    def with_format(self, type: Any = None) -> Any:
        """The table with its cells in the given format, None being plain Python objects."""

    def __len__(self) -> int:
        """How many rows there are."""

    def __getitem__(self, key: Any) -> Any:
        """A row, as a mapping from columns to cells."""


@final
@dataclass(frozen=True)
class HubSource(PictureSource):
    """The pictures of a column.

    Args:
        table: rows of cells.
        column: the column's name.
    """

    table: Any
    column: str

    def __len__(self) -> int:
        return len(self.table)

    def read(self, number: int, reduction: Reduction) -> UInt8[ndarray, "c h w"]:
        return _reduce(self.table[number][self.column], reduction)

    def name(self, number: int) -> str:
        return f"row {number} of column {self.column!r}"


def hub_dataset(
    dataset: Table,
    column: str = "image",
    *,
    resolution: int | tuple[int, int],
    channels: int = 3,
    background: str = "ffffff",
    on_error: OnError = "raise",
) -> LazyImages:
    """Pictures of a ``datasets.Dataset``, decoded when asked for.

    Nothing is downloaded: load the data set yourself, whence and how you like, and hand it over.
    What a picture becomes is what it becomes with ``image_folder``. Cells may be pictures of PIL's
    (the feature ``Image``), their files' bytes or paths (``Image(decode=False)``), or eight-bit
    arrays ``(h, w)`` or ``(h, w, c)`` with one, three or four channels.

    Args:
        dataset: one split, with random access; its own formats and transforms are put aside.
        column: the name of the column of pictures; the others are never decoded.
        resolution: pixels a side, or ``(height, width)`` in pixels.
        channels: 3 for colours, 1 for grey.
        background: six hexadecimal digits, what shows through transparent pixels.
        on_error: what a row that is no picture does, see ``LazyImages``; rows are not looked at
            before they are asked for.

    Raises:
        ModuleNotFoundError: if the ``train`` extra is not installed.
        TypeError: if the data set is a dictionary of splits, or has no random access.
        ValueError: if there is no such column, no row, or an argument is out of range.

    Example:
        A data set of the hub, by a name of yours::

            from datasets import load_dataset

            flowers = hub_dataset(load_dataset("you/flowers", split="train"), resolution=64)
    """
    if isinstance(dataset, Mapping):
        raise TypeError(
            "hub_dataset takes one split; got a dictionary of "
            f"{', '.join(map(repr, dataset)) or 'none'}. Pass dataset[name]."
        )
    if not isinstance(dataset, Table):
        raise TypeError(
            "hub_dataset takes a datasets.Dataset, which has rows that can be asked for by number; "
            f"got {type(dataset).__name__}. Load it without streaming."
        )
    instance(column, str, "column")
    if column not in dataset.column_names:
        raise ValueError(
            f"There is no column {column!r}; there are "
            f"{', '.join(map(repr, dataset.column_names))}. Name one by column=."
        )
    plain = dataset.with_format(None).select_columns([column])
    reduction = Reduction(pixel_shape(resolution), channels, background)
    return LazyImages(HubSource(plain, column), reduction, on_error)


def _reduce(cell: Any, reduction: Reduction) -> UInt8[ndarray, "c h w"]:
    """A cell's picture, reduced."""
    from PIL import Image

    if isinstance(cell, Image.Image):
        return reduction(cell)
    if isinstance(cell, Mapping):
        cell = cell.get("bytes") or cell.get("path")
    if isinstance(cell, bytes):
        return reduction.decode(BytesIO(cell))
    if isinstance(cell, str):
        return reduction.decode(Path(cell))
    if isinstance(cell, ndarray | Sequence):
        return reduction(Image.fromarray(_eight_bit(np.asarray(cell))))
    raise TypeError(f"a {type(cell).__name__} is no picture")


def _eight_bit(pixels: Any) -> UInt8[ndarray, "..."]:
    """An array of pixels as PIL takes it."""
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] not in (3, 4)):
        raise ValueError(f"pixels have the shape (h, w) or (h, w, 1, 3 or 4); got {pixels.shape}")
    if pixels.dtype.kind not in "iu" or pixels.min() < 0 or pixels.max() > 255:
        raise ValueError(f"pixels are whole numbers from 0 to 255; got {pixels.dtype}")
    return pixels.astype(np.uint8)
