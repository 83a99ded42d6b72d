r"""A set of pictures in memory.

A picture is read as a function with values in :math:`[-1, 1]`: eight-bit values map by
:math:`x \mapsto x/127.5 - 1`, floating-point values are taken as they are.
"""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.utils.data import Dataset

from inftydiff._typing import an_index

__all__ = ["Images", "from_bytes", "range_fault"]


@final
@dataclass(frozen=True, eq=False, repr=False)
class Images(Dataset[Tensor]):
    r"""Pictures of one size, as a dataset of float32 tensors in :math:`[-1, 1]`.

    Args:
        pixels: shape ``(n, c, h, w)``; eight-bit in 0..255, kept as they are, or floating-point and
            finite in :math:`[-1, 1]`.

    Raises:
        TypeError: if the pixels are not a tensor of eight-bit or floating-point numbers.
        ValueError: if the shape is not ``(n, c, h, w)`` with every size at least one, or if a
            floating-point picture is not finite or leaves :math:`[-1, 1]`; the first such picture
            is named.

    Example:
        >>> images = Images(torch.tensor([0, 255], dtype=torch.uint8).reshape(2, 1, 1, 1))
        >>> images
        Images(n=2, c=1, h=1, w=1, uint8)
        >>> [picture.item() for picture in images]
        [-1.0, 1.0]
    """

    pixels: UInt8[Tensor, "n c h w"] | Float[Tensor, "n c h w"]

    def __post_init__(self) -> None:
        pixels = self.pixels
        if not isinstance(pixels, Tensor):
            raise TypeError(
                f"Images takes a tensor; got {type(pixels).__name__}. "
                "Use image_array for numpy arrays and files."
            )
        if pixels.dtype != torch.uint8 and not pixels.is_floating_point():
            raise TypeError(
                f"Images takes uint8 in 0..255 or floats in [-1, 1]; got {pixels.dtype}. "
                "Convert 0..255 by .to(torch.uint8)."
            )
        if pixels.ndim != 4 or 0 in pixels.shape:
            raise ValueError(
                "Images takes pixels of shape (n, c, h, w), every size at least 1; got "
                f"{tuple(pixels.shape)}."
            )
        if pixels.is_floating_point():
            _check_range(pixels)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, rows and columns of every picture."""
        _, c, h, w = self.pixels.shape
        return c, h, w

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> Float[Tensor, "c h w"]:
        r"""One picture.

        Args:
            index: from 0 to n − 1, or from −n to −1 to count from the end.

        Returns:
            A copy in float32, shape ``(c, h, w)``, in :math:`[-1, 1]`.

        Raises:
            IndexError: if there is no such picture.
            TypeError: if the index is no integer.
        """
        picture = self.pixels[an_index(index, len(self), "pictures")]
        if picture.dtype == torch.uint8:
            return from_bytes(picture)
        return picture.to(torch.float32, copy=True)

    def __repr__(self) -> str:
        n, c, h, w = self.pixels.shape
        dtype = str(self.pixels.dtype).removeprefix("torch.")
        return f"Images(n={n}, c={c}, h={h}, w={w}, {dtype})"


def from_bytes(pixels: UInt8[Tensor, "..."]) -> Float[Tensor, "..."]:
    r"""Map eight-bit values to float32 in :math:`[-1, 1]` by :math:`x \mapsto x/127.5 - 1`.

    Example:
        >>> from_bytes(torch.tensor([0, 51, 255], dtype=torch.uint8))
        tensor([-1.0000, -0.6000,  1.0000])
    """
    return pixels.to(torch.float32, copy=True).div_(127.5).sub_(1.0)


def _check_range(pixels: Float[Tensor, "n c h w"]) -> None:
    """Refuse floating-point pictures that are not finite or leave the range."""
    good = (pixels.abs() <= 1).flatten(1).all(1)
    if bool(good.all()):
        return
    index = int((~good).nonzero()[0])
    what, fix = range_fault(pixels[index])
    raise ValueError(
        f"Floating-point pictures must be finite and in [-1, 1]; picture {index} has {what} "
        f"({int((~good).sum())} of {len(pixels)} pictures are out of range or not finite). {fix}"
    )


def range_fault(picture: Float[Tensor, "c h w"]) -> tuple[str, str]:
    """What is wrong with a picture that is not finite or leaves the range, and what to do."""
    if not bool(picture.isfinite().all()):
        return "NaN or infinite values", "Drop or repair it first."
    return (
        f"values from {picture.min().item():g} to {picture.max().item():g}",
        "Pass 0..255 as uint8, or scale it: x / 127.5 - 1 for 0..255, 2 * x - 1 for 0..1.",
    )
