"""Where training pictures come from: vector faces, a folder of image files, an array."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import final

import torch

from inftydiff.data import Images, face_credit, face_seeds, faces, image_array, image_folder
from inftydiff.data.array import Layout

__all__ = ["ArraySource", "FaceSource", "FolderSource", "Source"]


class Source(ABC):
    """Pictures whose shape is known before they are drawn or read."""

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int, int]:
        """Channels, rows and columns of every picture."""

    @abstractmethod
    def load(self) -> tuple[Images, Images]:
        """The pictures to train on, and those held out."""


@final
@dataclass(frozen=True)
class FaceSource(Source):
    """Vector faces.

    Args:
        style: the style's name.
        images: how many to train on.
        held_out: how many to hold out.
        resolution: pixels a side.
    """

    style: str
    images: int
    held_out: int
    resolution: int

    def __post_init__(self) -> None:
        face_credit(self.style)
        face_seeds("train", self.images)
        face_seeds("validation", self.held_out)

    @property
    def shape(self) -> tuple[int, int, int]:
        return 3, self.resolution, self.resolution

    def load(self) -> tuple[Images, Images]:
        return (
            faces(self.style, face_seeds("train", self.images), self.resolution),
            faces(self.style, face_seeds("validation", self.held_out), self.resolution),
        )


@final
@dataclass(frozen=True)
class FolderSource(Source):
    """A folder of image files.

    Args:
        folder: the folder.
        held_out: how many to hold out.
        resolution: rows and columns that they are reduced to.
        seed: of the choice of those held out.
    """

    folder: Path
    held_out: int
    resolution: tuple[int, int]
    seed: int

    @property
    def shape(self) -> tuple[int, int, int]:
        return 3, *self.resolution

    def load(self) -> tuple[Images, Images]:
        return _split(image_folder(self.folder, self.resolution), self.held_out, self.seed)


@final
@dataclass(frozen=True)
class ArraySource(Source):
    """A ``.npy`` or ``.npz`` file.

    Args:
        pictures: what it holds.
        held_out: how many to hold out.
        seed: of the choice of those held out.
    """

    pictures: Images
    held_out: int
    seed: int

    @staticmethod
    def read(file: Path, layout: Layout, held_out: int, seed: int) -> "ArraySource":
        """Read the file."""
        return ArraySource(image_array(file, layout=layout), held_out, seed)

    @property
    def shape(self) -> tuple[int, int, int]:
        return tuple(self.pictures.pixels.shape[1:])  # type: ignore[return-value]

    def load(self) -> tuple[Images, Images]:
        return _split(self.pictures, self.held_out, self.seed)


def _split(pictures: Images, held_out: int, seed: int) -> tuple[Images, Images]:
    """Part of the pictures to train on, and a random part held out."""
    if not 1 <= held_out < len(pictures):
        raise ValueError(
            f"Of {len(pictures)} pictures, 1 to {len(pictures) - 1} can be held out; got "
            f"{held_out}. Change --held-out."
        )
    order = torch.randperm(len(pictures), generator=torch.Generator().manual_seed(seed))
    pixels = pictures.pixels[order]
    return Images(pixels[held_out:]), Images(pixels[:held_out])
