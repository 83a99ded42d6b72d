r"""The half of the ∞-Diff network that leads from the points to a grid.

::

    x(c) ── Linear ── local block ── … ── local block ── average to the grid, Linear ── + position

The multiscale network and the encoder begin with it.
"""

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from inftydiff.models.local import LocalBlock
from inftydiff.models.multiscale_config import MultiscaleConfig
from inftydiff.operators import Discretisation, Grid
from inftydiff.operators.local import Neighbours
from inftydiff.operators.transfer import KernelSmoother

__all__ = ["PointToGrid"]


@final
class PointToGrid(nn.Module):
    """Features of the points, and what they are on the grid.

    Args:
        config: the sizes of its parts.
        channels: the number of channels of the functions.
        timed: whether the blocks are modulated by the time.
        coded: whether they are modulated by a latent.
    """

    def __init__(
        self, config: MultiscaleConfig, channels: int, *, timed: bool, coded: bool
    ) -> None:
        super().__init__()
        self.config = config
        width, grid_channels = config.width, config.grid_channels
        self.lifting = nn.Linear(channels, width)
        self.blocks = nn.ModuleList(
            LocalBlock(
                width,
                config.embedding if timed else None,
                latent=config.embedding if coded else None,
                size=config.kernel_size,
            )
            for _ in range(config.local_blocks)
        )
        self.to_grid = nn.Linear(width, grid_channels)
        self.position = (
            nn.Parameter(torch.zeros(*config.grid, grid_channels)) if config.position else None
        )

    def forward(
        self,
        values: Float[Tensor, "batch points channels"],
        on: Discretisation,
        near: Neighbours,
        embedding: Float[Tensor, "batch features"] | None = None,
        latent: Float[Tensor, "batch codes"] | None = None,
    ) -> tuple[list[Tensor], Float[Tensor, "batch width rows columns"]]:
        """Lift, apply the blocks and average.

        Args:
            values: the values of the functions.
            on: where they are known.
            near: the neighbours of each point.
            embedding: the embedded times, if the blocks take them.
            latent: the embedded latents, if the blocks take them.

        Returns:
            The features after each block, and those on the grid, channels first.
        """
        h = self.lifting(values.to(self.lifting.weight.dtype))
        features = []
        for block in self.blocks:
            h = block(h, embedding, near, latent=latent)
            features.append(h)
        cells = self.average(on).apply_values(h)
        return features, self.placed(cells)

    def average(self, on: Discretisation) -> KernelSmoother:
        """The average of the points' features on the grid."""
        config = self.config
        grid = Grid(tuple(config.grid), on.domain)
        return KernelSmoother(on, grid, config.transfer_width or config.cell)

    def placed(
        self, averages: Float[Tensor, "batch cells channels"]
    ) -> Float[Tensor, "batch width rows columns"]:
        """The averages, mapped to the grid's width, with the features of their places."""
        cells = self.to_grid(averages).unflatten(1, tuple(self.config.grid))
        if self.position is not None:
            cells = cells + self.position.to(cells.dtype)
        return cells.permute(0, 3, 1, 2)
