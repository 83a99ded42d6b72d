"""``inftydiff train-prior``: train what draws the latents of a model that has been trained."""

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, final

import tyro

from inftydiff._typing import whole
from inftydiff.cli.command import Command
from inftydiff.cli.folders import require_writable
from inftydiff.cli.report import training_report
from inftydiff.cli.sources import PictureArguments
from inftydiff.models import LatentPriorConfig
from inftydiff.training import (
    Interrupted,
    TrainConfig,
    encode_pictures,
    load_pipeline,
    train_prior,
)
from inftydiff.training.folders import require_run

__all__ = ["TrainPrior"]


@final
@dataclass(frozen=True)
class TrainPrior(Command):
    """Train the prior of a model with latents (stage two), on the pictures it was trained on.

    The pictures are encoded first. The checkpoints in --out hold the model and its prior together,
    and `inftydiff sample` draws from them. Ctrl-C and --resume are as for `inftydiff train`.

    Args:
        checkpoint: the model's run folder, or one checkpoint of it.
        pictures: what its latents are those of.
        config: a TOML or JSON file of these settings, by their names; words go before it.
        out: the run folder of the prior.
        resume: go on from the newest checkpoint in this folder.
        draws: how many times each picture is encoded, from other points each time.
        seen: the fraction of a picture's points that the encoder sees.
        prior: the prior.
        train: the training run.
    """

    checkpoint: tyro.conf.Positional[Path]
    pictures: Annotated[PictureArguments, tyro.conf.arg(name="")]
    config: Path | None = None
    out: Path = Path("run-prior")
    resume: bool = False
    draws: int = 2
    seen: float = 0.25
    prior: LatentPriorConfig = field(default_factory=LatentPriorConfig)
    train: Annotated[TrainConfig, tyro.conf.arg(name="")] = field(
        default_factory=lambda: TrainConfig(
            minutes=30.0,
            batch_size=256,
            learning_rate=1e-4,
            weight_decay=0.04,
            ema=0.999,
            validation_images=1024,
        )
    )

    def run(self, words: Sequence[str]) -> None:
        from accelerate import PartialState

        whole(self.draws, "--draws")
        pipeline = load_pipeline(self.checkpoint)
        if pipeline.encoder is None:
            raise ValueError(
                f"{self.checkpoint} holds a model without latents, which needs no prior. Train one "
                "with --network.latent."
            )
        source = self.pictures.source(self.train.seed)
        require_run(self.out, self.resume)
        require_writable(self.out)
        data, held_out = source.load()
        latents = encode_pictures(pipeline, data, points=self.seen, draws=self.draws)
        others = encode_pictures(pipeline, held_out, points=self.seen, draws=self.draws)
        try:
            train_prior(
                pipeline, latents, others, self.prior, self.train, self.out, resume=self.resume
            )
        except Interrupted:
            again = [*words, *([] if self.resume else ["--resume"])]
            print(f"\nGo on with: inftydiff train-prior {shlex.join(again)}", file=sys.stderr)
            raise
        if PartialState().is_main_process:
            print(training_report(self.out))
            print(f"Sample from it with: inftydiff sample {self.out}")
