"""Pictures that are decoded when they are asked for, in whichever process asks."""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, final, get_args

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from numpy import ndarray
from torch import Tensor
from torch.utils.data import Dataset

from inftydiff._typing import an_index, choice, instance, kind_of
from inftydiff.data._resize import Reduction
from inftydiff.data.images import Images, from_bytes
from inftydiff.data.unreadable import UnreadableSample

__all__ = ["FileSource", "LazyImages", "OnError", "PictureSource", "check_on_error"]

OnError = Literal["raise", "skip"]
"""What a picture that cannot be read does: end the program, or be left out."""


def check_on_error(on_error: str) -> None:
    """Refuse what is not one of ``OnError``."""
    choice(on_error, get_args(OnError), "on_error")


class PictureSource(ABC):
    """Pictures of any size, read one by one; a copy in another process must read the same."""

    @abstractmethod
    def __len__(self) -> int:
        """How many there are."""

    @abstractmethod
    def read(self, number: int, reduction: Reduction) -> UInt8[ndarray, "c h w"]:
        """Decode and reduce a picture; anything may be raised if that is not possible."""

    @abstractmethod
    def name(self, number: int) -> str:
        """What to call a picture in messages."""


@final
@dataclass(frozen=True)
class FileSource(PictureSource):
    """Files that PIL can open.

    Args:
        folder: what the names are relative to.
        names: the files' names, with ``/`` between folders.
    """

    folder: Path
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    def read(self, number: int, reduction: Reduction) -> UInt8[ndarray, "c h w"]:
        return reduction.decode(self.folder / self.names[number])

    def name(self, number: int) -> str:
        return str(self.folder / self.names[number])


@final
@dataclass(frozen=True, eq=False, repr=False)
class LazyImages(Dataset[Tensor]):
    r"""A dataset of float32 tensors in :math:`[-1, 1]` that reads each picture when asked for it.

    Nothing is kept, so that memory does not grow, and the work is done by the workers of a
    ``DataLoader`` that has some. It can be sent to processes that are forked or spawned.

    A picture that turns out to be damaged ends the program, or, with ``on_error="skip"``, the next
    one that can be read stands in for it (after the last comes the first). Which one follows from
    the files alone: length, order and repeatability stay. A warning names the picture, once in
    each process.

    Args:
        source: where the pictures come from.
        reduction: what they become.
        on_error: ``"raise"`` or ``"skip"``.
        rows: which of the source's pictures these are, in order; by default all.

    Raises:
        TypeError: if an argument is of another kind.
        ValueError: if there are none, or ``on_error`` is unknown.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Image.new("RGB", (50, 40), "#ff0000").save(f"{folder}/red.png")
        ...     images = LazyImages(FileSource(Path(folder), ("red.png",)), Reduction((16, 16)))
        ...     images, images[0][:, 8, 8].tolist()
        (LazyImages(n=1, c=3, h=16, w=16), [1.0, -1.0, -1.0])
    """

    source: PictureSource
    reduction: Reduction
    on_error: OnError = "raise"
    rows: Int64[ndarray, "n"] | None = None
    _warned: set[int] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        instance(self.source, PictureSource, "The source of pictures")
        instance(self.reduction, Reduction, "reduction")
        check_on_error(self.on_error)
        if self.rows is None:
            object.__setattr__(self, "rows", np.arange(len(self.source)))
        if len(self) == 0:
            raise ValueError("A set of pictures holds at least one; got none.")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, rows and columns of every picture."""
        return self.reduction.channels, *self.reduction.shape

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Float[Tensor, "c h w"]:
        r"""Read one picture.

        Args:
            index: from 0 to n − 1, or from −n to −1 to count from the end.

        Returns:
            Float32, shape ``(c, h, w)``, in :math:`[-1, 1]`.

        Raises:
            IndexError: if there is no such picture.
            TypeError: if the index is no integer.
            UnreadableSample: if the picture (with ``on_error="skip"``: every picture) cannot be
                read.
        """
        return from_bytes(self.pixels(index))

    def __repr__(self) -> str:
        c, h, w = self.shape
        return f"LazyImages(n={len(self)}, c={c}, h={h}, w={w})"

    def pixels(self, index: int) -> UInt8[Tensor, "c h w"]:
        """Read one picture as eight-bit pixels; index and errors are those of ``images[index]``."""
        count = len(self)
        first = an_index(index, count, "pictures")
        for step in range(count):
            number = int(self._rows[(first + step) % count])
            try:
                return torch.from_numpy(self.source.read(number, self.reduction))
            except Exception as error:  # decoders of damaged files raise anything
                self._report(number, error)
        raise UnreadableSample(
            f"None of the {count} pictures can be read, such as {self.name(index)}. Repair them, "
            "or give others."
        )

    def _report(self, number: int, error: Exception) -> None:
        """Raise an error or warn that a picture cannot be read."""
        report = f"{self.source.name(number)} cannot be read ({error})."
        if self.on_error == "raise":
            raise UnreadableSample(
                f'{report} Remove or repair it, or pass on_error="skip".'
            ) from error
        if number not in self._warned:
            self._warned.add(number)
            warnings.warn(f"{report} The next picture stands in for it.", stacklevel=4)

    def name(self, index: int) -> str:
        """Name a picture: its file, or its key; errors are those of ``images[index]``."""
        return self.source.name(int(self._rows[an_index(index, len(self), "pictures")]))

    def select(self, indices: Iterable[int]) -> "LazyImages":
        """Some of the pictures, in the order given; only they stand in for each other.

        Args:
            indices: from −n to n − 1.

        Raises:
            IndexError: if there is no such picture.
            TypeError: if the indices are no integers in an order.
            ValueError: if none is selected.
        """
        count = len(self)
        try:
            asked = iter(indices)
        except TypeError:
            raise TypeError(
                f"Pictures are selected by a sequence of whole numbers; got {kind_of(indices)}."
            ) from None
        wanted = np.array([an_index(i, count, "pictures") for i in asked], dtype=np.int64)
        return LazyImages(self.source, self.reduction, self.on_error, self._rows[wanted])

    def in_memory(self) -> Images:
        """Read all pictures and keep them, eight-bit, ``(n, c, h, w)``."""
        pixels = torch.empty((len(self), *self.shape), dtype=torch.uint8)
        for index in range(len(self)):
            pixels[index] = self.pixels(index)
        return Images(pixels)

    @property
    def _rows(self) -> Int64[ndarray, "n"]:
        assert self.rows is not None
        return self.rows
