"""Pictures turned upright: the pixels, and their size before they are decoded.

The orientation is a value of the EXIF data, or of the XMP data where these have none. PNG may have
either behind the pixels, TIFF has it among the tags by which the pixels are decoded, and AVIF in
properties of its own, of which PIL makes EXIF data.
"""

import struct

from inftydiff._extras import extra

with extra("train"):
    from PIL import Image, ImageFile, ImageOps, TiffImagePlugin

__all__ = ["upright", "upright_size_of"]

ORIENTATION = 0x0112
QUARTER_TURNS = (5, 6, 7, 8)
"""The EXIF tag of the orientation, and its values that exchange height and width."""

LATE = (b"Raw profile type exif\0", b"XML:com.adobe.xmp\0")
"""The beginnings of PNG's chunks of text that have an orientation."""


def upright(image: Image.Image) -> Image.Image:
    """A decoded copy of a picture, turned as its orientation says."""
    image.load()  # TIFF is turned here, and PNG may have its orientation behind the pixels
    return ImageOps.exif_transpose(image)


def upright_size_of(image: Image.Image) -> tuple[int, int] | None:
    """Height and width that a picture has once it is upright.

    Args:
        image: a picture that is not decoded yet, and is not decoded here.

    Returns:
        The size, or None if it has to be decoded to know.
    """
    width, height = image.size
    if isinstance(image, TiffImagePlugin.TiffImageFile):  # whose size may be turned already
        width = image.tag_v2[TiffImagePlugin.IMAGEWIDTH]
        height = image.tag_v2[TiffImagePlugin.IMAGELENGTH]
    if isinstance(image, ImageFile.ImageFile) and image.format == "PNG" and _late(image):
        return None
    exif = Image.Image.getexif(image)  # PNG's own would decode the pixels
    turned = exif.get(ORIENTATION, 1) in QUARTER_TURNS
    return (width, height) if turned else (height, width)


def _late(image: ImageFile.ImageFile) -> bool:
    """Say whether a PNG has an orientation behind its pixels."""
    assert image.fp is not None
    place = image.fp.tell()
    start, pixels, late = 8, False, False
    while not late:
        image.fp.seek(start)
        head = image.fp.read(8)
        if len(head) < 8:
            break
        length, kind = struct.unpack(">I4s", head)
        pixels = pixels or kind == b"IDAT"
        if pixels and kind in (b"iTXt", b"tEXt", b"zTXt"):
            late = image.fp.read(max(map(len, LATE))).startswith(LATE)
        elif pixels:
            late = kind == b"eXIf"
        start += 12 + length
    image.fp.seek(place)
    return late
