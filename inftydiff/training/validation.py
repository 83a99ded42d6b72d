"""The loss on held-out pictures, with the same times, coordinates and noise at every call."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.data import Dataset

from inftydiff.operators import Function
from inftydiff.pipelines import InftyDiff
from inftydiff.training.objective import batch_loss

__all__ = ["held_out_loss"]

SEED = 2**31 - 1


@torch.no_grad()
def held_out_loss(
    pipeline: InftyDiff,
    data: Dataset[Tensor],
    *,
    images: int = 128,
    batch_size: int = 32,
    points: float = 0.25,
    network: Callable[[Function, Tensor], Function] | None = None,
) -> float:
    """The mean loss over the square of the network's scale, at times spread evenly over (0, 1).

    Args:
        pipeline: the model; it should be in evaluation mode.
        data: pictures in [-1, 1], of which the first are taken.
        images: how many, or all if there are fewer.
        batch_size: how many at a time.
        points: the fraction of the coordinates to take.
        network: how to call the network; by default as it is.
    """
    device = next(pipeline.parameters()).device
    count = min(images, len(data))  # type: ignore[arg-type]
    generator = torch.Generator(device).manual_seed(SEED)
    times = (torch.randperm(count, generator=generator, device=device) + 0.5) / count
    total = 0.0
    for begin in range(0, count, batch_size):
        rows = range(begin, min(count, begin + batch_size))
        batch = torch.stack([data[row] for row in rows]).to(device)
        loss = batch_loss(
            pipeline,
            pipeline.network if network is None else network,
            batch,
            times[begin : begin + len(batch)],
            points=points,
            generator=generator,
        )
        total += float(loss.double().sum())
    return total / count
