"""The loss of a batch of pictures at random times on random coordinates.

All randomness of a picture is a function of the run's seed, the step and the picture's number in
the step's batch. So it does not matter how many processes share the batch, nor in how many parts it
is computed. Only dropout, where a network has it, is drawn for a part as a whole, and is a function
of the seed, the step and the part's first picture.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from inftydiff._typing import flag, floating, instance, positive
from inftydiff.models import capabilities_of
from inftydiff.operators import Function, Grid, Subset
from inftydiff.operators.subsets import random_subset
from inftydiff.pipelines import InftyDiff
from inftydiff.training._batches import dropout_seed, picture_generator, step_generator

__all__ = ["Microbatch", "TrainingLoss", "low_discrepancy_times", "share_of"]

QUARTER = 0.25
"""The fraction of the coordinates that a step sees, as in the paper."""


@final
@dataclass(frozen=True)
class Microbatch:
    """Which pictures of a step's batch are computed.

    Args:
        seed: the seed of the run.
        step: the number of the step.
        first: the number of the first picture in the whole batch.
        batch: the number of pictures in the whole batch, on all processes.
    """

    seed: int
    step: int
    first: int
    batch: int


def share_of(network: object, points: float | None) -> float:
    """Return the fraction of the coordinates that a network or an encoder is given in training.

    Args:
        network: the network or the encoder.
        points: the fraction that is asked for; by default a quarter, and all of them for a network
            that reads whole grids.

    Raises:
        ValueError: if it is out of range, or a part for a network that reads whole grids.
    """
    parts = capabilities_of(network).subsets
    if points is None:
        return QUARTER if parts else 1.0
    points = positive(points, "points", most=1.0)
    if points < 1.0 and not parts:
        raise ValueError(
            f"{type(network).__name__} reads whole grids, and is trained on them; got "
            f"points={points}. Leave points out."
        )
    return points


def low_discrepancy_times(part: Microbatch, count: int) -> Float[Tensor, "count"]:
    r"""Times :math:`(u + i/n) \bmod 1` with one uniform :math:`u`: each is uniform on [0, 1).

    The batch covers the interval evenly, so its mean loss varies less than with independent times.

    Args:
        part: which part of the batch.
        count: how many pictures it has.

    References:
        Kingma et al., "Variational diffusion models", NeurIPS 2021, appendix I.1.
    """
    start = torch.rand((), generator=step_generator(part.seed, part.step))
    return (start + (part.first + torch.arange(count)) / part.batch) % 1.0


@final
class TrainingLoss(nn.Module):
    """The denoising loss of pictures over the square of the network's scale.

    Args:
        pipeline: the model.
        points: the fraction of the coordinates to take, for the network and, independently, for the
            encoder; one takes the full grid. By default as :func:`share_of` says.
        horizontal_flip: whether half of the pictures are mirrored.

    Raises:
        ValueError: as :func:`share_of`.
    """

    def __init__(
        self, pipeline: InftyDiff, *, points: float | None = None, horizontal_flip: bool = False
    ) -> None:
        super().__init__()
        instance(pipeline, InftyDiff, "A model")
        self.points = share_of(pipeline.network, points)
        flag(horizontal_flip, "horizontal_flip")
        self.pipeline = pipeline
        whole_grids = pipeline.encoder is not None and not capabilities_of(pipeline.encoder).subsets
        self.seen = 1.0 if whole_grids else self.points
        self.horizontal_flip = horizontal_flip

    def forward(
        self, images: Float[Tensor, "count c h w"], part: Microbatch
    ) -> Float[Tensor, "count"]:
        """The loss of each picture.

        Args:
            images: pictures in [-1, 1], shape ``(count, c, h, w)``.
            part: their place in the batch.
        """
        floating(images, "Pictures")
        instance(part, Microbatch, "What part of a step")
        pipeline, count, device = self.pipeline, len(images), images.device
        generators = [
            picture_generator(part.seed, part.step, part.first + i, device=device)
            for i in range(count)
        ]
        if self.horizontal_flip:
            flipped = [bool(torch.rand((), generator=g, device=device) < 0.5) for g in generators]
            mirrored = torch.tensor(flipped, device=device)
            images = torch.where(mirrored[:, None, None, None], images.flip(-1), images)
        x0 = Function.from_image(images, pipeline.config.domain)
        grid = Grid(tuple(images.shape[-2:]), pipeline.config.domain)
        at = self._subset(grid, generators, self.points)
        seen, latent_noise = None, None
        if pipeline.config.latent is not None:
            places = self._subset(grid, generators, self.seen)
            seen = x0 if places is None else x0.restrict(places)
            shape = (pipeline.config.latent,)
            noises = [torch.randn(shape, generator=g, device=device) for g in generators]
            latent_noise = torch.stack(noises)
        noise = pipeline.process.noise.draw(
            grid.domain,
            batch=part.batch,
            channels=x0.channels,
            generator=step_generator(part.seed, part.step),
        ).samples(part.first, count)
        with self._dropout(part, device):
            loss = pipeline.loss(
                x0,
                low_discrepancy_times(part, count).to(device),
                at=at,
                seen=seen,
                noise=noise,
                latent_noise=latent_noise,
            )
        return loss / pipeline.capabilities.scale**2

    @contextmanager
    def _dropout(self, part: Microbatch, device: torch.device) -> Iterator[None]:
        """Draw dropout from a generator that stands where the part says, and put it back."""
        layers = (layer for layer in self.pipeline.modules() if isinstance(layer, nn.Dropout))
        if not any(layer.training and layer.p > 0.0 for layer in layers):
            yield
            return
        with torch.random.fork_rng([] if device.type == "cpu" else [device]):
            torch.manual_seed(dropout_seed(part.seed, part.step, part.first))
            yield

    def _subset(self, grid: Grid, generators: list[torch.Generator], share: float) -> Subset | None:
        """Some points for each picture; None for all."""
        if share >= 1.0:
            return None
        size = max(1, round(share * grid.size))
        taken = [random_subset(grid, size, generator=g).index for g in generators]
        return Subset(grid, torch.stack(taken))
