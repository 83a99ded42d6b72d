"""What the commands share that ask a model for what is not known of pictures.

They have the same options, run with a progress bar, and write figures and arrays of numbers.
"""

import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, final

import numpy as np
import torch
import tyro
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from inftydiff import Function, Grid
from inftydiff._typing import checked_seed, whole
from inftydiff._writing import whole_folder
from inftydiff.cli.command import MOST_PICTURES, require_free, require_writable
from inftydiff.cli.drawing import SolverArguments
from inftydiff.cli.figures import save_pictures, save_task_figure
from inftydiff.cli.task_pictures import TaskPictures, known_at, size_taken, task_pictures
from inftydiff.data import FieldScale
from inftydiff.data.array import Layout
from inftydiff.pipelines import InftyDiff, load_pipeline
from inftydiff.pipelines.tasks import Sampling, TaskResult
from inftydiff.processes import State
from inftydiff.processes._seeds import generator_of
from inftydiff.training._bar import seconds_between_updates

__all__ = ["ARRAYS", "FIGURE", "Prepared", "TaskArguments", "rms", "save_task_arrays", "watched"]


def save_task_arrays(path: Path, result: TaskResult, scale: FieldScale | None = None) -> None:
    """Write an ``.npz`` file of float32 arrays: ``samples``, ``mean`` and, of several, ``spread``.

    Samples have the shape ``(pictures, samples, channels, rows, columns)``; their mean and their
    standard deviation that without the samples' axis.

    Args:
        path: the file.
        result: the answer.
        scale: the ranges of the channels, if they are to have their units; else the values are
            those of the model, about [-1, 1].
    """
    samples = result.samples.to_image().cpu()
    if scale is not None:
        samples = scale.undo(samples)
    arrays = {"samples": samples, "mean": samples.mean(1)}
    if samples.shape[1] > 1:
        arrays["spread"] = samples.std(1)
    numbers = {name: array.float().numpy() for name, array in arrays.items()}
    np.savez(path, allow_pickle=False, **numbers)


def watched(
    task: Callable[[Sampling, torch.Generator], TaskResult], how: Sampling, *, seed: int
) -> tuple[TaskResult, float]:
    """Run a task with a progress bar.

    Args:
        task: what to run, given how to sample and the source of randomness.
        how: how to sample.
        seed: of the randomness.

    Returns:
        The answer, and how many seconds it took.
    """
    begin = time.monotonic()
    with tqdm(
        desc="Sampling", unit="step", leave=False, mininterval=seconds_between_updates()
    ) as bar:

        def watch(state: State) -> None:
            bar.update(0 if state.prediction is None else 1)

        result = task(dataclasses.replace(how, watch=watch), generator_of(seed))
    return result, time.monotonic() - begin


FIGURE, ARRAYS = "answer.png", "answer.npz"


def rms(error: Tensor) -> float:
    """The root mean square of errors."""
    return error.double().square().mean().sqrt().item()


@final
@dataclass(frozen=True, eq=False)
class Prepared:
    """A task's model, pictures and grids.

    Args:
        pipeline: the model.
        source: where the pictures come from.
        pictures: the pictures as they are taken, in [-1, 1].
        on: the grid of the answer.
    """

    pipeline: InftyDiff
    source: TaskPictures
    pictures: Float[Tensor, "n c h w"]
    on: Grid

    @property
    def x(self) -> Function:
        """The pictures as functions on the model's domain."""
        return Function.from_image(self.pictures, self.pipeline.config.domain)

    def truth(self) -> Float[Tensor, "n c h w"] | None:
        """The pictures on the grid of the answer, if they are known as finely."""
        return known_at(self.source, self.pipeline, self.on)


@final
@dataclass(frozen=True)
class TaskArguments:
    """The arguments of a task.

    Args:
        checkpoint: a run folder, a checkpoint, or a saved model: its folder, or its name on the
            Hugging Face Hub.
        pictures: image files and folders of them, which are cropped at the centre to the model's
            proportions; or one .npy or .npz array of pictures; or "faces".
        size: pixels along the longest side of the answer; by default the task's own.
        taken_at: pixels along the longest side that pictures are taken at, by averaging; by default
            the task's own, or what they have, up to the grid that the model was trained on.
        count: how many faces, pictures of an array, or files of each folder.
        samples: how many samples of each picture.
        seed: of the samples.
        how: how samples are drawn; the solver by default one that suits the task.
        tile: pixels along a tile's sides, or its rows and columns, for answers too large for the
            memory otherwise: the same answers, in more time.
        latent: for models with latents: "known", from what is known by the encoder, or "prior"; by
            default "prior" where a part is hidden.
        rounds: how often samples are drawn, each time but the first with the latents of those
            before.
        style: the style of faces.
        layout: the axes of an array: pictures (n), channels (c), rows (h), columns (w);
            by default nchw where there are one to four channels.
        out: a folder for answer.png, the samples, 0000.png, 0001.png, …, picture by picture, and
            answer.npz, the samples, their mean and their spread as numbers.
        overwrite: replace what is there.
    """

    checkpoint: tyro.conf.Positional[Path]
    pictures: tyro.conf.Positional[tuple[str, ...]]
    size: int | None = None
    taken_at: int | None = None
    count: int = 4
    samples: int = 4
    seed: int = 0
    how: Annotated[SolverArguments, tyro.conf.arg(name="")] = field(default_factory=SolverArguments)
    tile: int | tuple[int, int] | None = None
    latent: Literal["known", "prior"] | None = None
    rounds: int = 1
    style: str = "toon-head"
    layout: Layout | None = None
    out: Path = Path("answers")
    overwrite: bool = False

    def prepare(self, *, taken_at: int | None, size: int | None) -> Prepared:
        """Load the model and the pictures, and refuse what cannot be done before it is begun.

        Args:
            taken_at: what pictures are taken at unless asked; None for as large as they are, and
                no larger than the grid that the model was trained on.
            size: the size of the answer unless asked; None for that of the pictures.

        Raises:
            ValueError: if an argument is out of range, there are no pictures, or the output folder
                is in use.
        """
        whole(self.count, "--count", most=MOST_PICTURES)
        source = task_pictures(
            self.pictures, style=self.style, count=self.count, layout=self.layout
        )
        pipeline = self.load()
        at = taken_at if self.taken_at is None else self.taken_at
        at = size_taken(source, pipeline) if at is None else at
        pictures = source.take(pipeline, at)
        wanted = (size or at) if self.size is None else self.size
        return Prepared(pipeline, source, pictures, pipeline.grid(wanted))

    def load(self) -> InftyDiff:
        """Load the model, and refuse arguments out of range and an output folder in use.

        Raises:
            ValueError: if there are such.
        """
        whole(self.samples, "--samples")
        whole(self.rounds, "--rounds")
        checked_seed(self.seed, "--seed")
        for name, number in (("size", self.size), ("taken-at", self.taken_at)):
            if number is not None:
                whole(number, f"--{name}")
        require_free(self.out, [FIGURE, ARRAYS, "0000.png, …"], overwrite=self.overwrite)
        require_writable(self.out)
        return load_pipeline(self.checkpoint)

    def sample(
        self, pipeline: InftyDiff, task: Callable[[Sampling, torch.Generator], TaskResult]
    ) -> TaskResult:
        """Run a task with a progress bar, and say how long it took.

        Args:
            pipeline: the model.
            task: what to run, given how to sample and the source of randomness.
        """
        result, seconds = watched(
            task,
            Sampling(
                solver=self.how.solver,
                times=self.how.times(pipeline),
                latent=self.latent,
                rounds=self.rounds,
                tile=self.tile,
            ),
            seed=self.seed,
        )
        pictures, samples = result.samples.batch
        rows, columns = result.on.shape
        print(
            f"{samples} samples of each of {pictures} pictures, {rows} × {columns}, in "
            f"{seconds:.0f} s"
        )
        return result

    def save(
        self,
        result: TaskResult,
        *,
        observed: Float[Tensor, "n c h w"],
        names: Sequence[str],
        truth: Float[Tensor, "n c rows columns"] | None,
        heading: str,
        caption: str,
        scale: FieldScale | None = None,
    ) -> None:
        """Write the samples and the figure, and print how far they are from the truth, if known.

        Args:
            result: the answer.
            observed: pictures of what was known.
            names: what to call each picture.
            truth: the pictures on the grid of the answer, if they are known.
            heading: of the figure.
            caption: of the figure.
            scale: the ranges of the channels, if the numbers are to have their units.
        """
        samples = result.samples.to_image()
        if truth is not None:
            mean = rms(result.mean.to_image() - truth)
            each = rms(samples - truth.unsqueeze(1))
            print(f"rms error: mean {mean:.4f}, single samples {each:.4f}")
        if result.misfit is not None:
            print(f"rms misfit of what was observed: {rms(result.misfit):.4f}")
        with whole_folder(self.out) as folder:
            save_task_arrays(folder / ARRAYS, result, scale)
            if samples.shape[2] in (1, 3):
                save_pictures(folder, samples.flatten(0, 1))
            save_task_figure(
                folder / FIGURE,
                result,
                observed=observed,
                names=names,
                truth=truth,
                heading=heading,
                caption=caption,
            )
        print(f"Pictures in {self.out}, {FIGURE} among them; numbers in {ARRAYS}")
