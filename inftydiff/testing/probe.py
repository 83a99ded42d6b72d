"""Probes: the sizes and the seed that a law is tried on, and the functions made from them."""

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from inftydiff._typing import LARGEST, Real, device_of, dtype_of, fraction, whole
from inftydiff.operators import Discretisation, Function, Grid, Subset
from inftydiff.operators.basis import eigenbasis
from inftydiff.operators.domain import Box, Domain
from inftydiff.processes._checks import a_function, a_grid, a_place, channel_count, samples

__all__ = ["Probe", "longest_side", "refined"]

KEYS = 1_000
"""The number of independent functions of one seed."""

MOST_SEED = LARGEST // KEYS - 1
"""The largest seed: each of its functions has a seed of its own."""


@final
@dataclass(frozen=True)
class Probe:
    """The place, the sizes and the seed that a law is tried with.

    Args:
        on: where the functions live.
        batch: the number of samples.
        channels: the number of channels.
        dtype: the dtype of the values.
        seed: what the values are made from, a whole number from zero to ``MOST_SEED``.
        device: where the values are.

    A part that is asked for with a key, a place, a size or a time of another kind, or out of range,
    is refused by a ``TypeError`` or a ``ValueError``.

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
        seed = whole(self.seed, "A probe's seed", least=0, most=MOST_SEED)
        object.__setattr__(self, "seed", seed)
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
        """Return a generator of its own for each ``key`` below 1000, on the CPU."""
        key = whole(key, "A key", least=0, most=KEYS - 1)
        return torch.Generator().manual_seed(KEYS * self.seed + key)

    def normal(self, *shape: int, key: int = 0) -> Tensor:
        """Draw independent standard normals of a shape."""
        sizes = [whole(size, "A size", least=0) for size in shape]
        values = torch.randn(sizes, generator=self.generator(key), dtype=torch.float64)
        return values.to(dtype=self.dtype, device=self.device)

    def function(self, key: int = 0, *, on: Discretisation | None = None) -> Function:
        """Draw a batch of functions with independent values."""
        on = self.on if on is None else a_place(on)
        return Function(on, self.normal(self.batch, on.size, self.channels, key=key))

    def like(self, f: Function, key: int = 0) -> Function:
        """Draw functions with independent values where ``f`` lives, shaped like its values."""
        a_function(f, "What is drawn alike")
        return Function(f.on, self.normal(*f.values.shape, key=key))

    def smooth(self, on: Grid, *, waves: int = 3, key: int = 0) -> Function:
        """Draw sums of the domain's lowest eigenfunctions: the same functions on every grid.

        Args:
            on: where the functions are wanted.
            waves: how many eigenfunctions an axis, or fewer if the probe's grid has fewer cells.
            key: which functions.
        """
        a_grid(on)
        waves = whole(waves, "The number of waves")
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

    def times(self, key: int = 0, *, low: Real = 0.2, high: Real = 0.9) -> Tensor:
        """Draw times between two in [0, 1], one a sample."""
        low, high = fraction(low, "The lowest time"), fraction(high, "The highest time")
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
