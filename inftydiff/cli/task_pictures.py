"""The pictures that tasks are given: vector faces, image files and folders of them, arrays."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, final

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff import Grid
from inftydiff.cli.real import is_array
from inftydiff.data import Images, face_credit, face_seeds, faces, image_array
from inftydiff.data._files import picture_files
from inftydiff.data._resize import Reduction
from inftydiff.data.array import Layout
from inftydiff.pipelines import InftyDiff

__all__ = [
    "TaskArray",
    "TaskFaces",
    "TaskFiles",
    "TaskPictures",
    "default_size",
    "known_at",
    "size_taken",
    "task_pictures",
]

DEFAULT_SIZE = 64
"""What pictures are taken at for a model that does not say what it was trained at."""


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
    def sizes(self) -> set[tuple[int, int]]:
        """Rows and columns that they have, upright and before anything is cropped, if any."""

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

    def sizes(self) -> set[tuple[int, int]]:
        return set()

    def take(self, pipeline: InftyDiff, size: int) -> Float[Tensor, "n c h w"]:
        if len(set(pipeline.config.domain.lengths)) != 1:
            raise ValueError(
                f"Faces are square, and this model's pictures have the sides "
                f"{pipeline.config.domain.lengths}. Give files."
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
        lengths, shapes = pipeline.config.domain.lengths, self.sizes()
        return max(
            1,
            min(int(n / side) for shape in shapes for n, side in zip(shape, lengths, strict=True)),
        )

    def sizes(self) -> set[tuple[int, int]]:
        from inftydiff.data._image_io import upright_size
        from inftydiff.data._opening import named

        found = set()
        for file in self.files:
            with named(file):
                found.add(upright_size(file, False))
        return found

    def take(self, pipeline: InftyDiff, size: int) -> Float[Tensor, "n c h w"]:
        from inftydiff.data._opening import named

        channels = pipeline.config.channels
        if channels not in (1, 3):
            raise ValueError(
                f"This model has {channels} channels, and picture files show 1 or 3. Use "
                "inftydiff.pipelines.tasks in Python."
            )
        kind: Literal[1, 3] = 1 if channels == 1 else 3
        reduction = Reduction(pipeline.grid(size).shape, kind)  # type: ignore[arg-type]
        pixels = []
        for file in self.files:
            with named(file):
                pixels.append(torch.from_numpy(reduction.decode(file)))
        return torch.stack(pixels).float() / 127.5 - 1.0


@final
@dataclass(frozen=True, eq=False)
class TaskArray(TaskPictures):
    """Pictures of a ``.npy`` or ``.npz`` file, with values in [-1, 1] or eight bits.

    Args:
        file: the file.
        pictures: those that are taken of it.
    """

    file: Path
    pictures: Images

    @property
    def names(self) -> Sequence[str]:
        return [f"{self.file.stem} {number}" for number in range(len(self.pictures))]

    def largest(self, pipeline: InftyDiff) -> int:
        return max(self.pictures.shape[1:])

    def sizes(self) -> set[tuple[int, int]]:
        return {self.pictures.shape[1:]}

    def take(self, pipeline: InftyDiff, size: int) -> Float[Tensor, "n c h w"]:
        channels, rows, columns = self.pictures.shape
        if channels != pipeline.config.channels:
            raise ValueError(
                f"{self.file} has pictures of {channels} channels, and this model "
                f"{pipeline.config.channels}. Give others, or choose --layout."
            )
        own, grid = pipeline.grid(max(rows, columns)), pipeline.grid(size)
        if own.shape != (rows, columns):
            raise ValueError(
                f"{self.file} holds pictures of {rows} × {columns} pixels, and this model's of so "
                f"many along the longest side have {own.shape[0]} × {own.shape[1]}. Crop them."
            )
        if size > max(rows, columns):
            raise ValueError(
                f"{self.file} holds pictures of {rows} × {columns} pixels, and cannot be taken at "
                f"{grid.shape[0]} × {grid.shape[1]}. Lower --taken-at."
            )
        pixels = torch.stack([self.pictures[i] for i in range(len(self.pictures))])
        down, across = (averages(*cells) for cells in zip(own.shape, grid.shape, strict=True))
        return down @ pixels @ across.T


def averages(cells: int, wanted: int) -> Float[Tensor, "wanted cells"]:
    """The matrix of averages over so many equal parts of a side, of values constant in its cells.

    Args:
        cells: how many the side has.
        wanted: how many parts, at most as many.

    Example:
        >>> averages(3, 2)
        tensor([[0.6667, 0.3333, 0.0000],
                [0.0000, 0.3333, 0.6667]])
    """
    fine, coarse = (torch.arange(n + 1, dtype=torch.float64) / n for n in (cells, wanted))
    ends = torch.minimum(fine[1:], coarse[1:, None])
    begins = torch.maximum(fine[:-1], coarse[:-1, None])
    return (wanted * (ends - begins).clamp(min=0.0)).float()


def size_taken(source: TaskPictures, pipeline: InftyDiff) -> int:
    """The pixels along the longest side of pictures that are taken as they are.

    These are as many as all of them have, and no more than the grid that the model was trained on.

    Args:
        source: the pictures.
        pipeline: the model.
    """
    trained = default_size(pipeline)
    return min(source.largest(pipeline) or trained, trained)


def default_size(pipeline: InftyDiff) -> int:
    """The pixels along the longest side of the grid that a model was trained on, or 64."""
    return pipeline.config.training_resolution or DEFAULT_SIZE


def known_at(
    source: TaskPictures, pipeline: InftyDiff, on: Grid
) -> Float[Tensor, "n c rows columns"] | None:
    """The pictures on a grid, if they are known as finely.

    Args:
        source: the pictures.
        pipeline: the model.
        on: the grid.
    """
    largest = source.largest(pipeline)
    if largest is not None and largest < max(on.shape):
        return None
    return source.take(pipeline, max(on.shape))


def task_pictures(
    words: Sequence[str], *, style: str, count: int, layout: Layout | None = None
) -> TaskPictures:
    """The pictures that a command names.

    Args:
        words: "faces", or image files and folders of them, or one array.
        style: the style of faces.
        count: how many faces, pictures of an array, or files of each folder.
        layout: the axes of an array.

    Raises:
        ValueError: if one is none of these, or there are none.
    """
    if list(words) == ["faces"]:
        return TaskFaces(style, count)
    if len(words) == 1 and is_array(Path(words[0])) and Path(words[0]).is_file():
        file = Path(words[0])
        return TaskArray(file, Images(image_array(file, layout=layout).pixels[:count]))
    files: list[Path] = []
    for word in words:
        path = Path(word)
        if not path.exists():
            raise ValueError(
                f"{word!r} is neither 'faces', nor an image file, nor a folder, nor an array. Give "
                "one of these."
            )
        files += picture_files(path, None)[:count] if path.is_dir() else [path]
    if not files:
        raise ValueError("There are no pictures. Name image files, a folder, an array, or 'faces'.")
    return TaskFiles(tuple(files))
