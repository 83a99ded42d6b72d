"""Masks: which cells of a grid a picture of paint touches.

A pixel is painted where its luma, times its opacity, is at least one half of white: transparency is
no paint. A cell is touched if some part of a painted pixel lies in it, however small.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Bool
from torch import Tensor

__all__ = ["painted", "touched"]

WHITE = 128
"""The least luma of paint, of 255."""


def painted(file: Path) -> Bool[Tensor, "h w"]:
    """The painted pixels of a mask's file, upright.

    Args:
        file: the file.

    Raises:
        ValueError: if it cannot be read, or has more than eight bits a channel.
    """
    from inftydiff.data._image_io import flatten
    from inftydiff.data._opening import named, opened
    from inftydiff.data._orientation import upright

    with named(file), opened(file) as image:
        luma = np.asarray(flatten(upright(image), "000000").convert("L"))
    return torch.from_numpy(luma >= WHITE)


def touched(paint: Bool[Tensor, "h w"], shape: tuple[int, int]) -> Bool[Tensor, "rows columns"]:
    r"""The cells of a grid that paint touches, of a mask cropped as pictures are.

    The crop is the largest centred rectangle of the grid's proportions. Cells and pixels are
    compared in whole numbers, so that those with an edge in common do not touch.

    Args:
        paint: the painted pixels.
        shape: the grid's rows and columns.

    Example:
        >>> line = torch.zeros(4, 4, dtype=torch.bool)
        >>> line[:, 1] = True
        >>> touched(line, (1, 3)).tolist()
        [[True, True, False]]
    """
    (h, w), (rows, columns) = paint.shape, shape
    if w * rows >= h * columns:  # the sides are cropped
        down = _pixels(rows, pixel=rows, cell=h, start=0)
        across = _pixels(columns, pixel=2 * rows, cell=2 * h, start=w * rows - h * columns)
    else:
        down = _pixels(rows, pixel=2 * columns, cell=2 * w, start=h * columns - w * rows)
        across = _pixels(columns, pixel=columns, cell=w, start=0)
    counts = np.zeros((h + 1, w + 1), dtype=np.int64)
    counts[1:, 1:] = paint.numpy().cumsum(0).cumsum(1)
    (top, bottom), (left, right) = down, across
    band = counts[bottom] - counts[top]
    return torch.from_numpy(band[:, right] - band[:, left] > 0)


def _pixels(
    cells: int, *, pixel: int, cell: int, start: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The first pixel that each cell of a side has a part of, and the one after the last.

    Args:
        cells: how many cells the side has.
        pixel: the side of a pixel, in some unit.
        cell: the side of a cell.
        start: where the first cell begins.
    """
    edges = start + cell * np.arange(cells + 1)
    return edges[:-1] // pixel, -(-edges[1:] // pixel)
