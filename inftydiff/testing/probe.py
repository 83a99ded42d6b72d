"""Probes: the sizes and the seed that a law is tried on, and the functions made from them."""

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from inftydiff._typing import device_of, dtype_of, whole
from inftydiff.operators import Discretisation, Function, Grid, Subset
from inftydiff.operators.basis import eigenbasis
from inftydiff.operators.domain import Box, Domain
from inftydiff.processes.checks import a_place, channel_count, samples

__all__ = ["Probe", "longest_side", "refined"]

KEYS = 1_000
"""How many independent functions one seed gives."""


@final
@dataclass(frozen=True)
class Probe:
    """What a law is tried on.

    Args:
        on: where the functions live.
        batch: the number of samples.
        channels: the number of channels.
        dtype: the dtype of the values.
        seed: what the values are made from, a whole number of at least zero.
        device: where the values are.

    Example:
        >>> print(Probe(Grid((3, 2)), 1, 2, torch.float64, seed=0))
        Grid((3, 2)), batch 1, 2 channels, float64, cpu, seed 0
    """

    on: Discretisation
    batch: int
    channels: int
    dtype: torch.dtype
    seed: int
    device: str = "cpu"

    def __post_init__(self) -> None:
        a_place(self.on, "The points of a probe")
        object.__setattr__(self, "batch", samples(self.batch))
        object.__setattr__(self, "channels", channel_count(self.channels))
        dtype_of(self.dtype, "The dtype of a probe")
        object.__setattr__(self, "seed", whole(self.seed, "A probe's seed", least=0))
        device_of(self.device, "The device of a probe")

    def __str__(self) -> str:
        channels = "1 channel" if self.channels == 1 else f"{self.channels} channels"
        dtype = str(self.dtype).removeprefix("torch.")
        return (
            f"{_place(self.on)}, batch {self.batch}, {channels}, {dtype}, {self.device}, "
            f"seed {self.seed}"
        )

    @property
    def domain(self) -> Domain:
        """The domain of the discretisation."""
        return self.on.domain

    @property
    def grid(self) -> Grid:
        """The discretisation, which is a grid.

        Raises:
            TypeError: if it is not.
        """
        if not isinstance(self.on, Grid):
            raise TypeError(f"This law is tried on a Grid; got {type(self.on).__name__}.")
        return self.on

    @property
    def tolerance(self) -> float:
        """The rounding allowed, relative: 4e-10 in float64 and 7e-5 in float32."""
        return float(torch.finfo(self.dtype).eps ** 0.6)

    def generator(self, key: int = 0) -> torch.Generator:
        """A generator of its own for each ``key`` below 1000, on the CPU."""
        whole(key, "A key", least=0, most=KEYS - 1)
        return torch.Generator().manual_seed(KEYS * self.seed + key)

    def normal(self, *shape: int, key: int = 0) -> Tensor:
        """Independent standard normals of a shape."""
        values = torch.randn(*shape, generator=self.generator(key), dtype=torch.float64)
        return values.to(dtype=self.dtype, device=self.device)

    def function(self, key: int = 0, *, on: Discretisation | None = None) -> Function:
        """A batch of functions with independent values."""
        on = self.on if on is None else on
        return Function(on, self.normal(self.batch, on.size, self.channels, key=key))

    def like(self, f: Function, key: int = 0) -> Function:
        """Functions with independent values where ``f`` lives, shaped like its values."""
        return Function(f.on, self.normal(*f.values.shape, key=key))

    def smooth(self, on: Grid, *, waves: int = 3, key: int = 0) -> Function:
        """Sums of the domain's lowest eigenfunctions: the same functions on every grid.

        Args:
            on: where the functions are wanted.
            waves: how many eigenfunctions an axis, or fewer if the probe's grid has fewer cells.
            key: which functions.
        """
        counts = tuple(min(waves, cells) for cells in self.grid.shape)
        modes = eigenbasis(on.domain).modes(on.points, counts)
        coefficients = torch.randn(
            self.batch,
            modes.shape[-1],
            self.channels,
            generator=self.generator(key),
            dtype=torch.float64,
        )
        values = modes @ coefficients / modes.shape[-1] ** 0.5
        return Function(on, values.to(dtype=self.dtype, device=self.device))

    def times(self, key: int = 0, *, low: float = 0.2, high: float = 0.9) -> Tensor:
        """Random times, one a sample."""
        uniform = torch.rand(self.batch, generator=self.generator(key), dtype=torch.float64)
        return (low + (high - low) * uniform).to(dtype=self.dtype, device=self.device)


def refined(grid: Grid, factor: int) -> tuple[Grid, Tensor]:
    """A finer grid, and the numbers of its points that are those of the grid.

    Args:
        grid: a grid.
        factor: an odd number of cells for each of its cells, along each axis.

    Returns:
        The finer grid and indices of shape ``(grid.size,)``.

    Example:
        >>> fine, shared = refined(Grid((2,)), 3)
        >>> fine.shape, shared.tolist()
        ((6,), [1, 4])
    """
    fine = Grid(tuple(n * factor for n in grid.shape), grid.domain)
    numbers = torch.arange(fine.size).reshape(fine.shape)
    for axis in range(grid.dim):
        every = torch.arange(factor // 2, fine.shape[axis], factor)
        numbers = numbers.index_select(axis, every)
    return fine, numbers.flatten()


def longest_side(domain: Domain) -> float:
    """The longest side of a box, the unit of the laws' mollifiers; 1 on a point."""
    return max(map(float, domain.lengths), default=1.0)


def _place(on: Discretisation) -> str:
    """A discretisation in words, with its domain if that is not the reflecting unit box."""
    match on:
        case Grid():
            place = f"Grid({on.shape})"
        case Subset():
            place = f"a Subset of {on.size} of the {on.grid.size} points of Grid({on.grid.shape})"
        case _:
            place = f"Scattered({on.size} points)"
    if not isinstance(on.domain, Box):
        return f"{place} of {on.domain}"
    sides = set(on.domain.lengths) == {1.0}
    reflecting = set(on.domain.boundaries) == {"reflecting"}
    return place if sides and reflecting else f"{place} of {on.domain}"
