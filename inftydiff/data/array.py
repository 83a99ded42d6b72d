"""Pictures from an array in memory or in a ``.npy`` or ``.npz`` file."""

import warnings
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from inftydiff.data.images import Images

__all__ = ["Layout", "check_axes", "check_layout", "check_numbers", "image_array"]

Layout = Literal["nchw", "nhwc", "nhw"]
"""The order of an array's axes: pictures, channels, rows, columns."""


def image_array(
    source: npt.NDArray[Any] | Tensor | str | Path, *, layout: Layout = "nchw"
) -> Images:
    r"""Pictures from a numpy array, a tensor, or the path of a ``.npy`` or ``.npz`` file.

    The pixels are copied. Nothing is ever unpickled. ``ImageArray`` leaves a large ``.npy`` file on
    the disk.

    Args:
        source: eight-bit values in 0..255, or finite floating-point values in :math:`[-1, 1]`; an
            ``.npz`` file must hold exactly one array.
        layout: the order of the axes: ``"nchw"``, ``"nhwc"``, or ``"nhw"`` for one channel.

    Returns:
        The pictures, shape ``(n, c, h, w)``, in the number type of the source.

    Raises:
        TypeError: if the source is none of these, or its numbers are neither eight-bit nor
            floating.
        ValueError: if the file cannot be read as one array, the layout is unknown, the number of
            axes is not that of the layout, the array is empty, or a floating-point picture is not
            finite or leaves :math:`[-1, 1]`.

    Example:
        >>> image_array(np.zeros((5, 8, 6, 3), dtype=np.uint8), layout="nhwc")
        Images(n=5, c=3, h=8, w=6, uint8)
    """
    check_layout(layout)
    if isinstance(source, str | Path):
        pixels = _tensor(_read(Path(source)))
    elif isinstance(source, np.ndarray):
        pixels = _tensor(source)
    elif isinstance(source, Tensor):
        pixels = source.detach().clone()
    else:
        raise TypeError(
            "image_array takes a numpy array, a tensor, or a path to a .npy or .npz file; got "
            f"{type(source).__name__}."
        )
    check_axes(tuple(pixels.shape), layout, stacklevel=3)
    if layout == "nhw":
        return Images(pixels.unsqueeze(1))
    if layout == "nhwc":
        return Images(pixels.movedim(-1, 1).contiguous())
    return Images(pixels)


def check_layout(layout: str) -> None:
    """Refuse what is not a ``Layout``."""
    if layout not in get_args(Layout):
        raise ValueError(f"layout must be one of {', '.join(get_args(Layout))}; got {layout!r}.")


def check_axes(shape: tuple[int, ...], layout: Layout, *, stacklevel: int) -> None:
    """Refuse a shape with another number of axes, and warn if its channels seem to be last."""
    if len(shape) != len(layout):
        raise ValueError(
            f"An array of layout {layout!r} has {len(layout)} axes; got shape {shape}. Say which "
            "axes it has by layout=, or add the missing one."
        )
    if layout == "nchw" and shape[-1] in (1, 3, 4) and shape[1] not in (1, 2, 3, 4):
        warnings.warn(
            f"Shape {shape} read as (n, c, h, w) has {shape[1]} channels and {shape[-1]} columns; "
            'if the channels come last, pass layout="nhwc".',
            stacklevel=stacklevel,
        )


def check_numbers(dtype: np.dtype[Any]) -> None:
    """Refuse numbers that are neither eight-bit nor floating."""
    if dtype != np.uint8 and dtype.newbyteorder("=") not in (np.float16, np.float32, np.float64):
        raise TypeError(
            "Pictures are uint8 in 0..255 or floats of 16, 32 or 64 bits in [-1, 1]; got "
            f"{dtype}. Convert 0..255 by .astype(np.uint8)."
        )


def _tensor(array: npt.NDArray[Any]) -> Tensor:
    """A tensor with a copy of an array, whatever its strides and byte order."""
    check_numbers(array.dtype)
    return torch.from_numpy(np.array(array, dtype=array.dtype.newbyteorder("="), order="C"))


def _read(path: Path) -> npt.NDArray[Any]:
    """The one array of a ``.npy`` or ``.npz`` file."""
    if path.suffix not in (".npy", ".npz"):
        raise ValueError(f"image_array reads .npy and .npz files; got {path}.")
    try:
        with path.open("rb") as file:
            content = np.load(file, allow_pickle=False)
            if isinstance(content, np.ndarray):
                return content
            with content:
                if len(content.files) != 1:
                    raise ValueError(
                        f"it holds {len(content.files)} arrays ({', '.join(content.files)}), and "
                        "one is wanted"
                    )
                return np.asarray(content[content.files[0]])
    except Exception as error:  # damaged archives raise anything
        raise ValueError(
            f"{path} cannot be read as one array: {error}. Write it by np.save(path, array)."
        ) from error
