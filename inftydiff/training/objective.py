"""The loss of a batch of pictures at random times on random coordinates."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff.operators import Function, Grid
from inftydiff.operators.subsets import random_subset
from inftydiff.pipelines import InftyDiff
from inftydiff.processes import denoising_loss

__all__ = ["batch_loss", "spread_times"]


def spread_times(batch: int, *, generator: torch.Generator) -> Float[Tensor, "batch"]:
    r"""Times :math:`(u + i/n) \bmod 1` with one uniform :math:`u`: each is uniform on [0, 1).

    The batch covers the interval evenly, so its mean loss varies less than with independent times.

    References:
        Kingma et al., "Variational diffusion models", NeurIPS 2021, appendix I.1.
    """
    device = generator.device
    start = torch.rand((), generator=generator, device=device)
    return (start + torch.arange(batch, device=device) / batch) % 1.0


def batch_loss(
    pipeline: InftyDiff,
    network: Callable[[Function, Tensor], Function],
    images: Float[Tensor, "batch c h w"],
    t: Float[Tensor, "batch"],
    *,
    points: float,
    generator: torch.Generator,
) -> Float[Tensor, "batch"]:
    """The denoising loss of each picture over the square of the network's scale.

    Args:
        pipeline: the model, for its process and what is predicted.
        network: its network, as it is to be called.
        images: pictures in [-1, 1], shape ``(batch, c, h, w)``.
        t: times in [0, 1], of shape ``(batch,)``.
        points: the fraction of the coordinates to take; one takes the full grid.
        generator: the source of the coordinates and the noise.
    """
    x0 = Function.from_image(images, pipeline.config.domain)
    grid = Grid(tuple(images.shape[-2:]), pipeline.config.domain)
    at = None
    if points < 1.0:
        size = max(1, round(points * grid.size))
        at = random_subset(grid, size, batch=len(images), generator=generator)
    loss = denoising_loss(
        pipeline.process, network, x0, t, at=at, predict=pipeline.predict, generator=generator
    )
    return loss / pipeline.config.network.scale**2
