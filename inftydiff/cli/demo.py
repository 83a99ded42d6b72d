"""``inftydiff demo``: train on vector faces for some minutes, then sample at four resolutions."""

import dataclasses
import shlex
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, final

from jaxtyping import Float
from torch import Tensor

from inftydiff import DDIM, steps
from inftydiff._typing import positive, whole
from inftydiff.cli.command import Command
from inftydiff.cli.drawing import draw
from inftydiff.cli.figures import Panel, save_figure
from inftydiff.cli.folders import require_free, require_writable
from inftydiff.cli.process_figure import save_process_figure
from inftydiff.cli.report import training_report
from inftydiff.cli.sources import FaceSource
from inftydiff.data import face_credit
from inftydiff.pipelines import InftyDiff, preset
from inftydiff.training import Interrupted, TrainConfig, train

__all__ = ["Demo"]

LEARNING_RATE: Final = 2e-3
DECAY: Final = "tail"
"""What learns most in a few minutes: large steps of small batches, small ones at the end."""

SAMPLES, PROCESS, CHECKPOINT = "samples.png", "process.png", "checkpoint"


@final
@dataclass(frozen=True)
class Demo(Command):
    """Train on vector faces for some minutes, and draw samples at four resolutions.

    Drawing the faces (once; they are kept in the user's cache folder) and sampling come on top of
    the minutes. Writes samples.png, process.png and a checkpoint.

    Args:
        minutes: minutes of training.
        out: where the pictures and the checkpoint go.
        style: the style of the faces.
        seed: of the training run, and of the first row of samples.png.
        images: how many faces to train on.
        resolution: pixels a side of the faces.
        rows: how many seeds samples.png shows.
        sizes: the sizes that they are sampled at.
        steps: calls of the network for a sample; by default what the model suggests.
        preset: the model: "faces" has two million parameters, "tiny" some thousands.
        batch_size: faces a training step.
        overwrite: replace the results of an earlier demo in the output folder.
    """

    minutes: float = 3.0
    out: Path = Path("demo")
    style: str = "toon-head"
    seed: int = 0
    images: int = 5000
    resolution: int = 64
    rows: int = 4
    sizes: tuple[int, ...] = (32, 64, 128, 256)
    steps: int | None = None
    preset: Literal["faces", "tiny"] = "faces"
    batch_size: int = 8
    overwrite: bool = False

    def run(self, words: Sequence[str]) -> None:
        positive(self.minutes, "--minutes")
        whole(self.rows, "--rows")
        if not self.sizes:
            raise ValueError("--sizes takes at least one size; got none.")
        for size in self.sizes:
            whole(size, "--sizes")
        source = FaceSource(self.style, self.images, held_out=128, resolution=self.resolution)
        if self.batch_size > self.images:
            raise ValueError(
                f"--batch-size is at most --images; got {self.batch_size} and {self.images}."
            )
        model = preset(self.preset, resolution=self.resolution)
        if self.steps is not None:
            model = dataclasses.replace(model, steps=self.steps)
        config = TrainConfig(
            minutes=self.minutes,
            batch_size=self.batch_size,
            learning_rate=LEARNING_RATE,
            decay=DECAY,
            seed=self.seed,
        )
        require_free(self.out, [SAMPLES, PROCESS, CHECKPOINT], overwrite=self.overwrite)
        require_writable(self.out)

        print(
            f"{self.minutes:g} minutes of training, and besides it time to draw {self.images} "
            "faces (once) and to sample."
        )
        data, held_out = source.load()
        run = self.out / CHECKPOINT
        if run.is_dir():
            shutil.rmtree(run)
        try:
            pipeline = train(model, data, held_out, config, run)
        except Interrupted:
            print(f"\nGo on with: {self.continuation()}", file=sys.stderr)
            raise
        seconds = self.draw_samples(pipeline)
        save_process_figure(self.out / PROCESS, pipeline, held_out[0], seed=self.seed)
        print(training_report(run))
        print("Sampling       " + "; ".join(f"{n}²: {s:.1f} s" for n, s in seconds.items()))
        print(f"Pictures       {self.out / SAMPLES}, {self.out / PROCESS}")
        print(f"Faces          {face_credit(self.style)}")

    def continuation(self) -> str:
        """The command line that goes on with the training."""
        settings = {
            "style": self.style,
            "images": self.images,
            "resolution": self.resolution,
            "preset": self.preset,
            "batch-size": self.batch_size,
            "learning-rate": LEARNING_RATE,
            "decay": DECAY,
            "seed": self.seed,
            "minutes": self.minutes,
            "out": self.out / CHECKPOINT,
        }
        words = [word for key, value in settings.items() for word in (f"--{key}", str(value))]
        if self.steps is not None:
            words += ["--steps", str(self.steps)]
        return shlex.join(["inftydiff", "train", "faces", *words, "--resume"])

    def draw_samples(self, pipeline: InftyDiff) -> dict[int, float]:
        """Write ``samples.png``; returns the seconds that the samples of each size took."""
        seeds = range(self.seed, self.seed + self.rows)
        times = steps(pipeline.config.steps)
        columns: list[Float[Tensor, "n c h w"]] = []
        seconds = {}
        for size in self.sizes:
            begin = time.perf_counter()
            columns.append(
                draw(
                    pipeline,
                    pipeline.grid(size),
                    seeds,
                    rule=DDIM(),
                    times=times,
                    title=f"Sampling at {size}²",
                )
            )
            seconds[size] = time.perf_counter() - begin
        panel = Panel(
            "",
            [f"{size} × {size}" for size in self.sizes],
            [f"seed {seed}" for seed in seeds],
            [[column[row] for column in columns] for row in range(self.rows)],
        )
        save_figure(
            self.out / SAMPLES,
            [panel],
            heading="One noise a row, read on four grids"
            if len(self.sizes) == 4
            else "One noise a row, read on every grid",
            caption=f"{self.style}, trained at {self.resolution} × {self.resolution} on a random "
            f"quarter of the points for {self.minutes:g} minutes; DDIM, {len(times) - 1} steps.",
        )
        return seconds
