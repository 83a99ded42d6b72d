"""The loss on what is held out, with the same times, coordinates and noise at every call."""

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from inftydiff._typing import instance, whole
from inftydiff.pipelines import InftyDiff
from inftydiff.training.batches import length_of
from inftydiff.training.config import LARGEST_BATCH
from inftydiff.training.objective import Microbatch, TrainingLoss

__all__ = ["estimated_loss", "held_out_loss"]

SEED = 2**31 - 1


@torch.no_grad()
def estimated_loss(
    objective: nn.Module,
    data: Dataset[Tensor],
    *,
    items: int = 128,
    batch_size: int = 32,
    process: int = 0,
    processes: int = 1,
) -> float:
    """The mean of a loss at times spread evenly over (0, 1).

    Args:
        objective: the loss, ``objective(items, part)``; its model should be in evaluation mode.
        data: what it is a loss of; the first items are taken.
        items: how many, or all if there are fewer.
        batch_size: how many at a time.
        process: the number of this process.
        processes: how many share the items; the mean is then the sum of what each returns.
    """
    items = whole(items, "The number of items")
    batch_size = whole(batch_size, "batch_size", most=LARGEST_BATCH)
    device = next(objective.parameters()).device
    count = min(items, length_of(data))
    total = 0.0
    for begin in range(process * batch_size, count, processes * batch_size):
        rows = range(begin, min(count, begin + batch_size))
        batch = torch.stack([data[row] for row in rows]).to(device)
        total += float(objective(batch, Microbatch(SEED, 0, begin, count)).double().sum())
    return total / count


def held_out_loss(
    pipeline: InftyDiff,
    data: Dataset[Tensor],
    *,
    images: int = 128,
    batch_size: int = 32,
    points: float | None = None,
) -> float:
    """The mean denoising loss over the square of the network's scale.

    Args:
        pipeline: the model; it should be in evaluation mode.
        data: pictures in [-1, 1], of which the first are taken.
        images: how many, or all if there are fewer.
        batch_size: how many at a time.
        points: the fraction of the coordinates to take; by default that of training.

    Raises:
        TypeError: if an argument is of another kind.
        ValueError: if there are no pictures, or a number is out of range.
    """
    instance(pipeline, InftyDiff, "pipeline")
    objective = TrainingLoss(pipeline, points=points)
    return estimated_loss(objective, data, items=images, batch_size=batch_size)
