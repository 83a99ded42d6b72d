"""The bits of a channel, as a picture's file has them.

PIL decodes most colours of more than eight bits a channel to eight without a word, so what it says
of the decoded picture does not tell. The file does: by the layout that PIL is about to decode, and
where that hides the depth, by the file's own header.
"""

import re
import struct

from inftydiff._extras import extra

with extra("train"):
    from PIL import Image, ImageFile, TiffImagePlugin

__all__ = ["refuse_deep"]

DEEP_MODES = ("I", "F")
"""The beginnings of the names of PIL's modes of more than eight bits a channel."""

DEEP_LAYOUT = re.compile(r";(12|16[A-Z]|32|64)|^BC6H")
"""Layouts of pixels in a file with more than eight bits a channel (``BGR;16`` has 16 a pixel)."""

CONTAINERS = ("ICNS", "ICO")
HEADED = (*CONTAINERS, "AVIF", "JPEG2000")
"""Formats that contain pictures of others, and all whose headers are read for the depth."""

PNG = re.compile(rb"\x89PNG\r\n\x1a\n.{4}IHDR.{8}\x10", re.DOTALL)
AV1 = re.compile(rb"av1C\x81.(.)", re.DOTALL)
JPEG2000 = re.compile(rb"\xff\x4f\xff\x51(.{38})", re.DOTALL)
"""A PNG of 16 bits; AV1's configuration, with its flags; the start of a JPEG 2000 stream."""

HIGH_DEPTH = 0x40
"""AV1's flag of more than eight bits."""

HEAD = 2**26
"""Bytes of a file among which its headers are looked for."""


def refuse_deep(image: Image.Image) -> None:
    """Refuse a picture that has more than eight bits a channel, before or after it is decoded.

    Args:
        image: the picture; once decoded, only its mode tells.

    Raises:
        ValueError: if so.
    """
    if image.mode.startswith(DEEP_MODES):
        depth = f"mode {image.mode}, which has no 8-bit range"
    elif isinstance(image, ImageFile.ImageFile) and _deep_file(image):
        depth = "more than eight bits a channel"
    else:
        return
    raise ValueError(
        f"it has {depth}, and pictures are read in eight bits; scale it yourself, and pass 8-bit "
        "files or an array"
    )


def _deep_file(image: ImageFile.ImageFile) -> bool:
    """Say whether a picture's file has over eight bits a channel, as far as it is not decoded."""
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return max(image.tag_v2.get(TiffImagePlugin.BITSPERSAMPLE, (1,))) > 8
    for codec, _, _, args in image.tile:
        words = args if isinstance(args, tuple) else (args,)
        if any(isinstance(word, str) and DEEP_LAYOUT.search(word) for word in words):
            return True
        if codec == "SGI16" or (codec.startswith("ppm") and words[1] > 255):
            return True
    undecoded = bool(image.tile) or image.format in CONTAINERS
    return undecoded and image.format in HEADED and _deep_head(image)


def _deep_head(image: ImageFile.ImageFile) -> bool:
    """Say whether the headers in the file tell of more than eight bits a channel."""
    if image.fp is None or image.fp.closed:
        return False
    place = image.fp.tell()
    image.fp.seek(0)
    head = image.fp.read(HEAD)
    image.fp.seek(place)
    if PNG.search(head) or any(flags[1][0] & HIGH_DEPTH for flags in AV1.finditer(head)):
        return True
    return any(_deep_stream(head, found.start()) for found in JPEG2000.finditer(head))


def _deep_stream(head: bytes, start: int) -> bool:
    """Say whether a JPEG 2000 stream has components of more than eight bits."""
    (length,) = struct.unpack_from(">H", head, start + 4)
    (components,) = struct.unpack_from(">H", head, start + 40)
    if length != 38 + 3 * components:  # no header, but compressed pixels that look like one
        return False
    depths = head[start + 42 : start + 42 + 3 * components : 3]
    return any((depth & 0x7F) + 1 > 8 for depth in depths)
