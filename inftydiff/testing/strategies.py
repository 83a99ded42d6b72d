"""Strategies for hypothesis: boxes, grids, subsets, seeds, schedules, times and processes.

They draw sizes and seeds, from which a test makes its tensors by a generator of its own.
"""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeAlias, TypeVar, final

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._extras import extra
from inftydiff.operators import (
    Box,
    Grid,
    Identity,
    LinearOperator,
    Subset,
    gaussian_mollifier,
    matern,
)
from inftydiff.processes import (
    CosineSchedule,
    DiffusionProcess,
    LinearSchedule,
    Schedule,
    WhiteNoise,
)

with extra("test"):
    from hypothesis import strategies as st

__all__ = [
    "KnotSchedule",
    "boxes",
    "grids",
    "mollifiers",
    "ordered_times",
    "processes",
    "schedules",
    "seeds",
    "subsets",
]

Draw: TypeAlias = Callable[..., Any]
"""The function that hypothesis gives a composite strategy: it draws a value from another."""

Arguments = ParamSpec("Arguments")
Made = TypeVar("Made")


def _composite(
    build: Callable[Concatenate[Draw, Arguments], Made],
) -> Callable[Arguments, st.SearchStrategy[Made]]:
    """A composite strategy that leaves Python's global generator as it was.

    Run-time type checkers choose by it which item of a tuple they look at, and hypothesis refuses
    strategies that touch it.
    """

    @wraps(build)
    def steady(draw: Draw, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Made:
        state = random.getstate()
        try:
            return build(draw, *args, **kwargs)
        finally:
            random.setstate(state)

    return st.composite(steady)


@final
@dataclass(frozen=True)
class KnotSchedule:
    r"""A schedule that is piecewise linear through knots at equal distances in [0, 1].

    Args:
        alphas: the amplitudes of the signal at the knots, not rising, from 1 to above 0.
        sigmas: the amplitudes of the noise at the knots, rising from 0; or None for
            :math:`\sqrt{1 - \alpha^2}`.

    Example:
        >>> schedule = KnotSchedule((1.0, 0.8, 0.1), (0.0, 0.5, 2.0))
        >>> schedule.alpha(torch.tensor([0.25, 1.0])).tolist()
        [0.89999..., 0.10000...]
    """

    alphas: tuple[float, ...]
    sigmas: tuple[float, ...] | None = None

    def alpha(self, t: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        """The amplitude of the signal, shaped like ``t``."""
        return _linear(self.alphas, t.double()).to(t.dtype)

    def sigma(self, t: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        """The amplitude of the noise, shaped like ``t``."""
        if self.sigmas is not None:
            return _linear(self.sigmas, t.double()).to(t.dtype)
        lost = _linear(tuple(1.0 - a for a in self.alphas), t.double())
        return (lost * (2.0 - lost)).sqrt().to(t.dtype)


def _linear(knots: tuple[float, ...], t: Tensor) -> Tensor:
    values = torch.tensor(knots, dtype=t.dtype, device=t.device)
    place = t * (len(knots) - 1)
    below = place.floor().clamp(0, len(knots) - 2).long()
    return torch.lerp(values[below], values[below + 1], place - below)


def seeds() -> st.SearchStrategy[int]:
    """Seeds of generators."""
    return st.integers(0, 2**32 - 1)


REFLECTING = ("reflecting",)


@_composite
def boxes(draw: Draw, *, most_dim: int = 2, boundaries: Sequence[str] = REFLECTING) -> Box:
    """Boxes of up to so many axes, with sides between 0.5 and 3.

    Args:
        draw: given by hypothesis.
        most_dim: the largest number of axes.
        boundaries: the conditions that an axis may have, any of ``BOUNDARIES``.
    """
    dim = draw(st.integers(1, most_dim))
    lengths = [draw(st.floats(0.5, 3.0)) for _ in range(dim)]
    return Box(tuple(lengths), tuple(draw(st.sampled_from(boundaries)) for _ in range(dim)))


@_composite
def grids(
    draw: Draw,
    *,
    most_dim: int = 2,
    most: int = 16,
    fewest: int = 1,
    boundaries: Sequence[str] = REFLECTING,
) -> Grid:
    """Grids of any numbers of cells on any box.

    Args:
        draw: given by hypothesis.
        most_dim: the largest number of axes.
        most: the largest number of cells of an axis in one dimension; its root in two, and so on.
        fewest: the smallest number of cells of an axis.
        boundaries: the conditions that an axis may have.
    """
    domain = draw(boxes(most_dim=most_dim, boundaries=boundaries))
    largest = max(fewest, round(most ** (1.0 / domain.dim)))
    shape = [draw(st.integers(fewest, largest)) for _ in range(domain.dim)]
    return Grid(tuple(shape), domain)


@_composite
def subsets(draw: Draw, grid: Grid, *, batch: int | None = None) -> Subset:
    """Subsets of a grid of any size, one for all samples or one a sample."""
    size = draw(st.integers(1, grid.size))
    generator = torch.Generator().manual_seed(draw(seeds()))
    shape = (grid.size,) if batch is None else (batch, grid.size)
    return Subset(grid, torch.rand(shape, generator=generator).argsort(-1)[..., :size])


@_composite
def schedules(draw: Draw) -> Schedule:
    """Ours, and random ones, variance preserving or not."""
    kind = draw(st.sampled_from(["cosine", "linear", "preserving", "free"]))
    if kind == "cosine":
        return CosineSchedule()
    if kind == "linear":
        return LinearSchedule()
    pieces = draw(st.integers(1, 5))
    alphas, sigmas = [1.0], [0.0]
    for _ in range(pieces):
        alphas.append(alphas[-1] * draw(st.floats(0.3, 0.95)))
        sigmas.append(sigmas[-1] + draw(st.floats(0.05, 2.0)))
    return KnotSchedule(tuple(alphas), tuple(sigmas) if kind == "free" else None)


@_composite
def ordered_times(draw: Draw, number: int = 2) -> Float[Tensor, "number"]:
    """Increasing times in [0, 1], a hundredth apart at least, in float64."""
    gap = 0.01
    slack = st.floats(0.0, 1.0 - gap * (number - 1))
    free = sorted(draw(slack) for _ in range(number))
    times = [min(1.0, place + gap * i) for i, place in enumerate(free)]
    return torch.tensor(times, dtype=torch.float64)


def mollifiers(
    grid: Grid, *, cells: tuple[float, float] = (0.5, 2.0)
) -> st.SearchStrategy[LinearOperator]:
    """Gaussian mollifiers whose widths are these numbers of a grid's shortest cell side."""
    side = min(grid.spacing)
    return st.floats(*cells).map(lambda number: gaussian_mollifier(number * side))


@_composite
def processes(
    draw: Draw, grid: Grid, *, cells: tuple[float, float] = (0.5, 2.0)
) -> DiffusionProcess:
    """White, mollified, noise-only, trace-class and mixed diffusion, any schedule and intensity.

    Args:
        draw: given by hypothesis.
        grid: the grid whose cells the mollifiers are measured in.
        cells: the least and the largest width of a mollifier, or length of Matérn noise, in cells.
    """
    widths = mollifiers(grid, cells=cells)
    S = draw(st.one_of(st.just(Identity()), widths))
    N = draw(st.one_of(st.just(Identity()), st.just(S), widths, _materns(grid, cells)))
    noise = WhiteNoise(draw(st.floats(0.1, 2.0)))
    return DiffusionProcess(draw(schedules()), signal=S, noise_factor=N, noise=noise)


def _materns(grid: Grid, cells: tuple[float, float]) -> st.SearchStrategy[LinearOperator]:
    """Matérn factors with the modes of the grid and of one twice as fine."""
    side = min(grid.spacing)
    cutoff = 2.0 * math.pi / side
    return st.builds(
        lambda smoothness, number: matern(smoothness, number * side, dim=grid.dim, cutoff=cutoff),
        st.floats(0.3, 2.5),
        st.floats(*cells),
    )
