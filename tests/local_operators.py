"""Points, tables, reference cells and backends of every kind, for tests of the local operator."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import e, pi, prod

import pytest
import torch
from functions import scattered, seeds, subset, values
from hypothesis import strategies as st
from torch import Tensor

from inftydiff.operators import Box, Grid, Scattered, Subset
from inftydiff.operators.local import Neighbours, local_operator, neighbours, reference
from inftydiff.operators.local.backend import Backend, installed_backends

__all__ = [
    "Case",
    "backends",
    "box_grid",
    "cases",
    "cell_of",
    "coarse",
    "device_of",
    "every_backend",
    "outcome",
    "pair_backends",
    "refined",
    "taken_by",
    "threads",
    "truth",
    "whole",
]

SPACING = (0.1, 0.07, 0.13)
"""A grid's spacing along each axis."""

coarse = st.sampled_from(
    [Fraction(1, 3), Fraction(1, 2), Fraction(2, 3), Fraction(4, 5), Fraction(1 / e)]
)
whole = st.sampled_from([Fraction(1), Fraction(2), Fraction(3), Fraction(4)])
refined = st.sampled_from([Fraction(5, 4), Fraction(3, 2), Fraction(7, 3), Fraction(pi / 2)])
"""The reference cell's side in spacings of the grid."""


def backends(*names: Backend) -> pytest.MarkDecorator:
    """Run a test with each of these backends, as far as they are installed."""
    parameters = [pytest.param(name, marks=_where_installed(name)) for name in names]
    return pytest.mark.parametrize("backend", parameters)


def taken_by(kinds: Mapping[str, Iterable[Backend]]) -> pytest.MarkDecorator:
    """Run a test with each kind of points by each backend that takes them, if it is installed."""
    parameters = [
        pytest.param(kind, name, marks=_where_installed(name))
        for kind, names in kinds.items()
        for name in names
    ]
    return pytest.mark.parametrize(("name", "backend"), parameters)


def _where_installed(name: Backend) -> pytest.MarkDecorator:
    there = name in installed_backends()
    return pytest.mark.skipif(not there, reason=f"{name} is not installed")


every_backend = backends("reference", "dense", "torch", "numba", "triton")
pair_backends = backends("torch", "numba", "triton")


def device_of(backend: Backend | None) -> str:
    """Where a backend is tested: Triton on a GPU, where there is one, and interpreted elsewhere."""
    return "cuda" if backend == "triton" and torch.cuda.is_available() else "cpu"


@dataclass(frozen=True)
class Case:
    """What the local operator is applied to; it is made when it is asked for."""

    shape: tuple[int, ...]
    ratios: tuple[Fraction | int, ...]
    size: int
    channels: int
    batch: tuple[int, ...]
    points: int | None
    samples: int | None
    seed: int
    images: int | None = None
    anywhere: bool = False

    @cached_property
    def grid(self) -> Grid:
        """The grid."""
        return box_grid(*self.shape)

    @cached_property
    def on(self) -> Grid | Subset | Scattered:
        """The grid, one subset of it or one a sample; or points anywhere, some of no weight."""
        if self.points is None:
            return self.grid
        if not self.anywhere:
            return subset(self.grid, self.points, self.seed, self.samples)
        on = scattered(self.grid.domain, self.points, self.seed, self.samples)
        present = on.weights >= on.weights.median(-1, keepdim=True).values / 2
        return Scattered(on.points, on.weights * present, on.domain)

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
        """The kernel's table, with a matrix at each node if there is a number of images."""
        images = () if self.images is None else (self.images,)
        return values(self.seed + 2, *images, self.channels, *[self.size] * self.grid.dim)

    @cached_property
    def map(self) -> Neighbours:
        """The neighbour map of the points."""
        return self.map_by(None)

    def map_by(self, backend: Backend | None) -> Neighbours:
        """The neighbour map of the points for a backend."""
        where = device_of(backend)
        return neighbours(self.on, size=self.size, cell=self.cell, device=where, backend=backend)


def outcome(
    near: Neighbours,
    v: Tensor,
    weight: Tensor,
    dtype: torch.dtype = torch.float64,
    along: Tensor | None = None,
) -> list[Tensor]:
    """The image, and the gradients in the values and the table, by default along fixed numbers."""
    device = near.mass.device
    inputs = [x.detach().to(device, dtype).requires_grad_() for x in (v, weight)]
    image = local_operator(*inputs, near)
    along = (values(0, *image.shape) if along is None else along).to(image)
    return [x.detach().cpu() for x in (image, *torch.autograd.grad(image, inputs, along))]


def truth(case: Case) -> list[Tensor]:
    """What the definition gives for ``outcome``."""
    inputs = [x.detach().clone().requires_grad_() for x in (case.values, case.weight)]
    image = reference(*inputs, case.on.points, case.on.weights, case.cell)
    along = values(0, *image.shape)
    return [image.detach(), *torch.autograd.grad(image, inputs, along)]


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let torch use so many threads for an operation, and as many as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def box_grid(*shape: int) -> Grid:
    """A grid of unequal spacings."""
    return Grid(shape, Box(tuple(n * h for n, h in zip(shape, SPACING, strict=False))))


def cell_of(grid: Grid, ratios: Iterable[Fraction | int]) -> tuple[float, ...]:
    """The reference cell with these sides in spacings of the grid."""
    return tuple(float(r) * h for r, h in zip(ratios, grid.spacing, strict=True))


@st.composite
def cases(
    draw: st.DrawFn,
    ratio: st.SearchStrategy[Fraction],
    kinds: str = "grid one many",
    channels: Sequence[int] = (1, 2, 3),
    images: Sequence[int | None] = (None,),
) -> Case:
    """A grid, one subset of it or one a sample, or points or clouds of them anywhere.

    The table has up to 7 nodes an axis.
    """
    dim = draw(st.integers(1, 3))
    shape = tuple(draw(st.integers(1, 9 if dim < 3 else 4)) for _ in range(dim))
    kind = draw(st.sampled_from(kinds.split()))
    batches = [(3,), (2, 3)] if kind in ("many", "clouds") else [(), (2,), (2, 3)]
    return Case(
        shape,
        tuple(draw(ratio) for _ in shape),
        draw(st.sampled_from([1, 3, 5, 7] if dim < 3 else [1, 3])),
        draw(st.sampled_from(channels)),
        draw(st.sampled_from(batches)),
        None if kind == "grid" else draw(st.integers(1, prod(shape))),
        3 if kind in ("many", "clouds") else None,
        draw(seeds),
        draw(st.sampled_from(images)),
        kind in ("points", "clouds"),
    )
