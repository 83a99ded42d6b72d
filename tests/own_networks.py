"""Networks that a user might write, with configurations that have kinds."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from inftydiff import Function, Grid
from inftydiff._components import component
from inftydiff.models import Capabilities
from inftydiff.operators import Domain

__all__ = ["FourierConfig", "FourierNetwork", "Other", "OtherConfig", "Plain", "PlainConfig"]


class FourierNetwork(nn.Module):
    """A Fourier layer: complex weights on the lowest modes, and a linear map of the channels."""

    def __init__(self, channels: int, modes: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(modes)
        spectral = torch.randn(channels, channels, modes, modes, 2, generator=generator)
        self.spectral = nn.Parameter(torch.view_as_complex(0.1 * spectral))
        self.local = nn.Linear(channels + 1, channels)
        self.modes = modes

    @property
    def capabilities(self) -> Capabilities:
        """What it takes: whole grids of the plane, in full precision."""
        return Capabilities(dims=(2,), subsets=False, mixed_precision=False)

    def forward(self, x: Function, t: Tensor) -> Function:
        assert isinstance(x.on, Grid)
        image = x.to_image()
        modes = torch.fft.rfft2(image)
        low = (..., slice(self.modes), slice(self.modes))
        mixed = torch.zeros_like(modes)
        mixed[low] = torch.einsum("oikl,bikl->bokl", self.spectral.to(modes), modes[low])
        smooth = torch.fft.irfft2(mixed, s=x.on.shape).flatten(2).mT
        times = t[:, None, None].expand(-1, x.on.size, 1)
        return Function(x.on, smooth + self.local(torch.cat([x.values, times], -1)))


@component("network", "test_fourier")
@dataclass(frozen=True)
class FourierConfig:
    """What a Fourier network is built from."""

    modes: int = 4

    def build(self, channels: int, domain: Domain) -> FourierNetwork:
        """Build the network."""
        return FourierNetwork(channels, self.modes)


class Plain(nn.Module):
    """A linear map of the channels, with buffers of every sort."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(channels, channels)
        self.register_buffer("counts", torch.arange(width))
        self.register_buffer("mask", torch.arange(width) % 2 == 0)
        self.register_buffer("phase", torch.polar(torch.ones(width), torch.arange(width) / 3.0))
        self.register_buffer("scratch", torch.full((width,), 0.5), persistent=False)
        self.own = torch.full((width,), 2.0)

    def forward(self, x: Function, t: Tensor) -> Function:
        assert self.counts.dtype == torch.int64
        gain = self.phase.real.sum() + self.counts[self.mask].sum() + self.scratch.sum()
        return Function(x.on, self.linear(x.values) + 1e-2 * (gain + self.own.sum()))


@component("network", "test_plain")
@dataclass(frozen=True)
class PlainConfig:
    """What a plain network is built from."""

    width: int = 5

    def build(self, channels: int, domain: Domain) -> Plain:
        """Build the network."""
        return Plain(channels, self.width)


class Other(nn.Module):
    """A network that says and answers as its configuration says, for the refusals."""

    def __init__(self, config: "OtherConfig", channels: int) -> None:
        super().__init__()
        self.config = config
        self.weight = nn.Parameter(torch.ones(channels))
        self.capabilities = config.capabilities

    def forward(self, x: Function, t: Tensor, *, latent: Tensor | None = None) -> Function:
        values = x.values * self.weight
        match self.config.answer:
            case "channels":
                return Function(x.on, values[..., :1])
            case "points":
                return Function(Grid((2, 2), x.on.domain), values[:, :4])
            case "samples":
                return Function(x.on, values[:1])
            case "values":
                return values  # type: ignore[return-value]
        return Function(x.on, values)


@component("network", "test_other")
@dataclass(frozen=True)
class OtherConfig:
    """What such a network is built from."""

    answer: str = "all"
    dims: tuple[int, ...] | None = None
    boundaries: tuple[str, ...] | None = None
    inputs: tuple[str, ...] = ()
    subsets: bool = True
    power: float = 1.0

    @property
    def capabilities(self) -> Capabilities:
        """What the network says of itself."""
        return Capabilities(
            dims=self.dims, boundaries=self.boundaries, inputs=self.inputs, subsets=self.subsets
        )

    def build(self, channels: int, domain: Domain, *, latent: int | None = None) -> Other:
        """Build the network."""
        return Other(self, channels)
