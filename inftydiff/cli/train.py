"""``inftydiff train``: train a model on faces, a folder of images, an array or fields."""

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Annotated, final

import tyro

from inftydiff.cli.command import Command, require_writable, training_report
from inftydiff.cli.components import Form, chosen_kinds, form_of
from inftydiff.cli.field_source import Source
from inftydiff.cli.sources import PictureArguments
from inftydiff.pipelines import InftyDiff, InftyDiffConfig, load_pipeline
from inftydiff.pipelines import preset as model_preset
from inftydiff.pipelines.presets import PRESETS, PresetName
from inftydiff.training import Interrupted, TrainConfig, best, train, training_preset
from inftydiff.training._folders import require_run
from inftydiff.training.loop import is_main_process
from inftydiff.training.transfer import take_weights

__all__ = ["Train"]

FOLLOWING = ("channels",)
"""Fields of the model that follow from the pictures, and are no options."""


@final
@dataclass(frozen=True)
class Train(Command):
    """Train a model on your own pictures, or on faces, and leave checkpoints in a folder.

    Ctrl-C ends the run and keeps its state; the same command with --resume goes on.

    Args:
        pictures: what to train on.
        config: a TOML or JSON file of these settings, by their names; words go before it.
        out: the run folder, where checkpoints go.
        resume: go on from the newest checkpoint in the run folder.
        preset: the model that the settings below change: "faces" has two million parameters,
            "tiny" some thousands; "infty_diff_256" and its like are the paper's, and are trained
            with the paper's settings.
        start: begin with the weights of this model, a run folder or a saved model, on other data,
            channels or domains: what fits is taken, the rest is named.
        train: the training run.
        model: the model; channels and domain follow the pictures. A component of another kind has
            other settings, as --network.kind says.
    """

    pictures: Annotated[PictureArguments, tyro.conf.arg(name="")]
    config: Path | None = None
    out: Path = Path("run")
    resume: bool = False
    preset: PresetName = "faces"
    start: Annotated[str | None, tyro.conf.arg(name="from")] = None
    train: Annotated[TrainConfig, tyro.conf.arg(name="")] = field(default_factory=training_preset)
    model: Annotated[InftyDiffConfig, tyro.conf.arg(name="")] = field(default_factory=model_preset)

    @classmethod
    def form(cls, words: Sequence[str]) -> Form:
        chosen = next((b for a, b in pairwise(words) if a == "--preset"), "faces")
        model = model_preset(chosen if chosen in PRESETS else "faces")
        return form_of(
            cls,
            chosen_kinds(words),
            values={"model": model},
            given={"dim": model.domain.dim},
            leave=FOLLOWING,
        )

    def run(self, words: Sequence[str]) -> None:
        source = self.pictures.source(self.train.seed)
        base = self.default_model(source)
        form = form_of(
            Train,
            chosen_kinds(words),
            values={"train": training_preset(self.preset), "model": base},
            given={"dim": base.domain.dim},
            leave=FOLLOWING,
        )
        args: Train = form.parse(words, prog="inftydiff train")
        model = args.model
        require_run(args.out, args.resume)
        require_writable(args.out)
        data, held_out = source.load()
        if is_main_process():
            source.keep(args.out)
        given = None if args.resume else args.start  # what is resumed has its own weights
        start = None if given is None else load_pipeline(given)
        if start is not None and is_main_process():
            print(take_weights(InftyDiff(model), start))
        try:
            train(model, data, held_out, args.train, args.out, start=start, resume=args.resume)
        except Interrupted:
            again = [*words, *([] if args.resume else ["--resume"])]
            print(f"\nGo on with: inftydiff train {shlex.join(again)}", file=sys.stderr)
            raise
        if is_main_process():
            print(training_report(args.out))
            if args.train.patience is not None:
                print(f"Lowest held-out loss: {best(args.out)}")
            print(f"Sample from it with: inftydiff sample {args.out}")

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
