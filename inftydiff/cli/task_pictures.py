"""The pictures that tasks are given: vector faces, image files and folders of them."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, final

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff.data import face_credit, face_seeds, faces
from inftydiff.data.files import picture_files
from inftydiff.data.reduction import Reduction
from inftydiff.pipelines import InftyDiff

__all__ = ["TaskFaces", "TaskFiles", "TaskPictures", "task_pictures"]


class TaskPictures(ABC):
    """Pictures that can be had at several sizes."""

    @property
    @abstractmethod
    def names(self) -> Sequence[str]:
        """What to call each."""

    @abstractmethod
    def largest(self, pipeline: InftyDiff) -> int | None:
        """The most pixels along the longest side that all have; None if there is no limit."""

    @abstractmethod
    def take(self, pipeline: InftyDiff, size: int) -> Float[Tensor, "n c h w"]:
        """All of them in the proportions of a model, in [-1, 1].

        Args:
            pipeline: the model.
            size: pixels along the longest side.
        """


@final
@dataclass(frozen=True)
class TaskFaces(TaskPictures):
    """Faces that no model was trained on.

    Args:
        style: their style.
        count: how many.
    """

    style: str
    count: int

    def __post_init__(self) -> None:
        face_credit(self.style)

    @property
    def names(self) -> Sequence[str]:
        return [f"face {number + 1}" for number in range(self.count)]

    def largest(self, pipeline: InftyDiff) -> None:
        return None

    def take(self, pipeline: InftyDiff, size: int) -> Float[Tensor, "n c h w"]:
        if len(set(pipeline.config.lengths)) != 1:
            raise ValueError(
                f"Faces are square, and this model's pictures have the sides "
                f"{pipeline.config.lengths}. Give files."
            )
        images = faces(self.style, face_seeds("test", self.count), size)
        return torch.stack([images[i] for i in range(self.count)])


@final
@dataclass(frozen=True)
class TaskFiles(TaskPictures):
    """Image files, each cropped at the centre to a model's proportions.

    Args:
        files: the files.
    """

    files: tuple[Path, ...]

    @property
    def names(self) -> Sequence[str]:
        return [file.stem for file in self.files]

    def largest(self, pipeline: InftyDiff) -> int:
        from inftydiff.data.raster import upright_size

        lengths = pipeline.config.lengths
        shapes = [upright_size(file, False) for file in self.files]
        return max(
            1,
            min(int(n / side) for shape in shapes for n, side in zip(shape, lengths, strict=True)),
        )

    def take(self, pipeline: InftyDiff, size: int) -> Float[Tensor, "n c h w"]:
        channels = pipeline.config.channels
        if channels not in (1, 3):
            raise ValueError(
                f"This model has {channels} channels, and picture files show 1 or 3. Use "
                "inftydiff.pipelines.tasks in Python."
            )
        kind: Literal[1, 3] = 1 if channels == 1 else 3
        reduction = Reduction(pipeline.grid(size).shape, kind)  # type: ignore[arg-type]
        pixels = [torch.from_numpy(reduction.decode(file)) for file in self.files]
        return torch.stack(pixels).float() / 127.5 - 1.0


def task_pictures(words: Sequence[str], *, style: str, count: int) -> TaskPictures:
    """The pictures that a command names.

    Args:
        words: "faces", or image files and folders of them.
        style: the style of faces.
        count: how many faces, or files of each folder.

    Raises:
        ValueError: if one is neither, or there are none.
    """
    if list(words) == ["faces"]:
        return TaskFaces(style, count)
    files: list[Path] = []
    for word in words:
        path = Path(word)
        if not path.exists():
            raise ValueError(f"{word!r} is neither 'faces', nor an image file, nor a folder.")
        files += picture_files(path, None)[:count] if path.is_dir() else [path]
    if not files:
        raise ValueError("There are no pictures. Name image files, a folder, or 'faces'.")
    return TaskFiles(tuple(files))
