r"""The multiscale network of ∞-Diff: local operators at the points, a U-Net on a grid between them.

For a function :math:`x` known at points :math:`c`, with a time :math:`t` (the paper's figure 4)::

    x(c) ── Linear ── local block ── local block ──┐                          points
                           │              │        Linear, average to the grid
                           │              │              U-Net                grid
                           │              │        interpolate, Linear
    out ── Linear ─── local block ── local block ──┘                          points

Each local block of the second half takes the features of its mirror image in the first. Every
footprint is a length: the kernels', the average's and the grid's cells. So one network reads any
grid, any subset of one and scattered points, and its output converges as they are refined.

The network sees :math:`x/a` and its answer is multiplied by :math:`a`, the ``scale``: noise of unit
variance a cell, mollified by one cell, has a standard deviation of 0.28 away from the sides.

References:
    Bond-Taylor and Willcocks, "∞-Diff", ICLR 2024, section 4 and figure 4.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from inftydiff._typing import positive, whole
from inftydiff.models._initial import zeroed
from inftydiff.models.embedding import TimeEmbedding
from inftydiff.models.local import LocalBlock
from inftydiff.models.neural_operator import require_batch, require_plain
from inftydiff.models.unet import UNet
from inftydiff.operators import Discretisation, Function, Grid
from inftydiff.operators.local import neighbours
from inftydiff.operators.transfer import Average, Interpolation

__all__ = ["MultiscaleConfig", "MultiscaleNetwork"]


@final
@dataclass(frozen=True)
class MultiscaleConfig:
    r"""What a :class:`MultiscaleNetwork` is built from; ``dataclasses.asdict`` and JSON keep it.

    Args:
        channels: the number of channels that come in.
        out_channels: the number of channels that go out; as many as come in by default.
        width: the number of channels at the points.
        local_blocks: the number of local blocks before the grid, and again after it.
        kernel_size: the number of nodes of a local kernel along each axis, odd.
        cell: the distance between two nodes of a kernel, in the domain's units: the side of the
            cells of the grid that the network is trained on.
        grid: the cells of the U-Net's grid, which covers the domain.
        grid_channels: the number of channels of the U-Net's finest level.
        multipliers: the width of each level of the U-Net over ``grid_channels``, finest first.
        grid_blocks: the number of residual blocks a level, down and again up.
        attention: the levels with attention, by the cells along their longest side.
        head: the width of an attention head.
        embedding: the width of the time embedding.
        transfer_width: the standard deviation of the window that averages points onto the grid, by
            default one ``cell``.
        dropout: the probability of dropping a feature in the U-Net's blocks.
        position: whether the U-Net is given a learnt feature of each of its grid's cells.
        scale: the standard deviation :math:`a` of what comes in.

    Raises:
        ValueError: if a number is not positive, the kernel is even, the grid does not halve once a
            level, or there is no level of the size asked for attention.
    """

    channels: int = 3
    out_channels: int | None = None
    width: int = 48
    local_blocks: int = 2
    kernel_size: int = 7
    cell: float = 1 / 64
    grid: Sequence[int] = (32, 32)
    grid_channels: int = 32
    multipliers: Sequence[int] = (1, 2, 4)
    grid_blocks: int = 1
    attention: Sequence[int] = (8,)
    head: int = 32
    embedding: int = 128
    transfer_width: float | None = None
    dropout: float = 0.0
    position: bool = False
    scale: float = 1.0

    def __post_init__(self) -> None:
        for name in ("grid", "multipliers", "attention"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for name, number in (
            ("channels", self.channels),
            ("out_channels", self.channels if self.out_channels is None else self.out_channels),
            ("width", self.width),
            ("local_blocks", self.local_blocks),
            ("kernel_size", self.kernel_size),
            ("grid_channels", self.grid_channels),
            ("grid_blocks", self.grid_blocks),
            ("head", self.head),
            ("embedding", self.embedding),
        ):
            whole(number, f"A MultiscaleConfig's {name}")
        for name, length in (
            ("cell", self.cell),
            ("transfer_width", self.cell if self.transfer_width is None else self.transfer_width),
            ("scale", self.scale),
        ):
            positive(length, f"A MultiscaleConfig's {name}")
        if not 0.0 <= self.dropout < 1.0:
            raise ValueError(f"A MultiscaleConfig's dropout lies in [0, 1); got {self.dropout}.")
        if self.kernel_size % 2 == 0:
            raise ValueError(
                f"A kernel has a node in its middle, so its size is odd; got {self.kernel_size}."
            )
        self._check_levels()

    def _check_levels(self) -> None:
        if not self.multipliers:
            raise ValueError("A U-Net has at least one level; got no multipliers.")
        factor = 2 ** (len(self.multipliers) - 1)
        if len(self.grid) != 2 or any(whole(n, "A grid's side") % factor for n in self.grid):
            raise ValueError(
                f"{len(self.multipliers)} levels take a grid of two sides divisible by {factor}; "
                f"got {self.grid}."
            )
        missing = sorted(set(self.attention) - set(self.level_sizes))
        if missing:
            raise ValueError(
                f"Attention is asked for at {missing} cells; the levels of this U-Net have "
                f"{list(self.level_sizes)} along their longest side."
            )

    @property
    def level_sizes(self) -> tuple[int, ...]:
        """The cells along the longest side of each level of the U-Net, finest first."""
        return tuple(max(self.grid) // 2**level for level in range(len(self.multipliers)))


@final
class MultiscaleNetwork(nn.Module):
    """The ∞-Diff network: a neural operator on grids, on subsets of them and on scattered points.

    Args:
        config: the sizes of its parts.

    Example:
        >>> from inftydiff.models.presets import tiny
        >>> network = MultiscaleNetwork(tiny())
        >>> f = Function(Grid((8, 8)), torch.zeros(1, 64, 3))
        >>> tuple(network(f, torch.tensor([0.5])).values.shape)
        (1, 64, 3)
    """

    def __init__(self, config: MultiscaleConfig) -> None:
        super().__init__()
        self.config = config
        width, grid_channels = config.width, config.grid_channels
        self.embed = TimeEmbedding(config.embedding)
        self.lifting = nn.Linear(config.channels, width)
        self.encoder = nn.ModuleList(
            LocalBlock(width, config.embedding, size=config.kernel_size)
            for _ in range(config.local_blocks)
        )
        self.to_grid = nn.Linear(width, grid_channels)
        self.position = (
            nn.Parameter(torch.zeros(*config.grid, grid_channels)) if config.position else None
        )
        self.unet = UNet(
            grid_channels,
            config.embedding,
            multipliers=config.multipliers,
            blocks=config.grid_blocks,
            attention=[config.level_sizes.index(size) for size in config.attention],
            head=config.head,
            dropout=config.dropout,
        )
        self.from_grid = nn.Linear(grid_channels, width)
        self.decoder = nn.ModuleList(
            LocalBlock(width, config.embedding, size=config.kernel_size, skip=True)
            for _ in range(config.local_blocks)
        )
        self.projection = zeroed(nn.Linear(width, config.out_channels or config.channels))

    def forward(
        self,
        x: Function,
        t: Float[Tensor, "batch"],
        *,
        on: Discretisation | None = None,
        latent: Float[Tensor, "batch features"] | None = None,
        condition: Function | None = None,
    ) -> Function:
        """Apply the network.

        Args:
            x: the functions, on a grid, a subset of one or scattered points, with values of shape
                ``(batch, points, channels)``.
            t: the times in [0, 1], of shape ``(batch,)``.
            on: where the answer is wanted: where ``x`` is known.
            latent: none.
            condition: none.

        Returns:
            The answer where ``x`` is known, in the dtype and on the device of its values, computed
            in the dtype of the parameters.

        Raises:
            ValueError: if ``x`` has another number of channels than the network, does not live in
                the plane, or ``on`` is not where it lives.
            TypeError: if a latent or a condition is given.
        """
        require_batch(x, t)
        require_plain(x, on, latent, condition, "This MultiscaleNetwork")
        self._check(x)
        config = self.config
        embedding = self.embed(t)
        near = neighbours(x.on, size=config.kernel_size, cell=config.cell, device=x.values.device)
        h = self.lifting((x.values / config.scale).to(self.lifting.weight.dtype))
        skips = []
        for block in self.encoder:
            h = block(h, embedding, near)
            skips.append(h)
        h = self._global(h, x.on, embedding)
        for block in self.decoder:
            h = block(h, embedding, near, skips.pop())
        return Function(x.on, (config.scale * self.projection(h)).to(x.values.dtype))

    def _global(
        self,
        h: Float[Tensor, "batch points width"],
        on: Discretisation,
        embedding: Float[Tensor, "batch features"],
    ) -> Float[Tensor, "batch points width"]:
        """Through the U-Net: points to the grid, across it, and back."""
        config = self.config
        shape = tuple(config.grid)
        grid = Grid(shape, on.domain)
        width = config.cell if config.transfer_width is None else config.transfer_width
        cells = Average(on, grid, width).apply_values(self.to_grid(h)).unflatten(1, shape)
        if self.position is not None:
            cells = cells + self.position.to(cells.dtype)
        cells = self.unet(cells.permute(0, 3, 1, 2), embedding).permute(0, 2, 3, 1)
        return self.from_grid(Interpolation(grid, on).apply_values(cells.flatten(1, 2)))

    def _check(self, x: Function) -> None:
        if x.on.domain.dim != 2:
            raise ValueError(
                f"A MultiscaleNetwork reads functions in the plane; got {x.on.domain.dim} axes."
            )
        if x.channels != self.config.channels:
            raise ValueError(
                f"This network reads {self.config.channels} channels; got {x.channels}."
            )
