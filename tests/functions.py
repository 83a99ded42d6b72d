"""Random functions, and rectangular grids of every kind, for the tests of operators."""

from hypothesis import strategies as st
from torch import Generator, Tensor, float64, rand, randn, stack, tensor
from torch import randperm as permutation

from inftydiff.operators import Box, Discretisation, Function, Grid, Scattered, Subset
from inftydiff.operators.domain import BOUNDARIES

__all__ = [
    "KINDS",
    "boundaries",
    "discretisation",
    "function",
    "grid",
    "kinds",
    "scattered",
    "seeds",
    "shapes",
    "subset",
    "values",
]

LENGTHS = (1.0, 0.7, 1.3)

KINDS = ("grid", "subset", "subsets", "points", "clouds")
"""A grid; one subset, or one a sample; scattered points, or some for each sample."""

kinds = st.sampled_from(KINDS)
seeds = st.integers(0, 2**31)
shapes = st.lists(st.integers(1, 7), min_size=1, max_size=3)

boundaries = st.tuples(*[st.sampled_from(BOUNDARIES)] * 3)
"""A boundary for each of three axes; a grid of fewer takes the first."""


def values(seed: int, *shape: int) -> Tensor:
    """Independent standard normal numbers in float64."""
    return randn(shape, generator=Generator().manual_seed(seed), dtype=float64)


def function(on: Discretisation, seed: int, *batch: int, channels: int = 2) -> Function:
    """A function with independent values; ``batch`` must end with that of the discretisation."""
    return Function(on, values(seed, *batch, on.size, channels))


def grid(*shape: int, boundary: str | tuple[str, ...] = "reflecting") -> Grid:
    """A grid on a box whose sides all differ, with one boundary or the first of several."""
    if not isinstance(boundary, str):
        boundary = boundary[: len(shape)]
    return Grid(shape, Box(LENGTHS[: len(shape)], boundary))


def subset(parent: Grid, size: int, seed: int, batch: int | None = None) -> Subset:
    """Some points of a grid in random order, drawn without the code under test."""
    generator = Generator().manual_seed(seed)
    index = [permutation(parent.size, generator=generator)[:size] for _ in range(batch or 1)]
    return Subset(parent, index[0] if batch is None else stack(index))


def scattered(box: Box, size: int, seed: int, batch: int | None = None) -> Scattered:
    """Uniform points with unequal weights."""
    generator = Generator().manual_seed(seed)
    shape = (size,) if batch is None else (batch, size)
    points = rand(*shape, box.dim, generator=generator, dtype=float64)
    weights = 0.1 + rand(shape, generator=generator, dtype=float64)
    return Scattered(points * tensor(box.lengths, dtype=float64), weights, box)


def discretisation(kind: str, parent: Grid, seed: int, batch: int = 3) -> Discretisation:
    """A discretisation of one of the ``KINDS``, of about half the points of a grid."""
    size = (parent.size + 1) // 2
    match kind:
        case "grid":
            return parent
        case "subset":
            return subset(parent, size, seed)
        case "subsets":
            return subset(parent, size, seed, batch)
        case "points":
            return scattered(parent.domain, size, seed)
        case _:
            return scattered(parent.domain, size, seed, batch)
