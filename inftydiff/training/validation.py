"""The loss on held-out pictures, with the same times, coordinates and noise at every call."""

import torch
from torch import Tensor
from torch.utils.data import Dataset

from inftydiff.pipelines import InftyDiff
from inftydiff.training.objective import Objective, Part

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
) -> float:
    """The mean loss over the square of the network's scale, at times spread evenly over (0, 1).

    Args:
        pipeline: the model; it should be in evaluation mode.
        data: pictures in [-1, 1], of which the first are taken.
        images: how many, or all if there are fewer.
        batch_size: how many at a time.
        points: the fraction of the coordinates to take.
    """
    device = next(pipeline.parameters()).device
    objective = Objective(pipeline, points=points)
    count = min(images, len(data))  # type: ignore[arg-type]
    total = 0.0
    for begin in range(0, count, batch_size):
        rows = range(begin, min(count, begin + batch_size))
        batch = torch.stack([data[row] for row in rows]).to(device)
        loss = objective(batch, Part(SEED, 0, begin, count))
        total += float(loss.double().sum())
    return total / count
