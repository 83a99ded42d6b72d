"""How a picture of any size and mode becomes eight-bit pixels of one shape."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, final

from jaxtyping import UInt8
from numpy import ndarray

from inftydiff._typing import (
    store,
    whole,
)

__all__ = ["Reduction", "pixel_shape"]


@final
@dataclass(frozen=True)
class Reduction:
    """The crop, the averaging and the colours that every picture of a set undergoes.

    A picture is turned as its EXIF orientation says, laid over the background where it is
    transparent, cropped to the largest centred rectangle of the wanted proportions, and reduced by
    a box filter, so that a pixel is the average over its cell. A smaller picture is enlarged with
    constant cells.

    Args:
        shape: height and width in pixels.
        channels: 3 for red, green and blue (grey pictures get three equal channels), or 1 for grey
            (the luma 0.299 R + 0.587 G + 0.114 B of colours).
        background: six hexadecimal digits, what shows through transparent pixels.

    Raises:
        ModuleNotFoundError: if the ``train`` extra is not installed.
        ValueError: if an argument is out of range.

    Example:
        >>> from PIL import Image
        >>> Reduction((1, 2), channels=1)(Image.new("RGB", (40, 20), "#ffffff")).tolist()
        [[[255, 255]]]
    """

    shape: tuple[int, int]
    channels: int = 3
    background: str = "ffffff"

    def __post_init__(self) -> None:
        from inftydiff.data._image_io import hex_colour

        store(self, whole, "channels", least=0)
        if self.channels not in (1, 3):
            raise ValueError(f"channels must be 1 or 3; got {self.channels!r}.")
        object.__setattr__(self, "shape", pixel_shape(self.shape))
        object.__setattr__(self, "background", hex_colour(self.background, "background"))

    def __call__(self, image: Any) -> UInt8[ndarray, "c h w"]:
        """Reduce a picture of PIL's.

        Raises:
            ValueError: if the picture has more than eight bits a channel.
        """
        from inftydiff.data._image_io import reduce

        return reduce(image, self.shape, self.background, self.channels)

    def decode(self, file: Path | BytesIO) -> UInt8[ndarray, "c h w"]:
        """Read a file that PIL can open and reduce the picture."""
        from inftydiff.data._image_io import decode

        return decode(file, self.shape, self.background, self.channels)


def pixel_shape(resolution: int | Sequence[int]) -> tuple[int, int]:
    """Height and width in pixels, from a number for both or from the two.

    Raises:
        TypeError: if it is of another kind.
        ValueError: if it is neither, or a number is not a whole one of at least one.

    Example:
        >>> pixel_shape(64), pixel_shape((48, 64))
        ((64, 64), (48, 64))
    """
    if isinstance(resolution, str | bytes):
        raise TypeError(f"resolution must be a number or (height, width); got {resolution!r:.80}.")
    if isinstance(resolution, Sequence):
        if len(resolution) != 2:
            raise ValueError(f"resolution must be a number or (height, width); got {resolution}.")
        return whole(resolution[0], "height"), whole(resolution[1], "width")
    return (whole(resolution, "resolution"),) * 2
