"""How far a training run has come, as a value that every checkpoint keeps."""

import dataclasses
import math
from dataclasses import dataclass
from typing import final

from inftydiff._typing import (
    flag,
    not_negative,
    number,
    whole,
)

__all__ = ["Progress"]

SMOOTHING = 0.02
"""The weight of the newest step in the training loss that is shown."""


@final
@dataclass(frozen=True)
class Progress:
    r"""How far a run has come.

    Losses are divided by the square of the network's ``scale``, which is the variance of the noise
    where the scale is its standard deviation: predicting no noise at all then has the loss 1.

    Args:
        step: training steps done, those that were skipped among them.
        seconds: the time they took, checkpoints and held-out losses included.
        loss: the training loss, averaged over about the last hundred steps; None before the first.
        held_out: the averaged weights' loss on held-out pictures, or None if there are none.
        best: the lowest such loss so far.
        best_step: the step that it was estimated after.
        since: how many estimates there have been since.
        skipped: how many steps were skipped, because a loss or a gradient was not finite.
        in_a_row: how many of them were the last ones.

    Raises:
        TypeError: if one is no number.
        ValueError: if one is not finite, negative where it counts, or more steps were skipped than
            done.

    Example:
        >>> done = Progress(step=10).estimated(0.5).estimated(0.7)
        >>> done.best, done.since
        (0.5, 1)
    """

    step: int = 0
    seconds: float = 0.0
    loss: float | None = None
    held_out: float | None = None
    best: float | None = None
    best_step: int | None = None
    since: int = 0
    skipped: int = 0
    in_a_row: int = 0

    def __post_init__(self) -> None:
        for name in ("step", "since", "skipped", "in_a_row"):
            whole(getattr(self, name), name, least=0)
        not_negative(self.seconds, "seconds")
        if self.best_step is not None:
            whole(self.best_step, "best_step", least=0)
        for name in ("loss", "held_out", "best"):
            if getattr(self, name) is not None:
                number(getattr(self, name), name)
        if self.skipped > self.step or self.in_a_row > self.skipped:
            raise ValueError(
                f"Of {self.step} steps, {self.skipped} cannot have been skipped, {self.in_a_row} "
                "of them last. Give fewer, or more steps."
            )

    @property
    def updates(self) -> int:
        """How often the weights, and their average, have been moved."""
        return self.step - self.skipped

    def moved(self, loss: float, seconds: float) -> "Progress":
        """After a step with this loss."""
        loss = number(loss, "loss")
        shown = loss if self.loss is None else self.loss + SMOOTHING * (loss - self.loss)
        return dataclasses.replace(
            self, step=self.step + 1, seconds=seconds, loss=shown, in_a_row=0
        )

    def missed(self, seconds: float, *, counted: bool = True) -> "Progress":
        """After a step that was skipped; ``counted`` towards those in a row, or not."""
        return dataclasses.replace(
            self,
            step=self.step + 1,
            seconds=seconds,
            skipped=self.skipped + 1,
            in_a_row=self.in_a_row + flag(counted, "counted"),
        )

    def estimated(self, held_out: float) -> "Progress":
        """After an estimate of the held-out loss; one that is not finite is no improvement."""
        lost = isinstance(held_out, float) and not math.isfinite(held_out)
        found = None if lost else number(held_out, "held_out")
        better = found is not None and (self.best is None or found < self.best)
        return dataclasses.replace(
            self,
            held_out=found,
            best=found if better else self.best,
            best_step=self.step if better else self.best_step,
            since=0 if better else self.since + 1,
        )
