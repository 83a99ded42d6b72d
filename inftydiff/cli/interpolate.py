"""``inftydiff interpolate``: the functions between two pictures, or between two samples."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, final

import tyro
from jaxtyping import Float
from torch import Tensor

from inftydiff import Function, recommended_timesteps
from inftydiff._typing import checked_seed, whole
from inftydiff._writing import whole_folder
from inftydiff.cli.command import MOST_PICTURES, Command, require_free, require_writable
from inftydiff.cli.drawing import SolverArguments
from inftydiff.cli.figures import save_pictures, save_way_figure
from inftydiff.cli.task_pictures import (
    TaskPictures,
    default_size,
    known_at,
    size_taken,
    task_pictures,
)
from inftydiff.cli.tasks import ARRAYS, rms, save_task_arrays, watched
from inftydiff.data.array import Layout
from inftydiff.pipelines import InftyDiff, load_pipeline
from inftydiff.pipelines.tasks import Sampling, TaskResult, interpolate, interpolate_samples
from inftydiff.pipelines.tasks._encodings import DOWN
from inftydiff.processes._seeds import generator_of

__all__ = ["Interpolate"]

FIGURE = "way.png"


@final
@dataclass(frozen=True)
class Interpolate(Command):
    """Draw the functions between two pictures, or between two samples.

    Between pictures their latents are interpolated, and decoded with one noise: the ends have the
    pictures' latents, and the rest is drawn. With --encodings the noises that encode the pictures
    are mixed as well, and the ends are the pictures, as far as the inversion goes. Between the
    samples of two --seeds noises are mixed and latents interpolated: the ends are what inftydiff
    sample draws.

    Args:
        checkpoint: a run folder, a checkpoint, or a saved model: its folder, or its name on the
            Hugging Face Hub.
        pictures: two image files, which are cropped at the centre to the model's proportions, or
            a folder or a .npy or .npz array, of which the first two are taken; or "faces".
        seeds: two seeds instead of pictures.
        count: how many functions, both ends among them.
        encodings: keep the pictures' details on the way.
        size: pixels along the longest side of the answer; by default that of the pictures, or of
            the grid that the model was trained on.
        taken_at: pixels along the longest side that pictures are taken at, by averaging; by default
            what they have, up to the grid that the model was trained on.
        samples: how many ways between two pictures, each with a noise of its own.
        seed: of the noise.
        how: how they are drawn.
        tile: pixels along a tile's sides, or its rows and columns, for answers too large for the
            memory otherwise: the same answers, in more time.
        style: the style of faces.
        layout: the axes of an array: pictures (n), channels (c), rows (h), columns (w);
            by default nchw where there are one to four channels.
        out: a folder for way.png, the functions, 0000.png, 0001.png, …, way by way, and answer.npz,
            the same as numbers.
        overwrite: replace what is there.
    """

    checkpoint: tyro.conf.Positional[Path]
    pictures: tyro.conf.Positional[tuple[str, ...]] = ()
    seeds: tuple[int, int] | None = None
    count: int = 8
    encodings: bool = False
    size: int | None = None
    taken_at: int | None = None
    samples: int = 1
    seed: int = 0
    how: Annotated[SolverArguments, tyro.conf.arg(name="")] = field(default_factory=SolverArguments)
    tile: int | tuple[int, int] | None = None
    style: str = "toon-head"
    layout: Layout | None = None
    out: Path = Path("way")
    overwrite: bool = False

    def run(self, words: Sequence[str]) -> None:
        self.check()
        source = None
        if self.seeds is None:
            source = task_pictures(self.pictures, style=self.style, count=2, layout=self.layout)
            if len(source.names) != 2:
                raise ValueError(
                    f"A way leads from one picture to another; got {len(source.names)}. Name two."
                )
        require_free(self.out, [FIGURE, ARRAYS, "0000.png, …"], overwrite=self.overwrite)
        require_writable(self.out)
        pipeline = load_pipeline(self.checkpoint)
        if source is None:
            result, seconds = self.between_samples(pipeline)
            ends, caption = None, f"seeds {' and '.join(map(str, self.seeds or ()))}"
        else:
            ends = self.taken(pipeline, source)
            result, seconds = self.between_pictures(pipeline, ends)
            caption = f"{' and '.join(source.names)}, by their latents"
            if self.encodings:
                caption = f"{' and '.join(source.names)}, by their encodings"
        count, ways = result.samples.batch
        rows, columns = result.on.shape
        print(f"{ways} ways of {count} functions, {rows} × {columns}, in {seconds:.0f} s")
        if source is not None:
            self.compare(pipeline, source, result)
        self.save(result, ends, f"{self.checkpoint}, {caption}. Numbers: how far along the way.")

    def check(self) -> None:
        """Refuse arguments out of range, or that do not go together.

        Raises:
            ValueError: if there are such.
        """
        if (self.seeds is None) == (not self.pictures):
            raise ValueError(
                "Say what the functions are between: two pictures, or two samples by --seeds, such "
                "as --seeds 3 7. Got both, or neither."
            )
        whole(self.samples, "--samples")
        if whole(self.count, "--count", most=MOST_PICTURES) < 2:
            raise ValueError(f"--count has both ends, so that it is at least 2; got {self.count}.")
        for name, number in (("size", self.size), ("taken-at", self.taken_at)):
            if number is not None:
                whole(number, f"--{name}")
        checked_seed(self.seed, "--seed")
        for seed in self.seeds or ():
            checked_seed(seed, "--seeds")
        if self.seeds is not None:
            if self.seeds[0] == self.seeds[1]:
                raise ValueError(f"Two --seeds differ; got {self.seeds[0]} twice.")
            if self.encodings or self.taken_at is not None:
                raise ValueError(
                    "--encodings and --taken-at are for pictures, not for --seeds. Leave them out, "
                    "or give pictures."
                )
        if self.encodings and (self.how.solver is not None or self.how.spacing != "uniform"):
            raise ValueError(
                "Encodings are decoded by the solver and the times that encode. Got --solver or "
                "--spacing as well: leave them out, or leave out --encodings."
            )
        if self.samples > 1 and (self.encodings or self.seeds is not None):
            raise ValueError(
                "--samples draws ways with several noises; between --seeds, and with --encodings, "
                "the noise is given, and there is one way. "
                f"Got {self.samples}: leave --samples out."
            )

    def taken(self, pipeline: InftyDiff, source: TaskPictures) -> Float[Tensor, "2 c h w"]:
        """The two pictures.

        Raises:
            ValueError: if the model has no latents, and needs some.
        """
        if pipeline.encoder is None and not self.encodings:
            raise ValueError(
                f"{self.checkpoint} holds a model without latents; what it knows of a picture is "
                "the noise that encodes it. Pass --encodings."
            )
        return source.take(pipeline, self.taken_at or size_taken(source, pipeline))

    def between_pictures(
        self, pipeline: InftyDiff, pictures: Float[Tensor, "2 c h w"]
    ) -> tuple[TaskResult, float]:
        """The functions between two pictures, and the seconds they took."""
        how = Sampling(solver=self.how.solver, times=self.how.times(pipeline), tile=self.tile)
        if self.encodings:  # which are decoded as they were encoded
            count = self.how.steps
            times = None
            if count is not None:
                times = recommended_timesteps(count, DOWN, pipeline.process.schedule)
            how = Sampling(times=times, tile=self.tile)
        return watched(
            lambda how, generator: interpolate(
                pipeline,
                Function.from_image(pictures, pipeline.config.domain),
                count=self.count,
                generator=generator,
                on=pipeline.grid(self.size or max(pictures.shape[-2:])),
                samples=self.samples,
                encodings=self.encodings,
                how=how,
            ),
            how,
            seed=self.seed,
        )

    def between_samples(self, pipeline: InftyDiff) -> tuple[TaskResult, float]:
        """The functions between the samples of two seeds, and the seconds they took."""
        first, last = (generator_of(seed) for seed in self.seeds or ())
        return watched(
            lambda how, generator: interpolate_samples(
                pipeline,
                first,
                last,
                count=self.count,
                on=pipeline.grid(self.size or default_size(pipeline)),
                how=how,
            ),
            Sampling(solver=self.how.solver, times=self.how.times(pipeline), tile=self.tile),
            seed=self.seed,
        )

    def compare(self, pipeline: InftyDiff, source: TaskPictures, result: TaskResult) -> None:
        """Print how far the ends are from the pictures, if these are known as finely."""
        truth = known_at(source, pipeline, result.on)
        if truth is not None:
            ends = result.samples.to_image()[[0, -1]]
            print(f"rms distance of the ends from the pictures: {rms(ends - truth[:, None]):.4f}")

    def save(self, result: TaskResult, ends: Float[Tensor, "2 c h w"] | None, caption: str) -> None:
        """Write the functions, as pictures and as numbers, and the figure."""
        ways = result.samples.to_image().transpose(0, 1)
        with whole_folder(self.out) as folder:
            save_task_arrays(folder / ARRAYS, result)
            if ways.shape[2] in (1, 3):
                save_pictures(folder, ways.flatten(0, 1))
            save_way_figure(
                folder / FIGURE, result, ends=ends, heading="Interpolation", caption=caption
            )
        print(f"Pictures in {self.out}, {FIGURE} among them; numbers in {ARRAYS}")
