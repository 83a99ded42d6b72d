"""Files and decoded pictures brought to eight-bit RGB of one size on a plain background."""

import re
from io import BytesIO
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from inftydiff.data._extras import extra

with extra("train"):
    from PIL import Image, ImageOps

__all__ = ["decode", "flatten", "hex_colour", "reduce", "upright_size"]

DEEP_MODES = ("I", "F")
"""What the names of PIL's modes of more than eight bits a channel begin with."""

ORIENTATION = 0x0112
QUARTER_TURNS = (5, 6, 7, 8)
"""The EXIF tag of the orientation, and its values that exchange height and width."""


def hex_colour(text: str, name: str) -> str:
    """Return a colour as six lower-case hexadecimal digits.

    Raises:
        ValueError: if the text is not six hexadecimal digits, with or without ``#``; ``name`` says
            which argument it was.

    Example:
        >>> hex_colour("#B6E3F4", "background")
        'b6e3f4'
    """
    digits = text.removeprefix("#").lower()
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
    if image.mode.startswith(DEEP_MODES):
        raise ValueError(f"mode {image.mode} has no 8-bit range; convert it first")
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
    upright = flatten(ImageOps.exif_transpose(image), background)
    if channels == 1:
        upright = upright.convert("L")
    fitted = ImageOps.fit(upright, (width, height), method=Image.Resampling.BOX)
    pixels = np.array(fitted)
    return pixels[None] if channels == 1 else np.ascontiguousarray(np.moveaxis(pixels, -1, 0))


def decode(
    file: Path | BytesIO, shape: tuple[int, int], background: str, channels: int = 3
) -> UInt8[ndarray, "c h w"]:
    """Read a picture from a file that PIL can open, and ``reduce`` it."""
    with Image.open(file) as image:
        return reduce(image, shape, background, channels)


def upright_size(file: Path, verify: bool) -> tuple[int, int]:
    """Height and width of a picture once it is upright, read from the head of its file.

    Args:
        file: a file that PIL can open.
        verify: look for damage too, as far as the format has checksums; nothing is decoded.

    Raises:
        ValueError: if the picture has more than eight bits a channel.
    """
    with Image.open(file) as image:
        if image.mode.startswith(DEEP_MODES):
            raise ValueError(f"mode {image.mode} has no 8-bit range; convert it first")
        width, height = image.size
        # PNG would decode the whole picture in search of an orientation after the pixels
        known = image.format != "PNG" or "exif" in image.info
        turned = known and image.getexif().get(ORIENTATION, 1) in QUARTER_TURNS
        if verify:
            image.verify()
    return (width, height) if turned else (height, width)
