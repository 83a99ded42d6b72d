r"""The multiscale network of ∞-Diff: local operators at the points, a U-Net on a grid between them.

For a function :math:`x` known at points :math:`c`, with a time :math:`t` (the paper's figure 4)::

    x(c) ── Linear ── local block ── local block ──┐                          points
                           │              │        average to the grid, Linear
                           │              │              U-Net                grid
                           │              │        Linear, interpolate
    out ── Linear ─── local block ── local block ──┘                          points

Each local block of the second half takes the features of its mirror image in the first. Every
footprint is a length: the kernels', the average's and the grid's cells. So one network reads any
grid, any subset of one and scattered points, and its output converges as they are refined. A
latent, where the network takes one, scales the features of every block.

The network sees :math:`x/a` and its answer is multiplied by :math:`a`, the ``scale``: noise of unit
variance a cell, mollified by one cell, has a standard deviation of 0.28 away from the sides.

References:
    Bond-Taylor and Willcocks, "∞-Diff", ICLR 2024, section 4 and figure 4.
"""

from typing import final

from jaxtyping import Float
from torch import Tensor, nn

from inftydiff._typing import MOST_CHANNELS, check_device, floating, instance, whole
from inftydiff.models._gathering import PointToGrid
from inftydiff.models._initial import zero_init
from inftydiff.models.embedding import LatentEmbedding, TimeEmbedding
from inftydiff.models.local import LocalBlock
from inftydiff.models.multiscale_config import MultiscaleConfig
from inftydiff.models.network import Capabilities
from inftydiff.models.neural_operator import require_batch, require_plain
from inftydiff.models.unet import UNet
from inftydiff.operators import Discretisation, Function, Grid
from inftydiff.operators.function import require_function
from inftydiff.operators.local import neighbours
from inftydiff.operators.transfer import Interpolation

__all__ = ["MultiscaleNetwork"]


@final
class MultiscaleNetwork(nn.Module):
    """The ∞-Diff network: a neural operator on grids, on subsets of them and on scattered points.

    Args:
        config: the sizes of its parts.
        channels: the number of channels that come in.
        latent: the number of features of the latent that modulates every block, or None for a
            network without one.
        out_channels: the number of channels that go out; as many as come in by default.

    Raises:
        TypeError: if an argument is of another kind.
        ValueError: if a number is not whole, from 1 to 65536.

    Example:
        >>> import torch
        >>> from inftydiff.models.paper_networks import tiny
        >>> network = MultiscaleNetwork(tiny(), 3)
        >>> f = Function(Grid((8, 8)), torch.zeros(1, 64, 3))
        >>> tuple(network(f, torch.tensor([0.5])).values.shape)
        (1, 64, 3)
    """

    def __init__(
        self,
        config: MultiscaleConfig,
        channels: int,
        *,
        latent: int | None = None,
        out_channels: int | None = None,
    ) -> None:
        super().__init__()
        self.config = instance(config, MultiscaleConfig, "The configuration of a network")
        self.channels = whole(channels, "A network's channels", most=MOST_CHANNELS)
        out = self.channels if out_channels is None else out_channels
        self.out_channels = whole(out, "A network's out_channels", most=MOST_CHANNELS)
        if latent is not None:
            latent = whole(latent, "The number of features of a latent", most=MOST_CHANNELS)
        self.latent = latent
        width, coded = config.width, latent is not None
        codes = config.embedding if coded else None
        self.embed = TimeEmbedding(config.embedding)
        self.embed_latent = None if latent is None else LatentEmbedding(latent, config.embedding)
        self.gathering = PointToGrid(config, self.channels, timed=True, coded=coded)
        self.unet = UNet(config.grid_channels, config.embedding, latent=codes, **config.levels)
        self.from_grid = nn.Linear(config.grid_channels, width)
        self.decoder = nn.ModuleList(
            LocalBlock(width, config.embedding, latent=codes, size=config.kernel_size, skip=True)
            for _ in range(config.local_blocks)
        )
        self.projection = zero_init(nn.Linear(width, self.out_channels))
        reach = 0.5 * (config.kernel_size + 1) * config.cell
        self.capabilities = Capabilities(
            dims=(2,),
            boundaries=("reflecting",),
            inputs=() if latent is None else ("latent",),
            cell=config.cell,
            halo=2 * config.local_blocks * reach,
            scale=config.scale,
            static=("unet",),
        )

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
            latent: one latent a sample, of shape ``(batch, features)``, for a network that takes
                them.
            condition: none.

        Returns:
            The answer where ``x`` is known, in the dtype and on the device of its values, computed
            in the dtype of the parameters.

        Raises:
            ValueError: if ``x`` has another number of channels than the network, does not live in
                the plane, ``on`` is not where it lives, or the latents have another shape.
            TypeError: if a condition is given, or a latent to a network that takes none, or none to
                one that takes one.
        """
        require_batch(x, t)
        self.check(x, on, latent, condition)
        config = self.config
        embedding = self.embed(t)
        codes = None if self.embed_latent is None else self.embed_latent(latent)
        near = neighbours(x.on, size=config.kernel_size, cell=config.cell, device=x.values.device)
        skips, cells = self.gathering(x.values / config.scale, x.on, near, embedding, codes)
        cells = self.unet(cells, embedding, codes).permute(0, 2, 3, 1)
        back = Interpolation(Grid(tuple(config.grid), x.on.domain), x.on)
        h = back.apply_values(self.from_grid(cells.flatten(1, 2)))
        for block in self.decoder:
            h = block(h, embedding, near, skips.pop(), latent=codes)
        return Function(x.on, (config.scale * self.projection(h)).to(x.values.dtype))

    def check(
        self,
        x: Function,
        on: Discretisation | None,
        latent: Tensor | None,
        condition: Function | None,
    ) -> None:
        """Refuse what the network does not take, but for the times.

        Raises:
            ValueError: as calling it.
            TypeError: as calling it.
        """
        require_function(x, "What a network reads")
        device = self.projection.weight.device
        check_device(x.values.device, device, "Functions and parameters", "Move one of them.")
        expected = self.latent
        refused = latent if expected is None else None
        require_plain(x, on, refused, condition, "This MultiscaleNetwork")
        if expected is not None and latent is None:
            raise TypeError(
                f"This MultiscaleNetwork takes a latent of shape (batch, {expected}); got none."
            )
        if latent is not None and tuple(floating(latent, "Latents").shape) != (*x.batch, expected):
            raise ValueError(
                f"This network takes latents of shape {(*x.batch, expected)}; got "
                f"{tuple(latent.shape)}."
            )
        if x.on.domain.dim != 2:
            raise ValueError(
                f"A MultiscaleNetwork reads functions in the plane; got {x.on.domain.dim} axes."
            )
        if x.channels != self.channels:
            raise ValueError(f"This network reads {self.channels} channels; got {x.channels}.")
