"""``inftydiff train``: train a model on faces, a folder of images or an array."""

import dataclasses
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, final

import tyro

from inftydiff._typing import whole
from inftydiff.cli.command import Command
from inftydiff.cli.folders import require_writable
from inftydiff.cli.report import training_report
from inftydiff.cli.sources import ArraySource, FaceSource, FolderSource, Source
from inftydiff.data.array import Layout
from inftydiff.pipelines import InftyDiffConfig
from inftydiff.pipelines import preset as model_preset
from inftydiff.training import Interrupted, TrainConfig, best, train
from inftydiff.training.checkpoint import require_run

__all__ = ["Train"]


@final
@dataclass(frozen=True)
class Train(Command):
    """Train a model on your own pictures, or on faces, and leave checkpoints in a folder.

    Ctrl-C ends the run and keeps its state; the same command with --resume goes on.

    Args:
        data: "faces", a folder of image files, or a .npy or .npz file of pictures.
        out: the run folder, where checkpoints go.
        resume: go on from the newest checkpoint in the run folder.
        preset: the model that the settings below change: "faces" has two million parameters,
            "tiny" some thousands.
        resolution: pixels a side, or rows and columns, that faces and image files get; arrays keep
            theirs.
        style: the style of faces.
        images: how many faces to draw.
        held_out: how many pictures to hold out, for the held-out loss.
        layout: the axes of an array: pictures (n), channels (c), rows (h), columns (w).
        train: the training run.
        model: the model; channels and lengths follow the pictures.
    """

    data: tyro.conf.Positional[str]
    out: Path = Path("run")
    resume: bool = False
    preset: Literal["faces", "tiny"] = "faces"
    resolution: tuple[int] | tuple[int, int] = (64,)
    style: str = "toon-head"
    images: int = 5000
    held_out: int = 128
    layout: Layout = "nchw"
    train: Annotated[TrainConfig, tyro.conf.arg(name="")] = field(
        default_factory=lambda: TrainConfig(minutes=60.0)
    )
    model: Annotated[InftyDiffConfig, tyro.conf.arg(name="")] = field(default_factory=model_preset)

    def run(self, words: Sequence[str]) -> None:
        source = self.source()
        args = tyro.cli(
            Train,
            prog="inftydiff train",
            args=list(words),
            default=dataclasses.replace(self, model=self.default_model(source)),
        )
        from accelerate import PartialState

        require_run(args.out, args.resume)
        require_writable(args.out)
        data, held_out = source.load()
        try:
            train(args.model, data, held_out, args.train, args.out, resume=args.resume)
        except Interrupted:
            again = [*words, *([] if args.resume else ["--resume"])]
            print(f"\nGo on with: inftydiff train {shlex.join(again)}", file=sys.stderr)
            raise
        if PartialState().is_main_process:
            print(training_report(args.out))
            if args.train.patience is not None:
                print(f"Lowest held-out loss: {best(args.out)}")
            print(f"Sample from it with: inftydiff sample {args.out}")

    def source(self) -> Source:
        """Where the pictures come from.

        Raises:
            ValueError: if there is no such source, or its settings are wrong.
        """
        path, seed = Path(self.data), self.train.seed
        if self.data == "faces":
            if len(set(self.resolution)) != 1:
                raise ValueError(f"Faces are square; got --resolution {self.resolution}.")
            return FaceSource(self.style, self.images, self.held_out, self.resolution[0])
        if path.suffix in (".npy", ".npz"):
            return ArraySource.read(path, self.layout, self.held_out, seed)
        if not path.is_dir():
            raise ValueError(
                f"{self.data!r} is neither 'faces', nor a folder, nor a .npy or .npz file."
            )
        rows, columns = self.resolution[0], self.resolution[-1]
        size = whole(rows, "rows"), whole(columns, "columns")
        return FolderSource(path, self.held_out, size, seed)

    def default_model(self, source: Source) -> InftyDiffConfig:
        """The preset, for pictures of the source's shape."""
        channels, rows, columns = source.shape
        longest = max(rows, columns)
        return model_preset(
            self.preset,
            channels=channels,
            resolution=longest,
            lengths=(rows / longest, columns / longest),
        )
