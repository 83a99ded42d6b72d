r"""A Fourier neural operator as a component of inftydiff.

A layer maps features :math:`h` to :math:`\mathrm{GELU}((1 + s(t)) (W h + \mathcal F^{-1} R\,
\mathcal F h) + b(t))`: a linear map at each point, and one of each of the lowest Fourier modes. So
it reads whole grids of any size, in one to three dimensions.

References:
    Li et al., "Fourier neural operator for parametric partial differential equations", ICLR 2021.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from inftydiff import Function, Grid
from inftydiff.models import Capabilities

__all__ = ["FNO", "FNOConfig"]


@dataclass(frozen=True)
class FNOConfig:
    """The sizes of the network.

    Args:
        modes: how many frequencies of each sign are kept along every axis.
        width: the number of channels of the features.
        layers: the number of layers.
    """

    modes: int = 8
    width: int = 32
    layers: int = 4

    def __post_init__(self) -> None:
        for name in ("modes", "width", "layers"):
            if not isinstance(getattr(self, name), int) or getattr(self, name) < 1:
                raise ValueError(f"{name} must be 1 or more; got {getattr(self, name)!r}.")

    def build(self, channels: int, domain) -> "FNO":
        """Build the network of functions on a domain."""
        return FNO(self, channels, domain.dim)


class Layer(nn.Module):
    """A linear map at each point and of each low mode, modulated by the time."""

    def __init__(self, config: FNOConfig, dim: int) -> None:
        super().__init__()
        width, modes = config.width, config.modes
        self.modes = modes
        self.pointwise = nn.Linear(width, width)
        self.time = nn.Linear(width, 2 * width)
        shape = (width, width, *(2 * modes,) * (dim - 1), modes)
        self.spectral = nn.Parameter(torch.randn(shape, dtype=torch.cfloat) / width)

    def forward(self, h: Tensor, embedding: Tensor) -> Tensor:
        """Features of shape ``(batch, *grid, width)``."""
        axes = tuple(range(1, h.ndim - 1))
        scale, shift = self.time(embedding)[(slice(None), *(None,) * len(axes))].chunk(2, -1)
        spectrum = torch.fft.rfftn(h, dim=axes, norm="forward")  # means, whatever the grid
        low = [self.kept(h.shape[a], spectrum.shape[a], a == axes[-1], h.device) for a in axes]
        rows = (slice(None), *torch.meshgrid(*low, indexing="ij"))
        weight = self.spectral[(slice(None), *rows)].to(spectrum.dtype)
        mixed = torch.zeros_like(spectrum)
        mixed[rows] = torch.einsum("b...i,io...->b...o", spectrum[rows], weight)
        moved = torch.fft.irfftn(mixed, s=h.shape[1:-1], dim=axes, norm="forward")
        return nn.functional.gelu((1.0 + scale) * (self.pointwise(h) + moved) + shift)

    def kept(self, points: int, found: int, last: bool, device: torch.device) -> Tensor:
        """The indices of the modes kept along an axis; negative ones count from its end."""
        count = min(self.modes, (points + 1) // 2)
        up = torch.arange(count, device=device)
        return up if last else torch.cat([up, up - count])


class FNO(nn.Module):
    """The network: lifted with the points' coordinates, through the layers, and projected."""

    capabilities = Capabilities(dims=(1, 2, 3), subsets=False, mixed_precision=False)

    def __init__(self, config: FNOConfig, channels: int, dim: int) -> None:
        super().__init__()
        self.config = config
        self.lift = nn.Linear(channels + dim, config.width)
        self.embed = nn.Sequential(nn.Linear(16, config.width), nn.GELU())
        self.layers = nn.ModuleList(Layer(config, dim) for _ in range(config.layers))
        self.project = nn.Linear(config.width, channels)
        nn.init.zeros_(self.project.weight)

    def forward(self, x: Function, t: Tensor, *, on=None, latent=None, condition=None) -> Function:
        """Apply the network to functions on a grid, at times of shape ``(batch,)``."""
        if not isinstance(x.on, Grid) or on not in (None, x.on):
            raise ValueError("An FNO reads a function on a grid, and answers there. Give one.")
        if latent is not None or condition is not None:
            raise TypeError("An FNO takes no latent and no condition. Leave them out.")
        values = x.values.to(self.lift.weight.dtype)
        place = x.on.points.to(values) / torch.tensor(x.on.domain.lengths).to(values)
        h = self.lift(torch.cat([values, place.expand(len(values), -1, -1)], -1))
        angles = t.to(values)[:, None] * (math.pi * 2.0 ** torch.arange(8).to(values) / 16.0)
        embedding = self.embed(torch.cat([angles.sin(), angles.cos()], -1))
        h = h.unflatten(1, x.on.shape)
        for layer in self.layers:
            h = layer(h, embedding)
        return Function(x.on, self.project(h).flatten(1, -2).to(x.values.dtype))
