"""Files and decoded pictures brought to eight-bit RGB of one size on a plain background."""

import re
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from inftydiff.data._extras import extra

with extra("train"):
    from PIL import Image, ImageOps

__all__ = ["decode", "flatten", "hex_colour"]


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
    if image.mode.startswith(("I", "F")):
        raise ValueError(f"mode {image.mode} has no 8-bit range; convert it first")
    if not image.has_transparency_data:
        return image.convert("RGB")
    canvas = Image.new("RGBA", image.size, f"#{background}")
    return Image.alpha_composite(canvas, image.convert("RGBA")).convert("RGB")


def decode(file: Path, shape: tuple[int, int], background: str) -> UInt8[ndarray, "3 h w"]:
    """Read a picture: upright, flattened, cropped at the centre, averaged over each pixel's area.

    Args:
        file: a file that PIL can open.
        shape: the wanted height and width in pixels; the crop is the largest of these proportions.
        background: six hexadecimal digits.
    """
    height, width = shape
    with Image.open(file) as image:
        upright = flatten(ImageOps.exif_transpose(image), background)
    fitted = ImageOps.fit(upright, (width, height), method=Image.Resampling.BOX)
    return np.moveaxis(np.asarray(fitted), -1, 0)
