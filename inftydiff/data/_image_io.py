"""Files and decoded pictures brought to eight-bit RGB of one size on a plain background."""

import re
from io import BytesIO
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from inftydiff._extras import extra
from inftydiff._typing import instance
from inftydiff.data._depth import refuse_deep
from inftydiff.data._opening import opened
from inftydiff.data._orientation import upright, upright_size_of

with extra("train"):
    from PIL import Image, ImageOps

__all__ = ["decode", "flatten", "hex_colour", "reduce", "upright_size"]


def hex_colour(text: str, name: str) -> str:
    """Return a colour as six lower-case hexadecimal digits.

    Raises:
        TypeError: if it is no text.
        ValueError: if the text is not six hexadecimal digits, with or without ``#``; ``name`` says
            which argument it was.

    Example:
        >>> hex_colour("#B6E3F4", "background")
        'b6e3f4'
    """
    digits = instance(text, str, name).removeprefix("#").lower()
    if re.fullmatch(r"[0-9a-f]{6}", digits) is None:
        raise ValueError(
            f"{name} must be a colour of six hexadecimal digits such as 'b6e3f4'; got {text!r}."
        )
    return digits


def flatten(image: Image.Image, background: str) -> Image.Image:
    """Lay a picture over a background and return it in RGB.

    Args:
        image: a picture of eight bits a channel, with or without transparency.
        background: six hexadecimal digits.

    Raises:
        ValueError: if the picture has more than eight bits a channel.
    """
    refuse_deep(image)
    if not image.has_transparency_data:
        return image.convert("RGB")
    canvas = Image.new("RGBA", image.size, f"#{background}")
    return Image.alpha_composite(canvas, image.convert("RGBA")).convert("RGB")


def reduce(
    image: Image.Image, shape: tuple[int, int], background: str, channels: int
) -> UInt8[ndarray, "c h w"]:
    """Bring a picture to one size: upright, flattened, cropped at the centre, averaged over cells.

    Args:
        image: a picture of eight bits a channel.
        shape: the wanted height and width in pixels; the crop is the largest of these proportions.
        background: six hexadecimal digits.
        channels: three for red, green and blue; one for their luma.

    Returns:
        A copy of its own, which may be written to.

    Raises:
        ValueError: if the picture has more than eight bits a channel.
    """
    height, width = shape
    refuse_deep(image)
    flat = flatten(upright(image), background)
    if channels == 1:
        flat = flat.convert("L")
    fitted = ImageOps.fit(flat, (width, height), method=Image.Resampling.BOX)
    pixels = np.array(fitted)
    return pixels[None] if channels == 1 else np.ascontiguousarray(np.moveaxis(pixels, -1, 0))


def decode(
    file: Path | BytesIO, shape: tuple[int, int], background: str, channels: int = 3
) -> UInt8[ndarray, "c h w"]:
    """Read a picture from a file and ``reduce`` it; errors are those of ``opened``."""
    with opened(file) as image:
        return reduce(image, shape, background, channels)


def upright_size(file: Path, verify: bool) -> tuple[int, int]:
    """Height and width of a picture once it is upright, read from its file without decoding it.

    Args:
        file: the file.
        verify: look for damage too, as far as the format has checksums; nothing is decoded.

    Raises:
        ValueError: if the picture has more than eight bits a channel, or as ``opened``.
    """
    with opened(file) as image:
        size = upright_size_of(image)
        if verify:
            image.verify()
    if size is not None:
        return size
    with opened(file) as image:
        image.load()
        width, height = upright(image).size
    return height, width
