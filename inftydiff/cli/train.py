"""``inftydiff train``: train a model on faces, a folder of images, an array or fields."""

import dataclasses
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, final

import tyro

from inftydiff.cli.command import Command
from inftydiff.cli.folders import require_writable
from inftydiff.cli.report import training_report
from inftydiff.cli.sources import PictureArguments, Source
from inftydiff.models import LatentPriorConfig
from inftydiff.pipelines import InftyDiffConfig
from inftydiff.pipelines import preset as model_preset
from inftydiff.pipelines.presets import PresetName
from inftydiff.training import Interrupted, TrainConfig, best, train, training_preset
from inftydiff.training.folders import require_run
from inftydiff.training.processes import is_main_process

__all__ = ["Train"]


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
        prior: of a model with latents, the prior that `inftydiff train-prior` trains afterwards.
        train: the training run.
        model: the model; channels and lengths follow the pictures.
    """

    pictures: Annotated[PictureArguments, tyro.conf.arg(name="")]
    config: Path | None = None
    out: Path = Path("run")
    resume: bool = False
    preset: PresetName = "faces"
    prior: LatentPriorConfig = field(default_factory=LatentPriorConfig)
    train: Annotated[TrainConfig, tyro.conf.arg(name="")] = field(default_factory=training_preset)
    model: Annotated[InftyDiffConfig, tyro.conf.arg(name=""), tyro.conf.AvoidSubcommands] = field(
        default_factory=model_preset
    )

    def run(self, words: Sequence[str]) -> None:
        source = self.pictures.source(self.train.seed)
        base = self.default_model(source)
        prior = base.prior or LatentPriorConfig()
        args = tyro.cli(
            Train,
            prog="inftydiff train",
            args=list(words),
            default=dataclasses.replace(
                self,
                prior=prior,
                train=training_preset(self.preset),
                model=dataclasses.replace(base, prior=None),
            ),
        )
        model = args.model
        if args.prior != prior or (base.prior is not None and model.network.latent is not None):
            model = dataclasses.replace(model, prior=args.prior)
        require_run(args.out, args.resume)
        require_writable(args.out)
        data, held_out = source.load()
        if is_main_process():
            source.keep(args.out)
        try:
            train(model, data, held_out, args.train, args.out, resume=args.resume)
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
