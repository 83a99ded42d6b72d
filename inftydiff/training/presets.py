"""Settings of a run by the model's preset: the paper's for its models."""

from inftydiff._typing import choice
from inftydiff.pipelines.presets import PRESETS
from inftydiff.training.config import TrainConfig

__all__ = ["training_preset"]

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
