"""Networks whose every parameter is random, so that every part acts, and functions for them."""

from dataclasses import replace
from typing import TypeVar

import torch

from inftydiff import Function, Grid, Subset
from inftydiff.models import MultiscaleNetwork, tiny

__all__ = ["functions", "grid_16", "network", "randomised", "subset_of", "times"]

Module = TypeVar("Module", bound=torch.nn.Module)

grid_16 = Grid((16, 16))
"""The grid that the tiny network's kernels are made for."""


def randomised(module: Module, seed: int = 0) -> Module:
    """Fill the parameters, those that start at zero too, in float64 and in evaluation mode."""
    generator = torch.Generator().manual_seed(seed)
    module = module.double().eval()
    with torch.no_grad():
        for parameter in module.parameters():
            fan_in = parameter[0].numel() if parameter.ndim > 1 else 4
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            parameter.copy_(noise / fan_in**0.5)
    return module


def network(seed: int = 0, **changes: object) -> MultiscaleNetwork:
    """A tiny network with random parameters, in float64."""
    own = {n: changes.pop(n) for n in ("channels", "latent", "out_channels") if n in changes}
    return randomised(MultiscaleNetwork(replace(tiny(), **changes), **{"channels": 3, **own}), seed)


def functions(on: Grid | Subset, seed: int = 0, batch: int = 2, channels: int = 3) -> Function:
    """A batch of functions with independent values, in float64."""
    generator = torch.Generator().manual_seed(1000 + seed)
    return Function(
        on, torch.randn(batch, on.size, channels, generator=generator, dtype=torch.float64)
    )


def times(batch: int = 2, seed: int = 0) -> torch.Tensor:
    """A batch of times in [0, 1], in float64."""
    generator = torch.Generator().manual_seed(2000 + seed)
    return torch.rand(batch, generator=generator, dtype=torch.float64)


def subset_of(grid: Grid, size: int, seed: int = 0, batch: int | None = 2) -> Subset:
    """Some points of a grid, in random order, for one sample or for each of a batch."""
    generator = torch.Generator().manual_seed(3000 + seed)
    shape = (grid.size,) if batch is None else (batch, grid.size)
    return Subset(grid, torch.rand(shape, generator=generator).argsort(-1)[..., :size])
