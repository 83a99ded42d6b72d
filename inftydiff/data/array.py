"""Pictures from an array in memory or in a ``.npy`` or ``.npz`` file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from inftydiff._typing import choice
from inftydiff.data._npy import read_array
from inftydiff.data.images import Images

__all__ = [
    "Layout",
    "check_axes",
    "check_layout",
    "check_numbers",
    "held_by",
    "image_array",
    "read_one",
]

Layout = Literal["nchw", "nhwc", "nhw"]
"""The order of an array's axes: pictures, channels, rows, columns."""

COLOURS = 4
"""The most channels that are taken for such without being asked."""

THIN = 8
"""Pictures of few pixels one way and at least so many times as many the other look like curves."""

ASK = (
    "Say it by layout= (--layout): nchw, pictures, channels, rows, columns; nhwc, with the "
    "channels last; nhw, with one channel."
)


def image_array(
    source: npt.NDArray[Any] | Tensor | str | Path, *, layout: Layout | None = None
) -> Images:
    r"""Pictures from a numpy array, a tensor, or the path of a ``.npy`` or ``.npz`` file.

    The pixels are copied. Nothing is ever unpickled. A compressed file may become 64 times as
    large, or 128 MiB. ``ImageArray`` leaves a large ``.npy`` file on
    the disk.

    Args:
        source: eight-bit values in 0..255, or finite floating-point values in :math:`[-1, 1]`; an
            ``.npz`` file must hold exactly one array.
        layout: the order of the axes: ``"nchw"``, ``"nhwc"``, or ``"nhw"`` for one channel; by
            default ``"nchw"`` where that gives four axes and one to four channels.

    Returns:
        The pictures, shape ``(n, c, h, w)``, in the number type of the source.

    Raises:
        TypeError: if the source is none of these, or its numbers are neither eight-bit nor
            floating.
        ValueError: if the file cannot be read as one array, the layout is unknown, the shape is not
            that of the layout or leaves open which it is, the array is empty, or a floating-point
            picture is not finite or leaves :math:`[-1, 1]`.

    Example:
        >>> image_array(np.zeros((5, 8, 6, 3), dtype=np.uint8), layout="nhwc")
        Images(n=5, c=3, h=8, w=6, uint8)
    """
    check_layout(layout)
    if isinstance(source, str | Path):
        array = read_one(Path(source))
        with held_by(Path(source)):
            check_numbers(array.dtype)
            native = np.asarray(array, dtype=array.dtype.newbyteorder("="), order="C")
            return _images(torch.from_numpy(native), layout)
    if isinstance(source, np.ndarray):
        check_numbers(source.dtype)  # and copy it, whatever its strides and byte order
        native = np.array(source, dtype=source.dtype.newbyteorder("="), order="C")
        return _images(torch.from_numpy(native), layout)
    if not isinstance(source, Tensor):
        raise TypeError(
            "image_array takes a numpy array, a tensor, or a path to a .npy or .npz file; got "
            f"{type(source).__name__}."
        )
    return _images(source.detach().clone(), layout)


def _images(pixels: Tensor, layout: Layout | None) -> Images:
    """Pictures of a tensor."""
    layout = check_axes(tuple(pixels.shape), layout)
    if layout == "nhw":
        return Images(pixels.unsqueeze(1))
    if layout == "nhwc":
        return Images(pixels.movedim(-1, 1).contiguous())
    return Images(pixels)


def check_layout(layout: str | None) -> None:
    """Refuse what is neither a ``Layout`` nor None."""
    if layout is not None:
        choice(layout, get_args(Layout), "layout")


def check_axes(shape: tuple[int, ...], layout: Layout | None) -> Layout:
    """The order of an array's axes: as it is given, or the only one that its shape allows.

    With channels first there are one to four of them, unless the layout is given.

    Raises:
        ValueError: if the shape has another number of axes than the layout, or leaves open which
            it is, or looks like another.
    """
    if layout is None:
        if len(shape) == 4 and shape[1] <= COLOURS:
            return "nchw"
        raise ValueError(
            f"Which axes has an array of shape {shape}? {ASK} Curves and volumes are no pictures."
        )
    if len(shape) != len(layout):
        raise ValueError(
            f"An array of layout {layout!r} has {len(layout)} axes; got shape {shape}. Say which "
            "axes it has by layout=, or add the missing one. Volumes are no pictures."
        )
    if layout == "nhw":
        short, long = sorted(shape[1:])
        if short <= COLOURS and long >= THIN * short:
            raise ValueError(
                f"Shape {shape} read as (n, h, w) has pictures of {shape[1]} × {shape[2]} pixels, "
                "which look like curves with their channels. If they are pictures, add the axis of "
                'channels, and pass layout="nchw" (--layout nchw).'
            )
        return layout
    first, last = shape[1], shape[3]
    channels, other = (first, last) if layout == "nchw" else (last, first)
    if channels > COLOURS >= other:
        right = "nhwc" if layout == "nchw" else "nchw"
        raise ValueError(
            f"Shape {shape} read as ({', '.join(layout)}) has {channels} channels, and the axis of "
            f'{other} looks like them. Pass layout="{right}" (--layout {right}), or move the '
            f"channels there if there are {channels}."
        )
    return layout


def check_numbers(dtype: np.dtype[Any]) -> None:
    """Refuse numbers that are neither eight-bit nor floating."""
    if dtype != np.uint8 and dtype.newbyteorder("=") not in (np.float16, np.float32, np.float64):
        raise TypeError(
            "Pictures are uint8 in 0..255 or floats of 16, 32 or 64 bits in [-1, 1]; got "
            f"{dtype}. Convert 0..255 by .astype(np.uint8)."
        )


def read_one(path: Path) -> npt.NDArray[Any]:
    """The one array of a ``.npy`` or ``.npz`` file.

    Raises:
        ValueError: if the file cannot be read as one.
    """
    if path.suffix.lower() not in (".npy", ".npz"):
        raise ValueError(f"image_array reads .npy and .npz files; got {path}.")
    try:
        return read_array(path)
    except Exception as error:  # damaged archives raise anything
        raise ValueError(
            f"{path} cannot be read as one array: {error}. Write it by np.save(path, array)."
        ) from error


@contextmanager
def held_by(path: Path) -> Iterator[None]:
    """Name the file in errors of what it holds."""
    try:
        yield
    except TypeError as error:
        raise TypeError(f"{path}: {error}") from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
