"""What is judged: pictures that a model draws, or pictures as they are."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
import torch

from inftydiff import Grid
from inftydiff._typing import whole
from inftydiff.cli.drawing import SolverArguments, draw
from inftydiff.cli.real import chosen, is_array
from inftydiff.data import Images, image_array, image_folder
from inftydiff.data._files import pictures_below
from inftydiff.data.array import Layout, held_by, read_one
from inftydiff.evaluation import as_bytes
from inftydiff.pipelines import InftyDiff, load_pipeline
from inftydiff.pipelines._pretrained import is_pretrained
from inftydiff.pipelines.checkpoints import CONFIG, latest, steps_in

__all__ = ["FEWER", "Candidate", "ModelCandidate", "PictureCandidate", "Size"]

FEWER = "Change --count (to be judged, and as many real ones for the clean floor) or --reference."
"""What to do where there are fewer pictures than are to be judged or compared with."""

Size = tuple[int] | tuple[int, int]
"""Pixels along the longest side, or rows and columns."""

OVERSHOOT = 2.0
"""How far values of pictures that were sampled to an array may leave [-1, 1]: they are clamped."""


class Candidate(ABC):
    """Pictures to judge."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Where the pictures come from."""

    @property
    @abstractmethod
    def verb(self) -> str:
        """What is done to get them."""

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int]:
        """Rows and columns of every picture."""

    @abstractmethod
    def pictures(self) -> Images:
        """The pictures, in eight bits."""


@final
@dataclass(frozen=True, eq=False)
class ModelCandidate(Candidate):
    """Pictures that a model draws.

    Args:
        checkpoint: the checkpoint's folder.
        pipeline: the model.
        on: the grid.
        seeds: one a picture.
        how: how they are drawn.
        noise_to_signal: of the Wiener filter; by default the model's.
    """

    checkpoint: Path
    pipeline: InftyDiff
    on: Grid
    seeds: range
    how: SolverArguments
    noise_to_signal: float | None

    @staticmethod
    def load(
        path: Path,
        size: Size | None,
        *,
        seeds: range,
        how: SolverArguments,
        noise_to_signal: float | None,
    ) -> "ModelCandidate":
        """Load the model.

        Raises:
            ValueError: if there is no checkpoint, its channels cannot be judged, or it has latents
                and no trained prior.
        """
        pipeline = load_pipeline(path)
        if pipeline.config.channels not in (1, 3):
            raise ValueError(
                f"This model has {pipeline.config.channels} channels, and the feature network sees "
                "1 or 3. Sample it to an array, and judge the channels one by one."
            )
        pipeline.draw_latents(batch=1, generator=torch.Generator())  # refuses before the work
        size = (64,) if size is None else size
        on = pipeline.grid(size[0] if len(size) == 1 else size)
        found = path if is_pretrained(path) else latest(path)
        return ModelCandidate(found, pipeline, on, seeds, how, noise_to_signal)

    @property
    def name(self) -> str:
        return str(self.checkpoint)

    @property
    def verb(self) -> str:
        return "sampled in"

    @property
    def shape(self) -> tuple[int, int]:
        rows, columns = self.on.shape
        return rows, columns

    def pictures(self) -> Images:
        x = draw(
            self.pipeline,
            self.on,
            self.seeds,
            solver=self.how.chosen,
            times=self.how.times(self.pipeline),
            title="Sampling",
            noise_to_signal=self.noise_to_signal,
        )
        return Images(as_bytes(x))


@final
@dataclass(frozen=True)
class PictureCandidate(Candidate):
    """A folder of image files, or an array.

    Args:
        path: where they come from.
        judged: those chosen.
    """

    path: Path
    judged: Images

    @staticmethod
    def holds(path: Path) -> bool:
        """Whether a path holds pictures, and no checkpoint."""
        if is_array(path):
            return True
        if not path.is_dir() or (path / CONFIG).is_file() or steps_in(path):
            return False
        return any(True for _ in pictures_below(path))

    @staticmethod
    def read(
        path: Path, count: int, size: Size | None, layout: Layout | None
    ) -> "PictureCandidate":
        """Read the pictures, and choose some of them at random, the same at every call.

        Files are cropped and averaged down to a size, by default 64; an array keeps its own.

        Raises:
            ValueError: if they cannot be read, there are fewer, or an array has another size than
                was asked for.
        """
        if not is_array(path):
            asked = (64,) if size is None else size
            shape = whole(asked[0], "--size"), whole(asked[-1], "--size")
            return PictureCandidate(
                path, chosen(image_folder(path, shape), count, str(path), advice=FEWER)
            )
        every = _array(path, layout)
        rows, columns = every.pixels.shape[-2:]
        if size is not None and (size[0], size[-1]) != (rows, columns):
            raise ValueError(
                f"{path} holds pictures of {rows} × {columns} pixels; got --size "
                f"{' '.join(map(str, size))}. Leave it out, or resize the pictures."
            )
        return PictureCandidate(path, chosen(every, count, str(path), advice=FEWER))

    @property
    def name(self) -> str:
        return str(self.path)

    @property
    def verb(self) -> str:
        return "read in"

    @property
    def shape(self) -> tuple[int, int]:
        rows, columns = self.judged.pixels.shape[-2:]
        return rows, columns

    def pictures(self) -> Images:
        return self.judged


def _array(path: Path, layout: Layout | None) -> Images:
    """Pictures of an array; samples, which leave [-1, 1] a little, are clamped as in a file."""
    values = read_one(path)
    if np.issubdtype(values.dtype, np.floating) and np.abs(values).max(initial=0) <= OVERSHOOT:
        values = values.clip(-1.0, 1.0)
    with held_by(path):
        pictures = image_array(values, layout=layout)
    if pictures.pixels.dtype == torch.uint8:
        return pictures
    return Images(as_bytes(pictures.pixels))
