"""``inftydiff demo --train``: what a few minutes of training come to."""

import dataclasses
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, final

from jaxtyping import Float
from torch import Tensor

from inftydiff._typing import positive
from inftydiff.cli.sources import FaceSource
from inftydiff.pipelines import InftyDiff, preset
from inftydiff.training import Interrupted, TrainConfig, train

__all__ = ["CHECKPOINT", "TrainingDemo"]

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
