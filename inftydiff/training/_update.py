r"""One update of the weights: AdamW on the clipped gradient of a batch's mean loss.

A process computes its pictures in parts, :math:`L = \sum_p \tfrac{n_p}{n} L_p`, and adds up their
gradients; only with the last part are gradients averaged over processes. Where the loss or the norm
of its gradient is not finite, nothing is updated. The precision is chosen here, with the scale of
the loss where that needs one, and ``torch.compile`` is applied to the parts of a model that have
one shape at every step.
"""

import functools
import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from inftydiff.models import capabilities_of
from inftydiff.pipelines import InftyDiff
from inftydiff.training._objective import Microbatch
from inftydiff.training.settings import Precision, TrainConfig

if TYPE_CHECKING:
    from accelerate import Accelerator

__all__ = [
    "Outcome",
    "Update",
    "compile_networks",
    "compute_dtype",
    "fast_bfloat16",
    "loss_scaler",
    "parts",
    "require_compiler",
    "static_parts",
]


def require_compiler(device: torch.device) -> None:
    """Compile a line, to see whether it can be done here.

    Raises:
        ValueError: if it cannot; the message has the compiler's own first line.
    """
    try:
        torch.compile(lambda x: x.sin() + 1.0)(torch.ones(2, device=device))
    except Exception as error:
        why = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise ValueError(
            f"compile=True needs a compiler that torch.compile can use on {device.type}, for "
            f"instance g++ on a CPU and Triton on a GPU; it says: {why} Install one, or leave "
            "compile out."
        ) from error


def compile_networks(pipeline: InftyDiff) -> None:
    """Compile the parts of the network and of the encoder that have one shape, at their first call.

    The rest depends on where the points are, and has kernels of its own. Weights and names stay.

    Raises:
        ValueError: as :func:`static_parts`.
    """
    for part in static_parts(pipeline):
        part.compile()


def static_parts(pipeline: InftyDiff) -> list[nn.Module]:
    """Return the parts of the network and of the encoder that have one shape at every step.

    Raises:
        ValueError: if there are none, or a part that is named is none.
    """
    networks = [net for net in (pipeline.network, pipeline.encoder) if net is not None]
    try:
        parts = [net.get_submodule(n) for net in networks for n in capabilities_of(net).static]
    except AttributeError as error:
        raise ValueError(
            f"The capabilities of a network name a part that it has not: {error}. Correct them."
        ) from error
    if not parts:
        raise ValueError(
            f"compile=True compiles the parts that have one shape at every step, and "
            f"{type(pipeline.network).__name__} names none in its capabilities. Leave compile out."
        )
    return parts


CPU_FLAGS = {"amx_bf16", "avx512_bf16"}


@functools.cache
def fast_bfloat16(kind: str) -> bool:
    """Whether this machine has instructions for bfloat16.

    Args:
        kind: the kind of a device, ``"cpu"`` or ``"cuda"``; others count as without. Processors are
            asked on Linux only.
    """
    if kind == "cuda":
        return torch.cuda.is_bf16_supported()
    file = Path("/proc/cpuinfo")
    if kind != "cpu" or not file.is_file():
        return False
    return bool(CPU_FLAGS & set(file.read_text(encoding="utf-8").split()))


def compute_dtype(precision: Precision, kind: str) -> torch.dtype | None:
    """What the network computes in on a kind of device, if not in the dtype of its weights.

    Example:
        >>> compute_dtype("fp16", "cpu")
        torch.float16
    """
    if precision == "fp16":
        return torch.float16
    if precision == "bf16" or (precision == "auto" and fast_bfloat16(kind)):
        return torch.bfloat16
    return None


def loss_scaler(precision: Precision, kind: str) -> torch.amp.GradScaler | None:
    """What scales the loss, so that gradients in half precision do not vanish; None if none does.

    The scale is halved whenever a gradient overflows, and doubled after 2000 steps without.
    """
    return torch.amp.GradScaler(kind) if precision == "fp16" else None


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
