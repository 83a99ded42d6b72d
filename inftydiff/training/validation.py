"""How a run comes along: the loss on held-out pictures, and small image grids of samples.

The held-out loss has the same times, coordinates and noise at every call.
"""

from collections.abc import Sized
from typing import cast

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.utils.data import Dataset

from inftydiff._typing import instance, whole
from inftydiff.operators import Function, Grid
from inftydiff.pipelines import InftyDiff
from inftydiff.processes import NotFinite, timesteps
from inftydiff.training._batches import length_of
from inftydiff.training._objective import Microbatch, TrainingLoss
from inftydiff.training.settings import LARGEST_BATCH

__all__ = ["COLUMNS", "drawn", "drawn_by_prior", "estimated_loss", "held_out_loss", "image_grid"]

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


COLUMNS, ROWS, SEED, STEPS = 8, 2, 0, 15


@torch.no_grad()
def drawn(pipeline: InftyDiff, data: Dataset[Tensor]) -> Float[Tensor, "n c h w"]:
    """Samples on the grid of the data, the same noise at every call.

    A model with latents, whose prior is trained after it, shows some pictures and, after them, what
    it decodes from their latents.

    Args:
        pipeline: the model.
        data: pictures in [-1, 1], of which the first ones are taken.
    """
    device = next(pipeline.parameters()).device
    count = min(COLUMNS, len(cast(Sized, data)))
    pictures = torch.stack([data[i] for i in range(count)]).to(device)
    on = pipeline.grid((pictures.shape[-2], pictures.shape[-1]))
    if pipeline.config.latent is None:
        return _sampled(pipeline, on, COLUMNS * ROWS)
    latent = pipeline.encode(Function.from_image(pictures, pipeline.config.domain))
    return torch.cat([pictures.cpu(), _sampled(pipeline, on, count, latent=latent)])


@torch.no_grad()
def drawn_by_prior(pipeline: InftyDiff, data: Dataset[Tensor]) -> Float[Tensor, "n c h w"]:
    """Samples whose latents the prior draws, the same noise at every call.

    They are on the grid that the network was made for. A prior with a condition is given those of
    the data, one after another.

    Args:
        pipeline: the model.
        data: latents, each followed by its condition, if it has one.
    """
    config, count = pipeline.config, COLUMNS * ROWS
    on = pipeline.sampling_grid(pipeline.grid(pipeline.resolution))
    condition = None
    if config.prior is not None and config.prior.condition is not None:
        places = (i % len(cast(Sized, data)) for i in range(count))
        condition = torch.stack([data[i][config.latent :] for i in places])
    return _sampled(pipeline, on, count, condition=condition)


def _sampled(
    pipeline: InftyDiff,
    on: Grid,
    count: int,
    *,
    latent: Float[Tensor, "count features"] | None = None,
    condition: Float[Tensor, "count conditions"] | None = None,
) -> Float[Tensor, "count c h w"]:
    """So many samples on a grid; none of them where they are not finite, and the sheet is black."""
    try:
        x = pipeline.sample(
            on=on,
            batch=count,
            generator=torch.Generator().manual_seed(SEED),
            times=timesteps(STEPS),
            latent=latent,
            condition=condition,
            oversample=1,
        )
    except NotFinite:
        return torch.full((count, pipeline.config.channels, *on.shape), torch.nan)
    return x.to_image().cpu()


def image_grid(pictures: Float[Tensor, "n c h w"], columns: int) -> UInt8[Tensor, "rows columns 3"]:
    """Pictures in rows, as bytes; in grey, unless they have three channels.

    Args:
        pictures: values in [-1, 1]; others are clamped, and what is not finite is black.
        columns: pictures a row.
    """
    x = pictures if pictures.shape[1] == 3 else pictures.mean(1, keepdim=True).expand(-1, 3, -1, -1)
    x = ((x.nan_to_num(-1.0, -1.0, -1.0).clamp(-1.0, 1.0) + 1.0) * 127.5).round().to(torch.uint8)
    missing = -len(x) % columns
    x = torch.cat([x, x.new_zeros(missing, *x.shape[1:])])
    rows = x.unflatten(0, (-1, columns))
    return rows.permute(0, 3, 1, 4, 2).flatten(2, 3).flatten(0, 1)
