"""Picture files that PIL does not write: chunks behind the pixels, and more bits than eight."""

import struct
import zlib

__all__ = ["chunk", "chunks", "deep_png", "png"]

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}
"""Channels of PNG's kinds of colour."""


def chunk(kind: bytes, content: bytes) -> bytes:
    """One chunk of a PNG file."""
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )


def chunks(file: bytes) -> list[tuple[bytes, bytes]]:
    """The chunks of a PNG file, by kind and content."""
    found, place = [], len(SIGNATURE)
    while place < len(file):
        (length,) = struct.unpack_from(">I", file, place)
        found.append((file[place + 4 : place + 8], file[place + 8 : place + 8 + length]))
        place += 12 + length
    return found


def png(parts: list[tuple[bytes, bytes]]) -> bytes:
    """A PNG file of chunks."""
    return SIGNATURE + b"".join(chunk(kind, content) for kind, content in parts)


def deep_png(colour: int, height: int = 8, width: int = 8) -> bytes:
    """A black PNG file of 16 bits a channel."""
    head = struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0)
    rows = (b"\0" + bytes(2 * CHANNELS[colour] * width)) * height
    return png([(b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")])
