r"""One update of the weights: AdamW on the clipped gradient of a batch's mean loss.

A process computes its pictures in parts, :math:`L = \sum_p \tfrac{n_p}{n} L_p`, and adds up their
gradients; only with the last part are gradients averaged over processes. Where the loss or the norm
of its gradient is not finite, nothing is updated.
"""

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from inftydiff.training.config import TrainConfig
from inftydiff.training.objective import Microbatch

if TYPE_CHECKING:
    from accelerate import Accelerator

__all__ = ["Outcome", "Update", "parts"]


@final
@dataclass(frozen=True)
class Outcome:
    """What came of a step.

    Args:
        loss: the mean loss of its pictures, over all processes.
        gradient: the norm of the gradient, before it was clipped.
        rate: the learning rate.
        overflow: whether only the scale of the loss was too large for half precision.

    Example:
        >>> Outcome(loss=0.5, gradient=math.inf, rate=1e-3).reason
        'the gradient is inf'
    """

    loss: float
    gradient: float
    rate: float
    overflow: bool = False

    @property
    def reason(self) -> str | None:
        """Why the step was skipped, or None if it was not."""
        if self.overflow:
            return "the scaled gradient is too large for half precision; the scale is halved"
        if not math.isfinite(self.loss):
            return f"the loss is {self.loss}"
        return None if math.isfinite(self.gradient) else f"the gradient is {self.gradient}"


def parts(count: int, number: int) -> Iterator[tuple[int, int]]:
    """The bounds of parts of nearly one size.

    Example:
        >>> list(parts(5, 2))
        [(0, 2), (2, 5)]
    """
    bounds = [count * part // number for part in range(number + 1)]
    return pairwise(bounds)


@final
class Update:
    """What moves the weights.

    Args:
        accelerator: what the run is distributed by.
        objective: the loss of items, as the accelerator has prepared it.
        optimiser: so has been this.
        scaler: what scales the loss, if anything does.
        config: the settings of the run.
    """

    def __init__(
        self,
        accelerator: "Accelerator",
        objective: nn.Module,
        optimiser: torch.optim.Optimizer,
        scaler: torch.amp.GradScaler | None,
        config: TrainConfig,
    ) -> None:
        self.accelerator = accelerator
        self.objective = objective
        self.optimiser = optimiser
        self.scaler = scaler
        self.config = config

    def __call__(self, items: Float[Tensor, "count *shape"], step: int, rate: float) -> Outcome:
        """Move the weights, unless the loss or the gradient is not finite.

        Args:
            items: the pictures or latents of this process.
            step: the number of the step, of which all randomness is a function.
            rate: the learning rate.
        """
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad()
        loss = self._accumulated(items, step)
        scale = 1.0
        if self.scaler is not None:
            scale = self.scaler.get_scale()
            self.scaler.unscale_(self.optimiser)
        norm = self.accelerator.clip_grad_norm_(
            self.objective.parameters(), self.config.clip_norm
        ).detach()
        mean = self.accelerator.reduce(loss, "mean")
        value, gradient = torch.stack([mean.float(), norm.float()]).tolist()
        finite = math.isfinite(gradient)
        if math.isfinite(value) and finite:
            self.optimiser.step()
        if self.scaler is not None:
            self.scaler.update()
        overflow = math.isfinite(value) and not finite and scale > 1.0
        return Outcome(value, gradient, rate, overflow)

    def _accumulated(self, items: Tensor, step: int) -> Tensor:
        """Add up the gradients of the parts, and return the mean loss of this process."""
        accelerator, config, count = self.accelerator, self.config, len(items)
        before = accelerator.process_index * count
        total = torch.zeros((), device=accelerator.device)
        for begin, end in parts(count, config.gradient_accumulation):
            part = Microbatch(config.seed, step, before + begin, count * accelerator.num_processes)
            with self._alone() if end < count else nullcontext():
                mine = items[begin:end].to(accelerator.device)
                loss = self.objective(mine, part).mean() * ((end - begin) / count)
                total += loss.detach()
                accelerator.backward(loss if self.scaler is None else self.scaler.scale(loss))
        return total

    def _alone(self) -> AbstractContextManager[None]:
        """Without averaging gradients over processes."""
        context: AbstractContextManager[None] = self.accelerator.no_sync(self.objective)
        return context
