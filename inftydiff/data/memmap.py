"""Pictures of a ``.npy`` file that stays on the disk."""

from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.data import Dataset

from inftydiff._typing import a_path, an_index
from inftydiff.data._npy import NpyFile
from inftydiff.data.array import Layout, check_axes, check_layout, check_numbers, held_by
from inftydiff.data.images import from_bytes, range_fault
from inftydiff.data.unreadable import UnreadableSample

__all__ = ["ImageArray"]


@final
class ImageArray(Dataset[Tensor]):
    r"""Pictures of a ``.npy`` file, read when asked for: float32 in :math:`[-1, 1]`.

    A picture costs the reading of its own bytes (of the whole file, if that is in Fortran order),
    and processes share what the system has cached. Nothing is ever unpickled. The file is not
    mapped into memory: one that becomes shorter meanwhile is an error that names the picture.

    Args:
        path: the file; eight-bit values in 0..255, or finite floating-point values in
            :math:`[-1, 1]`, of which each picture is checked when it is read.
        layout: the order of the axes, as for ``image_array``.

    Raises:
        TypeError: if the path is none, or the numbers are neither eight-bit nor floating.
        ValueError: if the file cannot be read, the layout is unknown, the shape is not that
            of the layout or leaves open which it is, or the array is empty.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.save(f"{folder}/x.npy", np.full((5, 8, 6, 3), 255, np.uint8))
        ...     images = ImageArray(f"{folder}/x.npy", layout="nhwc")
        ...     images, images[4].shape, images[4].unique()
        (ImageArray(n=5, c=3, h=8, w=6, uint8), torch.Size([3, 8, 6]), tensor([1.]))
    """

    def __init__(self, path: str | Path, *, layout: Layout | None = None) -> None:
        check_layout(layout)
        self.path = a_path(path, "path")
        self._array = _opened(self.path)
        with held_by(self.path):
            check_numbers(self._array.dtype)
            self.layout = check_axes(self._array.shape, layout)
        if 0 in self._array.shape:
            raise ValueError(
                f"Pictures have every size at least 1; {path} has shape {self._array.shape}. Write "
                "it anew without empty axes."
            )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, rows and columns of every picture."""
        sizes = dict(zip(self.layout, self._array.shape, strict=True))
        return sizes.get("c", 1), sizes["h"], sizes["w"]

    def __len__(self) -> int:
        return self._array.shape[0]

    def __getitem__(self, index: int) -> Float[Tensor, "c h w"]:
        r"""Read one picture.

        Args:
            index: from 0 to n − 1, or from −n to −1 to count from the end.

        Returns:
            A copy in float32, shape ``(c, h, w)``, in :math:`[-1, 1]`.

        Raises:
            IndexError: if there is no such picture.
            TypeError: if the index is no integer.
            UnreadableSample: if the picture cannot be read, is not finite, or leaves
                :math:`[-1, 1]`.
        """
        number = an_index(index, len(self), "pictures")
        try:
            values = self._array.row(number)
        except (OSError, ValueError) as error:
            raise UnreadableSample(
                f"Picture {number} of {self.path} cannot be read: {error}. Restore the file."
            ) from error
        if self.layout == "nhw":
            values = values[None]
        elif self.layout == "nhwc":
            values = np.moveaxis(values, -1, 0)
        picture = torch.from_numpy(np.array(values, values.dtype.newbyteorder("="), order="C"))
        if picture.dtype == torch.uint8:
            return from_bytes(picture)
        if not bool((picture.abs() <= 1).all()):
            what, fix = range_fault(picture)
            raise UnreadableSample(f"Picture {number} of {self.path} has {what}. {fix}")
        return picture.float()

    def __repr__(self) -> str:
        c, h, w = self.shape
        return f"ImageArray(n={len(self)}, c={c}, h={h}, w={w}, {self._array.dtype})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _open, (self.path, self.layout)


def _open(path: Path, layout: Layout) -> ImageArray:
    return ImageArray(path, layout=layout)


def _opened(path: Path) -> NpyFile:
    """The array of a ``.npy`` file, on the disk."""
    if path.suffix.lower() != ".npy":
        raise ValueError(
            f"ImageArray reads .npy files; got {path}. Read .npz files by image_array, or write "
            "the array by np.save(path, array)."
        )
    try:
        return NpyFile.open(path)
    except Exception as error:  # damaged headers raise anything
        raise ValueError(
            f"{path} cannot be read as one array: {error}. Write it by np.save(path, array)."
        ) from error
