r"""A Fourier neural operator that is told the time, and a latent if there is one.

Each block is :math:`h \mapsto h + \mathrm{GELU}(K h + W h + b(t))`, where K multiplies the low
Fourier modes by matrices and W is a matrix. Modes are counted in the domain, so that one network
reads grids of all sizes. A function is continued evenly beyond sides that are not periodic.

References:
    Li et al., "Fourier neural operator for parametric partial differential equations", ICLR 2021.
"""

from dataclasses import dataclass

import torch
from torch import nn

from inftydiff import Function, Grid
from inftydiff.models import Capabilities, LatentEmbedding, TimeEmbedding
from inftydiff.models.neural_operator import require_batch, require_plain

__all__ = ["FNO", "FNOConfig"]


@dataclass(frozen=True)
class FNOConfig:
    """What a Fourier neural operator is built from.

    Args:
        width: the number of channels.
        modes: the highest mode that is kept along an axis, in periods of what is transformed.
        blocks: the number of blocks.
    """

    width: int = 32
    modes: int = 12
    blocks: int = 4

    def __post_init__(self):
        if min(self.width, self.modes, self.blocks) < 1:
            raise ValueError(f"Width, modes and blocks are numbers from 1 up; got {self}.")

    def build(self, channels, domain, *, latent=None):
        """Build the network for functions of so many channels on this domain."""
        return FNO(self, channels, domain, latent)


class FNO(nn.Module):
    """A Fourier neural operator on the grids of a domain."""

    def __init__(self, config, channels, domain, latent=None):
        super().__init__()
        width = config.width
        self.lift = nn.Linear(channels + domain.dim, width)
        self.embed = TimeEmbedding(width)
        self.embed_latent = None if latent is None else LatentEmbedding(latent, width)
        self.blocks = nn.ModuleList(
            Block(width, config.modes, domain.boundaries) for _ in range(config.blocks)
        )
        self.project = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, channels)
        )

    @property
    def capabilities(self):
        """What it takes: whole grids, in full precision."""
        inputs = () if self.embed_latent is None else ("latent",)
        return Capabilities(dims=(1, 2, 3), subsets=False, inputs=inputs, mixed_precision=False)

    def forward(self, x, t, *, on=None, latent=None, condition=None):
        """Apply the network to functions on a grid at times in [0, 1]."""
        require_batch(x, t)
        refused = latent if self.embed_latent is None else None
        require_plain(x, on, refused, condition, "An FNO")
        if not isinstance(x.on, Grid):
            raise ValueError(f"An FNO reads whole grids; got {type(x.on).__name__}. Give a Grid.")
        place = x.on.points.to(x.values).expand(*x.batch, -1, -1)
        h = self.lift(torch.cat([x.values, place], -1).to(self.lift.weight))
        h = h.unflatten(1, x.on.shape)
        told = self.embed(t)
        if self.embed_latent is not None:
            told = told + self.embed_latent(latent)
        for block in self.blocks:
            h = block(h, told)
        return Function(x.on, self.project(h.flatten(1, -2)).to(x.values.dtype))


class Block(nn.Module):
    """A block on values of shape (batch, *grid, width)."""

    def __init__(self, width, modes, boundaries):
        super().__init__()
        self.modes, self.boundaries = modes, boundaries
        sizes = [2 * modes + 1] * (len(boundaries) - 1) + [modes + 1]
        self.weight = nn.Parameter(torch.randn(*sizes, width, width, dtype=torch.cfloat) / width)
        self.pointwise, self.shift = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, h, told):
        """Apply the block, given the embedded times and latents."""
        shift = self.shift(told).unflatten(1, (*[1] * len(self.boundaries), -1))
        return h + nn.functional.gelu(self.convolved(h) + self.pointwise(h) + shift)

    def convolved(self, h):
        """Multiply the low modes of values, continued evenly where they are not periodic."""
        grid = tuple(slice(cells) for cells in h.shape[1:-1])
        for axis, boundary in enumerate(self.boundaries, start=1):
            h = h if boundary == "periodic" else torch.cat([h, h.flip(axis)], axis)
        shape, axes = h.shape[1:-1], tuple(range(1, h.ndim - 1))
        *others, last = [min(self.modes, (cells - 1) // 2) for cells in shape]
        waves = [torch.arange(-k, k + 1) for k in others] + [torch.arange(last + 1)]
        low = torch.meshgrid(*waves, indexing="ij")
        h = torch.fft.rfftn(h, dim=axes, norm="forward")
        answer = torch.zeros_like(h)
        answer[:, *low] = torch.einsum("b...i,...io->b...o", h[:, *low], self.weight[low].to(h))
        return torch.fft.irfftn(answer, s=shape, dim=axes, norm="forward")[:, *grid]
