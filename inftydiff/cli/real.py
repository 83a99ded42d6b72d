"""The real pictures that others are judged by: vector faces, a folder of image files, an array."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, final

import torch

from inftydiff.data import Images, face_credit, face_seeds, faces, image_array, image_folder
from inftydiff.data.array import Layout

__all__ = ["Real", "RealArray", "RealFaces", "RealFolder", "chosen", "is_array"]


class Real(ABC):
    """Real pictures, of which some number is taken at some size."""

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int] | None:
        """Rows and columns that they have; None if they can have any."""

    @abstractmethod
    def take(self, count: int, shape: tuple[int, int], *, advice: str) -> Images:
        """A random choice of pictures in random order, the same at every call.

        Args:
            count: how many.
            shape: rows and columns.
            advice: what to do where there are fewer.

        Raises:
            ValueError: if there are fewer, or they cannot have this shape.
        """


@final
@dataclass(frozen=True)
class RealFaces(Real):
    """Vector faces, drawn at the size asked for.

    Args:
        style: the style's name.
        split: which seeds.
    """

    style: str
    split: Literal["train", "validation", "test"]

    def __post_init__(self) -> None:
        face_credit(self.style)

    @property
    def shape(self) -> None:
        return None

    def take(self, count: int, shape: tuple[int, int], *, advice: str) -> Images:
        if shape[0] != shape[1]:
            raise ValueError(
                f"Faces are square; got {shape[0]} × {shape[1]}. Change --size or --data."
            )
        return faces(self.style, face_seeds(self.split, count), shape[0])


@final
@dataclass(frozen=True)
class RealFolder(Real):
    """A folder of image files, each averaged down to the size asked for.

    Args:
        folder: the folder.
        channels: 3 for colours, 1 for grey.
    """

    folder: Path
    channels: Literal[1, 3] = 3

    def __post_init__(self) -> None:
        if not self.folder.is_dir():
            raise ValueError(
                f"--data {self.folder} is neither 'faces', nor a folder, nor a .npy or .npz file. "
                "Give one of these."
            )

    @property
    def shape(self) -> None:
        return None

    def take(self, count: int, shape: tuple[int, int], *, advice: str) -> Images:
        pictures = image_folder(self.folder, shape, channels=self.channels)
        return chosen(pictures, count, str(self.folder), advice=advice)


@final
@dataclass(frozen=True)
class RealArray(Real):
    """A ``.npy`` or ``.npz`` file, whose pictures keep their size.

    Args:
        file: where they come from.
        pictures: what it holds.
    """

    file: Path
    pictures: Images

    @staticmethod
    def read(file: Path, layout: Layout | None) -> "RealArray":
        """Read the file."""
        return RealArray(file, image_array(file, layout=layout))

    @property
    def shape(self) -> tuple[int, int]:
        rows, columns = self.pictures.pixels.shape[-2:]
        return rows, columns

    def take(self, count: int, shape: tuple[int, int], *, advice: str) -> Images:
        if shape != self.shape:
            raise ValueError(
                f"{self.file} holds pictures of {self.shape[0]} × {self.shape[1]} pixels, and "
                f"those to judge have {shape[0]} × {shape[1]}. Compare pictures of one size."
            )
        return chosen(self.pictures, count, str(self.file), advice=advice)


def chosen(pictures: Images, count: int, name: str, *, advice: str) -> Images:
    """A random choice of pictures in random order, the same at every call.

    Args:
        pictures: all of them.
        count: how many are wanted.
        name: what to call them in the error.
        advice: what to do where there are fewer.

    Raises:
        ValueError: if there are fewer.
    """
    if len(pictures) < count:
        raise ValueError(f"{name} holds {len(pictures)} pictures, and {count} are needed. {advice}")
    order = torch.randperm(len(pictures), generator=torch.Generator().manual_seed(0))
    return Images(pictures.pixels[order[:count]])


def is_array(path: Path) -> bool:
    """Whether a path names a file of pictures in one array."""
    return path.suffix.lower() in (".npy", ".npz")
