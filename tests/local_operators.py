"""Points, tables and reference cells of every kind, for the tests of the local operator."""

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import e, pi, prod

from functions import seeds, subset, values
from hypothesis import strategies as st
from torch import Tensor

from inftydiff.operators import Box, Grid, Subset
from inftydiff.operators.local import Neighbours, neighbours

__all__ = ["Case", "box_grid", "cases", "cell_of", "coarse", "refined", "whole"]

SPACING = (0.1, 0.07, 0.13)
"""A grid's spacing along each axis."""

coarse = st.sampled_from(
    [Fraction(1, 3), Fraction(1, 2), Fraction(2, 3), Fraction(4, 5), Fraction(1 / e)]
)
whole = st.sampled_from([Fraction(1), Fraction(2), Fraction(3), Fraction(4)])
refined = st.sampled_from([Fraction(5, 4), Fraction(3, 2), Fraction(7, 3), Fraction(pi / 2)])
"""The reference cell's side in spacings of the grid."""


@dataclass(frozen=True)
class Case:
    """What the local operator is applied to; it is made when it is asked for."""

    shape: tuple[int, ...]
    ratios: tuple[Fraction, ...]
    size: int
    channels: int
    batch: tuple[int, ...]
    points: int | None
    samples: int | None
    seed: int

    @cached_property
    def grid(self) -> Grid:
        """The grid."""
        return box_grid(*self.shape)

    @cached_property
    def on(self) -> Grid | Subset:
        """The grid, one subset of it, or one a sample."""
        if self.points is None:
            return self.grid
        return subset(self.grid, self.points, self.seed, self.samples)

    @property
    def cell(self) -> tuple[float, ...]:
        """The reference cell."""
        return cell_of(self.grid, self.ratios)

    @cached_property
    def values(self) -> Tensor:
        """Values at the points."""
        return values(self.seed + 1, *self.batch, self.on.size, self.channels)

    @cached_property
    def weight(self) -> Tensor:
        """The kernel's table."""
        return values(self.seed + 2, self.channels, *[self.size] * self.grid.dim)

    @cached_property
    def map(self) -> Neighbours:
        """The neighbour map of the points."""
        return neighbours(self.on, size=self.size, cell=self.cell)


def box_grid(*shape: int) -> Grid:
    """A grid of unequal spacings."""
    return Grid(shape, Box(tuple(n * h for n, h in zip(shape, SPACING, strict=False))))


def cell_of(grid: Grid, ratios: tuple[Fraction, ...]) -> tuple[float, ...]:
    """The reference cell with these sides in spacings of the grid."""
    return tuple(float(r) * h for r, h in zip(ratios, grid.spacing, strict=True))


@st.composite
def cases(
    draw: st.DrawFn, ratio: st.SearchStrategy[Fraction], kinds: str = "grid one many"
) -> Case:
    """A grid, one subset of it, or one a sample, and a table of up to 7 nodes an axis."""
    dim = draw(st.integers(1, 3))
    shape = tuple(draw(st.integers(1, 9 if dim < 3 else 4)) for _ in range(dim))
    kind = draw(st.sampled_from(kinds.split()))
    batches = [(3,), (2, 3)] if kind == "many" else [(), (2,), (2, 3)]
    return Case(
        shape,
        tuple(draw(ratio) for _ in shape),
        draw(st.sampled_from([1, 3, 5, 7] if dim < 3 else [1, 3])),
        draw(st.integers(1, 3)),
        draw(st.sampled_from(batches)),
        None if kind == "grid" else draw(st.integers(1, prod(shape))),
        3 if kind == "many" else None,
        draw(seeds),
    )
