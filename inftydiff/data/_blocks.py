"""Blocks of consecutive avatars: drawn together, kept in one file of the cache.

The length of a block follows from the resolution alone, so that asking for more seeds, or for
others, finds what has been drawn before. Drawing one takes well under a second at any resolution
up to 1024.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from inftydiff.data._avatars import render
from inftydiff.data.cache import load, store

__all__ = ["Block", "block_length"]

MAX_LENGTH = 128
MAX_PIXELS = 2**19


def block_length(resolution: int) -> int:
    """How many pictures a block has: at most 128, and at most 2¹⁹ pixels in all, but at least one.

    Example:
        >>> [block_length(n) for n in (32, 64, 128, 256, 1024)]
        [128, 128, 32, 8, 1]
    """
    return max(1, min(MAX_LENGTH, MAX_PIXELS // resolution**2))


@final
@dataclass(frozen=True)
class Block:
    """Consecutive avatars of a style.

    Args:
        folder: where blocks of this style, background and resolution are kept.
        style: the style's name.
        background: six hexadecimal digits.
        resolution: pixels a side.
        start: the first seed.
    """

    folder: Path
    style: str
    background: str
    resolution: int
    start: int

    def __len__(self) -> int:
        """Return the number of pictures."""
        return block_length(self.resolution)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Shape of the pictures, ``(length, 3, resolution, resolution)``."""
        return len(self), 3, self.resolution, self.resolution

    @property
    def file(self) -> Path:
        """Where the pictures are kept."""
        return self.folder / f"{self.start}.npz"

    def load(self) -> UInt8[ndarray, "n 3 h w"] | None:
        """The pictures, or None if they have not been drawn or their file is damaged."""
        return load(self.file, self.shape)

    def draw(self) -> UInt8[ndarray, "n 3 h w"]:
        """Draw the pictures and keep them."""
        pixels = np.empty(self.shape, dtype=np.uint8)
        for row in range(len(pixels)):
            pixels[row] = render(self.style, self.start + row, self.resolution, self.background)
        store(self.file, pixels)
        return pixels
