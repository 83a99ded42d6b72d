"""``inftydiff demo``: the weights in the package sampled at four resolutions.

With ``--train`` a model is trained first, for a few minutes, and sampled.
"""

import dataclasses
import shlex
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, final

from jaxtyping import Float
from torch import Tensor

from inftydiff._typing import positive, whole
from inftydiff._writing import whole_folder
from inftydiff.cli.command import (
    Command,
    parameters,
    require_free,
    require_writable,
    training_report,
)
from inftydiff.cli.demo_figures import save_process_figure, save_sizes_figure
from inftydiff.cli.sources import FaceSource
from inftydiff.data import face_credit, face_seeds, faces
from inftydiff.pipelines import InftyDiff, preset
from inftydiff.pipelines._pretrained import shipped
from inftydiff.processes._seeds import seeds_from
from inftydiff.training import Interrupted, TrainConfig, train

__all__ = ["CHECKPOINT", "Demo", "TrainingDemo"]

CHECKPOINT: Final = "checkpoint"
LEARNING_RATE: Final = 2e-3
DECAY: Final = "tail"
"""What learns most in a few minutes: large steps of small batches, small ones at the end."""


@final
@dataclass(frozen=True)
class TrainingDemo:
    """A short training run on vector faces.

    Args:
        minutes: minutes of training.
        style: the style of the faces.
        images: how many faces to train on.
        resolution: pixels a side of the faces.
        preset: the model.
        batch_size: faces a training step.
        seed: of the run.
        steps: calls of the network for a sample; by default what the preset says.

    Raises:
        ValueError: if a setting is out of range.
    """

    minutes: float
    style: str
    images: int
    resolution: int
    preset: Literal["faces", "tiny"]
    batch_size: int
    seed: int
    steps: int | None

    def __post_init__(self) -> None:
        positive(self.minutes, "--minutes")
        self.source()
        if self.batch_size > self.images:
            raise ValueError(
                f"--batch-size is at most --images; got {self.batch_size} and {self.images}."
            )

    def source(self) -> FaceSource:
        """Where the faces come from."""
        return FaceSource(self.style, self.images, held_out=128, resolution=self.resolution)

    def run(self, folder: Path) -> tuple[InftyDiff, Float[Tensor, "c h w"]]:
        """Train, and leave checkpoints in a folder; gives the model and a held-out face.

        Checkpoints of an earlier demo are kept beside it until the training is done.

        Raises:
            ValueError: if the folder or the one beside it is a link.
        """
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
        print(
            f"{self.minutes:g} minutes of training, and besides it time to draw {self.images} "
            "faces (once) and to sample."
        )
        data, held_out = self.source().load()
        before = folder.with_name(f"{folder.name}-before")
        for path in (folder, before):
            if path.is_symlink():
                raise ValueError(f"{path} is a link, and a run follows none. Remove it.")
        if folder.is_dir():
            if before.is_dir():
                shutil.rmtree(before)
            folder.rename(before)
        try:
            trained = train(model, data, held_out, config, folder)
        except Interrupted:
            print(f"\nGo on with: {self.continuation(folder)}", file=sys.stderr)
            raise
        shutil.rmtree(before, ignore_errors=True)
        return trained, held_out[0]

    def continuation(self, folder: Path) -> str:
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
            "out": folder,
        }
        words = [word for key, value in settings.items() for word in (f"--{key}", str(value))]
        if self.steps is not None:
            words += ["--steps", str(self.steps)]
        return shlex.join(["inftydiff", "train", "faces", *words, "--resume"])


WEIGHTS: Final = "faces-64"
SAMPLES, PROCESS = "samples.png", "process.png"


@final
@dataclass(frozen=True)
class Demo(Command):
    """Draw samples at four resolutions from the weights in the package, or train them first.

    Writes samples.png and process.png; with --train a checkpoint, too, and then drawing the faces
    to train on (once; they are kept in the user's cache folder) comes on top of the minutes.

    Args:
        out: where the pictures and the checkpoint go.
        seed: of the first row of samples.png, and of the training run.
        rows: how many seeds samples.png shows.
        sizes: the sizes that they are sampled at.
        steps: calls of the network for a sample; by default what the model suggests.
        overwrite: replace the results of an earlier demo in the output folder.
        train: train a model on vector faces for some minutes, and draw from that.
        minutes: with --train, minutes of training.
        style: with --train, the style of the faces.
        images: with --train, how many faces to train on.
        resolution: with --train, pixels a side of the faces.
        preset: with --train, the model: "faces" has two million parameters, "tiny" some thousands.
        batch_size: with --train, faces a training step.
    """

    out: Path = Path("demo")
    seed: int = 0
    rows: int = 4
    sizes: tuple[int, ...] = (32, 64, 128, 256)
    steps: int | None = None
    overwrite: bool = False
    train: bool = False
    minutes: float = 3.0
    style: str = "toon-head"
    images: int = 5000
    resolution: int = 64
    preset: Literal["faces", "tiny"] = "faces"
    batch_size: int = 8

    def run(self, words: Sequence[str]) -> None:
        self.check()
        training = self.training() if self.train else None
        own = [SAMPLES, PROCESS] if training is None else [SAMPLES, PROCESS, CHECKPOINT]
        require_free(self.out, own, overwrite=self.overwrite)
        require_writable(self.out)

        if training is None:
            pipeline = self.with_steps(InftyDiff.from_pretrained(shipped()[WEIGHTS]))
            side = pipeline.config.training_resolution or 64
            face = faces(self.style, face_seeds("test", 1), side, progress=False)[0]
            caption = f"{WEIGHTS}, weights that come with the package"
            report = f"Weights        {WEIGHTS}, {parameters(pipeline):,} parameters"
        else:
            pipeline, face = training.run(self.out / CHECKPOINT)
            caption = (
                f"{self.style}, trained at {self.resolution} × {self.resolution} on a random "
                f"quarter of the points for {self.minutes:g} minutes"
            )
            report = training_report(self.out / CHECKPOINT)
        seeds = seeds_from(self.seed, self.rows)
        with whole_folder(self.out) as folder:
            seconds = save_sizes_figure(
                folder / SAMPLES, pipeline, self.sizes, seeds, caption=caption
            )
            save_process_figure(folder / PROCESS, pipeline, face, seed=self.seed)
        print(report)
        print("Sampling       " + "; ".join(f"{n}: {s:.1f} s" for n, s in seconds.items()))
        print(f"Pictures       {self.out / SAMPLES}, {self.out / PROCESS}")
        print(f"Faces          {face_credit(self.style)}")

    def check(self) -> None:
        """Refuse what can be told from the words alone.

        Raises:
            ValueError: if a setting is out of range, or is for training and there is none.
        """
        seeds_from(self.seed, whole(self.rows, "--rows"), "--seed")
        if self.steps is not None:
            whole(self.steps, "--steps")
        if not self.sizes:
            raise ValueError("--sizes takes at least one size; got none.")
        for size in self.sizes:
            whole(size, "--sizes")
        if self.train:
            return
        given = [
            f"--{field.name.replace('_', '-')}"
            for field in dataclasses.fields(TrainingDemo)
            if field.name not in ("seed", "steps")
            and getattr(self, field.name) != getattr(Demo, field.name)
        ]
        if given:
            raise ValueError(
                f"{', '.join(given)} is for training: add --train. Without it the demo draws from "
                "the weights in the package."
            )

    def training(self) -> TrainingDemo:
        """The training that --train asks for.

        Raises:
            ValueError: if a setting of it is out of range.
        """
        names = [field.name for field in dataclasses.fields(TrainingDemo)]
        return TrainingDemo(**{name: getattr(self, name) for name in names})

    def with_steps(self, pipeline: InftyDiff) -> InftyDiff:
        """The model, with as many sampling steps as asked for."""
        if self.steps is not None:
            pipeline.config = dataclasses.replace(pipeline.config, steps=self.steps)
        return pipeline
