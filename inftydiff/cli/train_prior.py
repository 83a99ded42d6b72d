"""``inftydiff train-prior``: train what draws the latents of a model that has been trained."""

import dataclasses
import shlex
import sys
from collections.abc import Sequence, Sized
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, cast, final

import tyro
from jaxtyping import Float
from torch import Tensor

from inftydiff._typing import whole
from inftydiff.cli.command import Command, require_writable, training_report
from inftydiff.cli.components import chosen_kinds, form_of
from inftydiff.cli.field_source import Source
from inftydiff.cli.labels import SUBFOLDERS, class_names, read_labels, split_labels
from inftydiff.cli.sources import ArraySource, FolderSource, PictureArguments
from inftydiff.models import LatentPriorConfig, PriorConfig
from inftydiff.pipelines import InftyDiff, latest, load_pipeline
from inftydiff.pipelines._pretrained import is_pretrained
from inftydiff.training import (
    Interrupted,
    TrainConfig,
    encode_pictures,
    train_prior,
)
from inftydiff.training._folders import require_run
from inftydiff.training._stages import check_latent_settings
from inftydiff.training.checkpoint import read_settings
from inftydiff.training.loop import is_main_process

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
        seen: the fraction of a picture's points that the encoder sees; by default that at which
            the model was trained.
        labels: what the latents are conditioned on: "subfolders" for a class a subfolder, or a .npy
            file with a class (a whole number from 0 on) or a row of numbers for each picture, in
            their order; samples of a class are then drawn by `inftydiff sample --label`.
        drop_condition: with labels, the part of the latents whose label is hidden in a step.
        prior: the prior; by default the one that the model was given when it was trained, or ten
            layers of 2048 channels.
        train: the training run.
    """

    checkpoint: tyro.conf.Positional[Path]
    pictures: Annotated[PictureArguments, tyro.conf.arg(name="")]
    config: Path | None = None
    out: Path = Path("run-prior")
    resume: bool = False
    draws: int = 2
    seen: float | None = None
    labels: str | None = None
    drop_condition: float = 0.1
    prior: PriorConfig = field(default_factory=LatentPriorConfig)
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
        whole(self.draws, "--draws")
        pipeline = load_pipeline(self.checkpoint)
        if pipeline.encoder is None:
            raise ValueError(
                f"{self.checkpoint} holds a model without latents, which needs no prior. Train one "
                "with --latent."
            )
        known = pipeline.config.prior or LatentPriorConfig()
        form = form_of(TrainPrior, chosen_kinds(words), values={"prior": known})
        args: TrainPrior = form.parse(words, prog="inftydiff train-prior")
        args.train_on(pipeline, words)

    def train_on(self, pipeline: InftyDiff, words: Sequence[str]) -> None:
        """Encode the pictures, train, and say what it has come to.

        Args:
            pipeline: the model.
            words: the words after the command's name.
        """
        check_latent_settings(self.train)
        seen = self.share_seen()
        config = dataclasses.replace(self.train, points=seen)
        source = self.pictures.source(config.seed)
        labels = self.read_labels(source)
        prior = self.conditional_prior(labels)
        require_run(self.out, self.resume)
        require_writable(self.out)
        data, held_out = source.load()
        conditions, theirs = None, None
        if labels is not None:
            count = len(cast(Sized, data))
            parts = split_labels(labels, count, len(held_out), config.seed)
            conditions, theirs = (part.repeat(self.draws, 1) for part in parts)
        latents = encode_pictures(pipeline, data, points=seen, draws=self.draws)
        others = encode_pictures(pipeline, held_out, points=seen, draws=self.draws)
        try:
            train_prior(
                pipeline,
                latents,
                others,
                prior,
                config,
                self.out,
                conditions=conditions,
                validation_conditions=theirs,
                drop_condition=self.drop_condition,
                resume=self.resume,
            )
        except Interrupted:
            again = [*words, *([] if self.resume else ["--resume"])]
            print(f"\nGo on with: inftydiff train-prior {shlex.join(again)}", file=sys.stderr)
            raise
        if is_main_process():
            print(training_report(self.out, loss="absolute error over the spread of the noise"))
            if self.labels == SUBFOLDERS:
                names = class_names(Path(self.pictures.name))
                print("Classes:", ", ".join(f"{n} {name}" for n, name in enumerate(names)))
            print(f"Sample from it with: inftydiff sample {self.out}")

    def share_seen(self) -> float | None:
        """The fraction of a picture's points that the encoder sees; None for that of training.

        Raises:
            ValueError: if ``--points`` is given, or the model does not say at what fraction it was
                trained.
        """
        if self.train.points != TrainConfig.points:
            raise ValueError(
                "--points is for networks; what a picture is encoded from is --seen. "
                f"Got {self.train.points}: leave --points out, or give --seen."
            )
        if self.seen is not None:
            return self.seen
        if is_pretrained(self.checkpoint):
            raise ValueError(
                f"{self.checkpoint} is a saved model, which does not say at what part of the "
                "points it was trained. Give it by --seen."
            )
        return read_settings(latest(self.checkpoint))[1].points

    def read_labels(self, source: Source) -> Float[Tensor, "pictures conditions"] | None:
        """The condition of each picture, if the prior is to have one.

        Args:
            source: where the pictures come from.

        Raises:
            ValueError: if the pictures can have none, or as :func:`read_labels`.
        """
        if self.labels is None:
            return None
        if not isinstance(source, FolderSource | ArraySource):
            raise ValueError(
                f"--labels are those of a folder's or an array's pictures; {self.pictures.name!r} "
                "has none. Leave them out."
            )
        if self.pictures.on_error == "skip":
            raise ValueError(
                "With --labels every picture has its own, so that none can be left out; remove the "
                "damaged files, and leave --on-error out."
            )
        return read_labels(self.labels, Path(self.pictures.name))

    def conditional_prior(self, labels: Float[Tensor, "pictures conditions"] | None) -> PriorConfig:
        """The prior's sizes, with the number of features of the labels.

        Raises:
            ValueError: if another number is asked for.
        """
        found = None if labels is None else labels.shape[1]
        if self.prior.condition not in (None, found):
            raise ValueError(
                f"A prior with --prior.condition {self.prior.condition} takes labels with so many "
                f"features; got {'none' if found is None else found}. Give --labels, which say the "
                "number themselves, or --prior.condition None."
            )
        return cast(PriorConfig, dataclasses.replace(cast(Any, self.prior), condition=found))
