"""Stage two: the latents of pictures, and the loss of the prior that learns to draw them."""

from collections.abc import Sequence
from typing import final

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from inftydiff._extras import extra
from inftydiff._typing import (
    an_index,
    check_finite,
    flag,
    floating,
    fraction,
    instance,
    shown,
    whole,
)
from inftydiff.operators import Function, Grid, Point, Subset
from inftydiff.operators.subsets import random_subset
from inftydiff.pipelines import InftyDiff
from inftydiff.pipelines._latent_prior import LatentPrior
from inftydiff.processes import WhiteNoise
from inftydiff.training._batches import condition_generator, picture_generator, step_generator
from inftydiff.training._objective import Microbatch, low_discrepancy_times, share_of
from inftydiff.training.settings import LARGEST_BATCH

with extra("train"):
    from tqdm import tqdm

__all__ = ["LatentObjective", "Latents", "encode_pictures"]

MOST_DRAWS = 10**6
"""The most times that each picture is encoded."""

SEED = 2**31 - 2
"""Of the points that pictures are encoded from."""


@final
class Latents(Dataset[Tensor]):
    """Latents as data to train on, each followed by what it is conditioned on.

    Args:
        values: shape ``(samples, features)``.
        conditions: shape ``(samples, conditions)``; None for latents without.

    Raises:
        ValueError: if there is not one condition a latent, or one is not finite.
    """

    def __init__(
        self,
        values: Float[Tensor, "samples features"],
        conditions: Float[Tensor, "others conditions"] | None = None,
    ) -> None:
        if floating(values, "Latents").ndim != 2:
            raise ValueError(
                f"Latents have the shape (samples, features); got {tuple(values.shape)}."
            )
        if conditions is not None and floating(conditions, "Conditions").ndim != 2:
            raise ValueError(
                f"Conditions have the shape (samples, conditions); got {tuple(conditions.shape)}."
            )
        if conditions is None:
            self.values = values.float()
            return
        if len(conditions) != len(values):
            raise ValueError(
                f"There is one condition a latent; got {len(conditions)} for {len(values)}. Of "
                "pictures that are encoded several times, repeat them as often: "
                "conditions.repeat(draws, 1)."
            )
        check_finite(conditions, "Conditions")
        self.values = torch.cat([values.float(), conditions.to(values.device).float()], 1)

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: int) -> Float[Tensor, "features_and_conditions"]:
        """One latent and its condition, in float32.

        Raises:
            IndexError: if there is no such latent.
            TypeError: if the index is no integer.
        """
        return self.values[an_index(index, len(self), "latents")]


@torch.no_grad()
def encode_pictures(
    pipeline: InftyDiff,
    data: Dataset[Tensor],
    *,
    points: float | None = None,
    draws: int = 1,
    batch_size: int = 32,
    progress: bool = True,
) -> Float[Tensor, "latents features"]:
    """The latents of pictures, each encoded from random points as in training.

    Args:
        pipeline: a model with an encoder.
        data: pictures in [-1, 1], tensors of shape ``(c, h, w)``.
        points: the fraction of the coordinates that the encoder sees; by default a quarter, and all
            for an encoder that reads whole grids.
        draws: how many times each picture is encoded, from other points each time.
        batch_size: pictures at a time.
        progress: show a progress bar.

    Returns:
        The latents of all pictures, then all of the next draw; on the CPU and in float32.

    Raises:
        ValueError: if the model has no encoder, or a number is out of range.
    """
    instance(pipeline, InftyDiff, "A model", "Make one: InftyDiff.from_pretrained(folder).")
    if isinstance(data, str | bytes):
        raise TypeError(f"The pictures must be a dataset; got {shown(data)}. Read it first.")
    instance(data, (Dataset, Sequence), "The pictures", "Pass a dataset, such as Images(x).")
    draws = whole(draws, "The number of draws", most=MOST_DRAWS)
    points = share_of(pipeline.encoder, points)
    batch_size = whole(batch_size, "batch_size", most=LARGEST_BATCH)
    flag(progress, "progress")
    device = next(pipeline.parameters()).device
    loader = DataLoader(data, batch_size=batch_size, generator=torch.Generator())
    if not len(loader):
        raise ValueError("There is no picture to encode; got an empty dataset.")
    found, bar = [], tqdm(total=draws * len(loader), desc="Encoding", disable=not progress)
    for draw in range(draws):
        first = 0
        for images in loader:
            floating(images, "Pictures")
            x0 = Function.from_image(images.to(device), pipeline.config.domain)
            if points < 1.0:
                grid = Grid(tuple(images.shape[-2:]), pipeline.config.domain)
                size = max(1, round(points * grid.size))
                generators = [picture_generator(SEED, draw, first + i) for i in range(len(images))]
                taken = [random_subset(grid, size, generator=g).index for g in generators]
                x0 = x0.restrict(Subset(grid, torch.stack(taken).to(device)))
            found.append(pipeline.encode(x0).float().cpu())
            first += len(images)
            bar.update()
    bar.close()
    return torch.cat(found)


@final
class LatentObjective(nn.Module):
    """The prior's loss: the mean absolute error of the noise that it predicts.

    Args:
        pipeline: a model with a prior that has been fitted to the latents' spread.
        drop: the probability that a latent's condition is hidden from the network, drawn for each
            step and latent.
    """

    def __init__(self, pipeline: InftyDiff, *, drop: float = 0.0) -> None:
        super().__init__()
        instance(pipeline, InftyDiff, "A model")
        drop = fraction(drop, "drop")
        if pipeline.prior is None:
            raise ValueError("This model has no prior; set prior= in its configuration.")
        self.prior: LatentPrior = pipeline.prior
        self.drop = drop

    def forward(
        self, items: Float[Tensor, "count features_and_conditions"], part: Microbatch
    ) -> Float[Tensor, "count"]:
        """The loss of each latent.

        Args:
            items: latents, not yet normalised, each followed by its condition, if it has one; shape
                ``(count, features + conditions)``.
            part: their place in the batch.
        """
        count, features = len(items), self.prior.latent
        latents = items[:, :features]
        condition = items[:, features:] if items.shape[1] > features else None
        noise = (
            WhiteNoise()
            .draw(
                Point(),
                batch=part.batch,
                channels=features,
                generator=step_generator(part.seed, part.step),
            )
            .samples(part.first, count)
        )
        t = low_discrepancy_times(part, count).to(items.device)
        known = None if self.drop == 0.0 else self._known(part, count).to(items.device)
        return self.prior.loss(latents, t, condition=condition, known=known, noise=noise)

    def _known(self, part: Microbatch, count: int) -> Bool[Tensor, "count"]:
        """Whether the condition of each is shown: one of the batch's draws, by its number there."""
        draws = torch.rand(part.batch, generator=condition_generator(part.seed, part.step))
        return draws[part.first : part.first + count] >= self.drop
