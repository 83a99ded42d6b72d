"""Settings of a training run, and those that the paper gives for its models."""

import math
from dataclasses import dataclass
from typing import Literal, final, get_args

from inftydiff._typing import (
    checked_seed,
    choice,
    flag,
    fraction,
    not_negative,
    number,
    positive,
    store,
    whole,
)
from inftydiff.pipelines.presets import PRESETS

__all__ = ["TrainConfig", "training_preset"]

Decay = Literal["constant", "cosine", "tail"]
Precision = Literal["auto", "float32", "bf16", "fp16"]

LONGEST = 1e7
"""The most minutes, about nineteen years."""

LARGEST = 1e100
"""The largest learning rate, weight decay or norm, well within single precision."""

LARGEST_BATCH = 10**6
"""The most pictures of a step."""

MOST_WORKERS = 256
"""The most processes that read pictures."""


@final
@dataclass(frozen=True)
class TrainConfig:
    r"""Settings of a training run; at least one of ``minutes`` and ``max_steps`` ends it.

    Args:
        minutes: end after so many minutes of training, counted over resumed runs; None for no
            limit.
        max_steps: end after so many steps, counted over resumed runs; None for no limit.
        batch_size: pictures a step, on each process.
        learning_rate: of AdamW, after the warm-up.
        warmup: steps over which the learning rate rises from zero.
        decay: of the learning rate: "constant", "cosine" to zero over the whole run, or "tail",
            linearly to zero over its last third.
        weight_decay: of AdamW.
        clip_norm: gradients with a larger norm are scaled down to it.
        ema: the decay of the weights' moving average a step; after n steps it is at most
            (1 + n) / (10 + n), so that short runs average over what they have.
        points: the fraction of the coordinates that a step sees; by default a quarter, and all of
            them for a network that reads whole grids.
        precision: of the network's computations, "float32", "bf16" or "fp16"; "auto" takes bf16
            where the machine has instructions for it. The weights stay in float32. With fp16 the
            loss is scaled, so that small gradients do not vanish.
        gradient_accumulation: compute the batch of a process in so many parts, one after another.
            The result is the same but for rounding, and the memory that of one part.
        gradient_checkpointing: keep only the inputs of the network's blocks for the backward pass,
            and compute them again there: less than half the memory, about a third more time.
        compile: have ``torch.compile`` translate the U-Net and the encoder's way down.
        workers: processes that read pictures ahead, on each process; 0 reads them between steps.
        horizontal_flip: mirror half of the pictures. The default faces have a side (the parting,
            the light), so it is off.
        seed: of the weights, the order of the pictures, the times, the coordinates and the noise.
        checkpoint_steps: write a checkpoint every so many steps.
        checkpoint_minutes: and whenever so many minutes have passed since the last.
        keep: how many checkpoints to keep.
        validate_every: steps between two estimates of the held-out loss.
        validation_images: pictures that it is estimated on.
        patience: stop when the held-out loss has not improved for so many estimates, and keep the
            checkpoint with the lowest; None for never.
        max_skipped: a step whose loss or gradient is not finite is skipped; stop after so many in a
            row.
        log_every: note the loss, the gradient's norm and the learning rate of every so many steps
            in ``steps.jsonl``; None for none.
        sample_every: draw a sheet of samples every so many steps, into ``samples``; None for never.
        tensorboard: write losses, learning rates, speed and samples for tensorboard, too.

    Raises:
        ValueError: if a number is out of range, a name is unknown, or nothing ends the run.

    Example:
        >>> TrainConfig(max_steps=1000, decay="cosine", warmup=10).rate(0, 0.5)
        5e-05
    """

    minutes: float | None = None
    max_steps: int | None = None
    batch_size: int = 16
    learning_rate: float = 1e-3
    warmup: int = 100
    decay: Decay = "constant"
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    ema: float = 0.9995
    points: float | None = None
    precision: Precision = "auto"
    gradient_accumulation: int = 1
    gradient_checkpointing: bool = False
    compile: bool = False
    workers: int = 0
    horizontal_flip: bool = False
    seed: int = 0
    checkpoint_steps: int = 2000
    checkpoint_minutes: float = 5.0
    keep: int = 2
    validate_every: int = 250
    validation_images: int = 128
    patience: int | None = None
    max_skipped: int = 10
    log_every: int | None = None
    sample_every: int | None = None
    tensorboard: bool = False

    def __post_init__(self) -> None:
        if self.minutes is None and self.max_steps is None:
            raise ValueError("Nothing ends this run: give minutes, max_steps or both.")
        if self.minutes is not None:
            store(self, positive, "minutes", most=LONGEST)
        store(self, positive, "checkpoint_minutes", most=LONGEST)
        store(self, positive, "learning_rate", "clip_norm", most=LARGEST)
        store(self, not_negative, "weight_decay", most=LARGEST)
        store(self, flag, "gradient_checkpointing", "compile", "horizontal_flip", "tensorboard")
        store(self, whole, "warmup", least=0)
        store(self, checked_seed, "seed")
        store(self, whole, "workers", least=0, most=MOST_WORKERS)
        store(self, whole, "batch_size", "gradient_accumulation", most=LARGEST_BATCH)
        for name in (
            "max_steps",
            "checkpoint_steps",
            "keep",
            "validate_every",
            "validation_images",
            "patience",
            "max_skipped",
            "log_every",
            "sample_every",
        ):
            if getattr(self, name) is not None:
                store(self, whole, name)
        if self.gradient_accumulation > self.batch_size:
            raise ValueError(
                f"A batch of {self.batch_size} pictures has at most so many parts; got "
                f"gradient_accumulation={self.gradient_accumulation}."
            )
        store(self, fraction, "ema", one=False)
        if self.points is not None:
            store(self, positive, "points", most=1.0)
        for name, allowed in (("decay", Decay), ("precision", Precision)):
            choice(getattr(self, name), get_args(allowed), name)

    def fraction(self, step: int, seconds: float) -> float:
        """How much of the run is done, in [0, 1], after so many steps and seconds."""
        step, seconds = whole(step, "step", least=0), not_negative(seconds, "seconds")
        by_time = 0.0 if self.minutes is None else seconds / (60.0 * self.minutes)
        by_step = 0.0 if self.max_steps is None else step / self.max_steps
        return min(1.0, max(by_time, by_step))

    def rate(self, step: int, fraction: float) -> float:
        """The learning rate of a step (the first is 0) when so much of the run is done."""
        fraction = number(fraction, "fraction", least=0.0, most=1.0)
        rise = min(1.0, (whole(step, "step", least=0) + 1) / max(1, self.warmup))
        if self.decay == "cosine":
            rise *= 0.5 * (1.0 + math.cos(math.pi * fraction))
        if self.decay == "tail":
            rise *= min(1.0, 3.0 * (1.0 - fraction))
        return self.learning_rate * rise

    def ema_decay(self, updates: int) -> float:
        """The weight of the average after so many updates of it."""
        updates = whole(updates, "updates", least=0)
        return min(self.ema, (1.0 + updates) / (10.0 + updates))


PAPER = "infty_diff_"
"""What the names of the paper's models begin with."""


def training_preset(name: str = "faces") -> TrainConfig:
    r"""How a model is trained unless one says otherwise.

    The paper's models, ``infty_diff_…``, are trained as the paper says: Adam with a learning rate
    of :math:`5 \cdot 10^{-5}` and :math:`\beta = (0.9, 0.99)`, batches of 32, mirrored at random,
    a quarter of the coordinates, gradients of at most norm 1, an average of the weights with the
    decay 0.9995, until the held-out loss no longer falls. What differs:

    - AdamW without weight decay, which is Adam.
    - The paper does not say when a loss has ceased to fall. Here it is when 40 estimates in a row,
      one every 500 steps, have not been below the lowest; an end by steps is a million of them.
    - The average's decay rises to 0.9995 over the first eighteen thousand steps.
    - Automatic mixed precision is in bfloat16, and only on machines with instructions for it;
      ``precision="fp16"`` is the paper's.
    - The batch is that of one process; with several, divide 32 by their number.

    The other models have the defaults of :class:`TrainConfig`, for an hour.

    Args:
        name: the name of the model's preset.

    Raises:
        ValueError: if there is no such preset.

    Example:
        >>> training_preset("infty_diff_256").learning_rate
        5e-05
        >>> training_preset("faces").minutes
        60.0

    References:
        Bond-Taylor and Willcocks, "∞-Diff", ICLR 2024, appendix A, and the released code.
    """
    choice(name, ("faces", *PRESETS), "The name of a preset")
    if not name.startswith(PAPER):
        return TrainConfig(minutes=60.0)
    return TrainConfig(
        max_steps=1_000_000,
        batch_size=32,
        learning_rate=5e-5,
        warmup=0,
        weight_decay=0.0,
        clip_norm=1.0,
        ema=0.9995,
        points=0.25,
        horizontal_flip=True,
        validate_every=500,
        validation_images=512,
        patience=40,
    )
