"""What a run trains: a model on pictures, or afterwards its prior on their latents."""

from abc import ABC, abstractmethod
from collections.abc import Sized
from dataclasses import dataclass, replace
from typing import cast, final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.data import Dataset

from inftydiff._typing import (
    floating,
    instance,
    number,
)
from inftydiff.models import PriorConfig
from inftydiff.models._recompute import RecomputedBlock
from inftydiff.pipelines import InftyDiff, InftyDiffConfig
from inftydiff.processes._checks import conforming
from inftydiff.training._batches import length_of
from inftydiff.training._objective import Microbatch, TrainingLoss
from inftydiff.training._update import static_parts
from inftydiff.training.latents import LatentObjective
from inftydiff.training.settings import TrainConfig
from inftydiff.training.transfer import take_weights
from inftydiff.training.validation import COLUMNS, drawn, drawn_by_prior

__all__ = ["LatentStage", "PictureStage", "Stage", "check_latent_settings"]

OF_PICTURES = ("horizontal_flip", "gradient_checkpointing", "compile")
"""Settings that are for pictures and the network alone."""


def check_latent_settings(config: TrainConfig) -> None:
    """Refuse settings that would do nothing to a prior.

    Raises:
        ValueError: if there are such; the message names them.
    """
    idle = [name for name in OF_PICTURES if getattr(config, name)]
    if config.precision not in ("auto", "float32"):
        idle.append("precision")
    if idle:
        raise ValueError(
            f"A prior is trained on latents, in float32: {', '.join(idle)} would do nothing. Leave "
            "it out."
        )


class Stage(ABC):
    """One kind of training run."""

    @abstractmethod
    def build(self) -> InftyDiff:
        """The model as it is before the first step; what is not trained asks for no gradients."""

    @abstractmethod
    def objective(self, pipeline: InftyDiff, config: TrainConfig, *, training: bool) -> nn.Module:
        """The loss, a module that gives one number an item.

        It is called with items and the :class:`~inftydiff.training._objective.Microbatch` they are.

        Args:
            pipeline: the model.
            config: the settings of the run.
            training: whether it is trained by, rather than estimated.
        """

    @abstractmethod
    def check(self, data: Dataset[Tensor]) -> None:
        """Refuse data that do not suit the model.

        Raises:
            ValueError: if so.
        """

    @abstractmethod
    def check_settings(self, config: TrainConfig) -> None:
        """Refuse settings that have no meaning for what is trained.

        Raises:
            ValueError: if there are such.
        """

    @abstractmethod
    def check_model(self, pipeline: InftyDiff, shape: torch.Size, config: TrainConfig) -> None:
        """Refuse settings that the model cannot be trained by, and a network that fails.

        Args:
            pipeline: the model.
            shape: that of every item of the data.
            config: the settings of the run.

        Raises:
            TypeError: if the network answers with no function.
            ValueError: if it cannot; nothing has been written then.
        """

    @abstractmethod
    def samples(
        self, pipeline: InftyDiff, data: Dataset[Tensor]
    ) -> tuple[Float[Tensor, "n c h w"], int]:
        """Pictures that show how the run comes along, and how many of them a row has.

        Args:
            pipeline: the model.
            data: what is held out, or else trained on.
        """


@final
@dataclass(frozen=True)
class PictureStage(Stage):
    """A network and its encoder, if it has latents, trained on pictures.

    Args:
        model: what the model is built from.
        start: a model that it begins with the weights of, or None.
    """

    model: InftyDiffConfig
    start: InftyDiff | None = None

    def __post_init__(self) -> None:
        instance(self.model, InftyDiffConfig, "pipeline_config")
        if self.start is not None:
            instance(self.start, InftyDiff, "start, unless None,")

    def build(self) -> InftyDiff:
        pipeline = InftyDiff(self.model)
        if self.start is not None:
            take_weights(pipeline, self.start)
        if pipeline.prior is not None:  # it is trained after the encoder
            pipeline.prior.requires_grad_(False)
        return pipeline

    def objective(self, pipeline: InftyDiff, config: TrainConfig, *, training: bool) -> nn.Module:
        horizontal_flip = config.horizontal_flip and training
        return TrainingLoss(pipeline, points=config.points, horizontal_flip=horizontal_flip)

    def check(self, data: Dataset[Tensor]) -> None:
        config = self.model
        length_of(data)
        shape = tuple(instance(data[0], Tensor, "An item of the data").shape)
        if len(shape) != 3 or shape[0] != config.channels:
            raise ValueError(
                f"This model takes pictures of shape ({config.channels}, h, w); got {shape}. Set "
                "the network's channels to those of the data."
            )
        longest, sides = max(shape[1:]), config.domain.lengths
        lengths = tuple(n / longest for n in shape[1:])
        own = tuple(side / max(sides) for side in sides)
        if len(own) != 2 or any(
            abs(a - b) > 0.5 / longest for a, b in zip(lengths, own, strict=True)
        ):
            raise ValueError(
                f"This model's domain has the sides {sides}; pictures of {shape[1]} rows and "
                f"{shape[2]} columns need {lengths}. Crop the pictures, or set the domain's "
                "lengths to these."
            )

    def check_settings(self, config: TrainConfig) -> None:
        """All of them have one."""

    def check_model(self, pipeline: InftyDiff, shape: torch.Size, config: TrainConfig) -> None:
        network = type(pipeline.network).__name__
        if config.gradient_checkpointing and not any(
            isinstance(m, RecomputedBlock) for m in pipeline.modules()
        ):
            raise ValueError(
                "gradient_checkpointing=True is for networks of this package's blocks, and "
                f"{network} has none. Leave it out."
            )
        if config.precision in ("bf16", "fp16") and not pipeline.capabilities.mixed_precision:
            raise ValueError(
                f"{network} is not computed in 16 bits; got precision={config.precision!r}. Leave "
                "it out."
            )
        if config.compile:
            static_parts(pipeline)
        objective = self.objective(pipeline, config, training=False).eval()
        device = next(pipeline.parameters()).device
        with torch.no_grad(), torch.random.fork_rng([]):
            objective(torch.zeros(1, *shape, device=device), Microbatch(config.seed, 0, 0, 1))
        objective.train()

    def samples(
        self, pipeline: InftyDiff, data: Dataset[Tensor]
    ) -> tuple[Float[Tensor, "n c h w"], int]:
        shown = drawn(pipeline, data)
        return shown, COLUMNS if self.model.latent is None else len(shown) // 2


@final
@dataclass(frozen=True, eq=False)
class LatentStage(Stage):
    """A prior, trained on the latents of a model that stays as it is.

    Args:
        pipeline: the model, with an encoder.
        prior: the sizes of the prior.
        latents: those that the prior is fitted to, of shape ``(samples, features)``.
        drop: the probability that the condition of a latent is hidden in a step.

    Raises:
        TypeError: if an argument is of another kind.
        ValueError: if the model has no latents, or the probability is out of range.
    """

    pipeline: InftyDiff
    prior: PriorConfig
    latents: Float[Tensor, "samples features"]
    drop: float = 0.1

    def __post_init__(self) -> None:
        instance(self.pipeline, InftyDiff, "pipeline")
        conforming(self.prior, PriorConfig, "prior", "Pass LatentPriorConfig(), say.")
        floating(self.latents, "Latents")
        number(self.drop, "drop_condition")
        if self.pipeline.encoder is None:
            raise ValueError(
                "A model without latents needs no prior. Leave it out, or give a model with "
                "latents."
            )
        if not 0.0 <= self.drop <= 1.0:
            raise ValueError(f"drop_condition is a probability in [0, 1]; got {self.drop}.")

    def build(self) -> InftyDiff:
        pipeline = InftyDiff(replace(self.pipeline.config, prior=self.prior))
        kept = {
            name: value
            for name, value in self.pipeline.state_dict().items()
            if not name.startswith("prior.")
        }
        pipeline.load_state_dict(pipeline.state_dict() | kept)
        pipeline.requires_grad_(False)
        assert pipeline.prior is not None
        pipeline.prior.requires_grad_(True)
        pipeline.prior.fit(self.latents)
        return pipeline

    def objective(self, pipeline: InftyDiff, config: TrainConfig, *, training: bool) -> nn.Module:
        conditional = training and self.prior.condition is not None
        return LatentObjective(pipeline, drop=self.drop if conditional else 0.0)

    def check(self, data: Dataset[Tensor]) -> None:
        features, wanted = self.pipeline.config.latent, self.prior.condition
        if tuple(self.latents.shape[1:]) != (features,) or len(cast(Sized, data)) == 0:
            raise ValueError(
                f"The prior of this model is trained on latents of shape {(features,)}; encode "
                "pictures by encode_pictures."
            )
        given = len(data[0]) - cast(int, features)
        if given != (wanted or 0):
            raise ValueError(
                f"A prior with condition={wanted} is trained on latents with {wanted or 0} "
                f"features of a condition each; got {given}. Give conditions= to train_prior, for "
                "the held-out latents too, and set condition= of the prior to their number of "
                "features; or leave both out."
            )

    def check_settings(self, config: TrainConfig) -> None:
        check_latent_settings(config)

    def check_model(self, pipeline: InftyDiff, shape: torch.Size, config: TrainConfig) -> None:
        """A prior is trained by all settings that :meth:`check_settings` lets through."""

    def samples(
        self, pipeline: InftyDiff, data: Dataset[Tensor]
    ) -> tuple[Float[Tensor, "n c h w"], int]:
        return drawn_by_prior(pipeline, data), COLUMNS
