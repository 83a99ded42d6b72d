r"""Discretisations: finitely many points of a domain, with the quadrature weights of L².

A discretisation is a set of points :math:`x_1, …, x_m` and weights :math:`w_1, …, w_m` such that
:math:`\int_\Omega f \approx \sum_p w_p f(x_p)`. The geometry is kept in float64 and cast to the
dtype and place of the values it meets.

``Grid`` is the cell-centred lattice, ``Subset`` some of a grid's points (it remembers its grid, so
that taking a subset changes the quadrature weights but not the law of a noise), and ``Scattered``
points anywhere.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias, final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from inftydiff._typing import (
    LARGEST,
    MOST_AXES,
    check_finite,
    check_size,
    entries,
    floating,
    instance,
    integers,
    whole,
)
from inftydiff.operators.domain import Domain, Point, require_domain, unit_box

__all__ = [
    "Discretisation",
    "Grid",
    "Scattered",
    "Subset",
    "described",
    "require_discretisation",
    "require_grid",
]


@final
@dataclass(frozen=True)
class Grid:
    r"""The lattice of cell centres :math:`x_i = ((i_a + ½) L_a / N_a)_a`, in row-major order.

    Each point has the weight :math:`\prod_a L_a / N_a` of its cell (the midpoint rule). Grids of
    :math:`N` and :math:`3N` cells share points; grids of :math:`N` and :math:`2N` do not.

    Args:
        shape: the number of cells :math:`N_a` of each axis, any numbers of at least one.
        domain: the domain; by default the unit box of as many axes, with reflecting sides. On a
            ``Point()`` the grid ``Grid((), Point())`` has one point, of weight one.

    Raises:
        TypeError: if the shape is no sequence of numbers, or the domain is none.
        ValueError: if the grid is empty, has 2⁶³ points or more, or its axes are not those of the
            domain.

    Example:
        >>> grid = Grid((2, 4))
        >>> grid.size, grid.cell_volume, grid.points[1].tolist()
        (8, 0.125, [0.25, 0.375])
    """

    shape: tuple[int, ...]
    domain: Domain = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        found = entries(self.shape, "A grid's shape", most=MOST_AXES)
        shape = tuple(whole(n, "A grid's number of cells") for n in found)
        object.__setattr__(self, "shape", shape)
        whole(self.size, "A grid's number of points", most=LARGEST)
        if self.domain is None and not shape:
            raise ValueError("A Grid needs at least one axis; got none. On a Point(), say so.")
        if self.domain is None:
            object.__setattr__(self, "domain", unit_box(len(shape)))
        if require_domain(self.domain, "A grid's domain").dim != len(shape):
            raise ValueError(
                f"A Grid has one number of cells an axis; got {len(shape)} numbers for a domain "
                f"of {self.domain.dim} axes."
            )

    @property
    def dim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def spacing(self) -> tuple[float, ...]:
        """The cell's side lengths, in the domain's units."""
        return tuple(length / n for length, n in zip(self.domain.lengths, self.shape, strict=True))

    @property
    def cell_volume(self) -> float:
        """The volume of one cell, which is also each point's quadrature weight."""
        return self.domain.volume / math.prod(self.shape)

    @property
    def size(self) -> int:
        """The number of points."""
        return math.prod(self.shape)

    @property
    def shape_of_points(self) -> tuple[int, ...]:
        """The axes ``(points,)`` of the values on this grid, before the channels."""
        return (self.size,)

    def axis(self, a: int) -> Float[Tensor, "cells"]:
        """The cell centres along axis ``a``, of shape ``(shape[a],)``."""
        a = whole(a, "The number of an axis", least=-self.dim, most=self.dim - 1)
        check_size(self.shape[a], "The cells of an axis")
        return (torch.arange(self.shape[a], dtype=torch.float64) + 0.5) * self.spacing[a]

    @cached_property
    def points(self) -> Float[Tensor, "points dim"]:
        """The cell centres, of shape ``(points, dim)``, row-major, float64."""
        check_size(self.size, "The points of a grid")
        with torch.inference_mode(False):
            axes = [self.axis(a) for a in range(self.dim)]
            if not axes:
                return torch.empty(1, 0, dtype=torch.float64)
            return torch.cartesian_prod(*axes).reshape(-1, self.dim)

    @cached_property
    def weights(self) -> Float[Tensor, "points"]:
        """The cell volume, once a point."""
        check_size(self.size, "The weights of a grid")
        with torch.inference_mode(False):
            return torch.full((self.size,), self.cell_volume, dtype=torch.float64)


@final
@dataclass(frozen=True, eq=False)
class Scattered:
    r"""Points anywhere in a domain; on a ``Point()``, the one point any number of times.

    Args:
        points: the points, of shape ``(points, dim)`` or ``(batch, points, dim)``.
        weights: the quadrature weights, shaped like the points without their last axis, none below
            zero; by default :math:`|\Omega|/m` each, which is Monte Carlo's.
        domain: the domain; by default the unit box of as many axes, with reflecting sides.

    Raises:
        TypeError: if the points or the weights are no floating-point tensors.
        ValueError: if there are no points, one lies outside the box or is not finite, or the
            weights have another shape, a negative entry or no mass.

    Example:
        >>> Scattered(torch.tensor([[0.1], [0.7]])).weights
        tensor([0.5000, 0.5000], dtype=torch.float64)
    """

    points: Float[Tensor, "*batch points dim"]
    weights: Float[Tensor, "*batch points"] = None  # type: ignore[assignment]
    domain: Domain = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        points = floating(self.points, "The points of a Scattered").to(torch.float64)
        if points.ndim not in (2, 3) or 0 in points.shape[:-1]:
            raise ValueError(
                "Scattered takes points of shape (points, dim) or (batch, points, dim), at least "
                f"one; got shape {tuple(points.shape)}."
            )
        dim = points.shape[-1]
        domain = (unit_box(dim) if dim else Point()) if self.domain is None else self.domain
        if require_domain(domain, "The domain of a Scattered").dim != dim:
            raise ValueError(
                f"The points have {dim} coordinates; the domain has {domain.dim} axes. Give points "
                "of the domain, or a domain of as many axes."
            )
        check_finite(points, "The points of a Scattered")
        ends = torch.tensor(domain.lengths, dtype=torch.float64, device=points.device)
        outside = int(((points < 0) | (points > ends)).any(-1).sum())
        if outside:
            raise ValueError(
                f"{outside} points lie outside the box with sides {domain.lengths}; give a larger "
                "domain, or coordinates in its units."
            )
        if self.weights is None:
            weights = points.new_full(points.shape[:-1], domain.volume / points.shape[-2])
        else:
            weights = floating(self.weights, "The weights of a Scattered").to(points)
            check_finite(weights, "The weights of a Scattered")
            if weights.shape != points.shape[:-1]:
                raise ValueError(
                    f"The weights must have shape {tuple(points.shape[:-1])}, one a point; got "
                    f"{tuple(weights.shape)}."
                )
            if bool((weights < 0).any()) or not bool((weights.sum(-1) > 0).all()):
                raise ValueError(
                    "Quadrature weights must not be negative, nor all zero. "
                    f"Got {weights.min().item():g} to {weights.max().item():g}."
                )
        object.__setattr__(self, "points", points)
        object.__setattr__(self, "weights", weights)
        object.__setattr__(self, "domain", domain)

    @property
    def size(self) -> int:
        """The number of points of one sample."""
        return self.points.shape[-2]

    @property
    def shape_of_points(self) -> tuple[int, ...]:
        """The axes ``(*batch, points)`` of the values on these points, before the channels."""
        return tuple(self.points.shape[:-1])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Scattered):
            return False
        return self is other or (
            self.domain == other.domain
            and _same(self.points, other.points)
            and _same(self.weights, other.weights)
        )

    def __hash__(self) -> int:
        return hash((self.domain, self.shape_of_points))


@final
@dataclass(frozen=True, eq=False)
class Subset:
    r"""Some points of a grid, for one sample or for each of a batch.

    The weights are those of Monte Carlo integration over the points taken, :math:`|\Omega|/m`. The
    grid is kept: a noise's cell volume is the grid's, whatever the subset.

    Args:
        grid: the grid that the points are taken from.
        index: the flat (row-major) numbers of the points, of shape ``(points,)`` or
            ``(batch, points)``, none twice in a sample.

    Raises:
        ValueError: if the subset is empty, larger than its grid, or an index is out of range or
            occurs twice.
        TypeError: if the index is no tensor of integers, or the grid no Grid.

    Example:
        >>> subset = Subset(Grid((2, 2)), torch.tensor([0, 3]))
        >>> subset.points.tolist(), subset.weights.tolist()
        ([[0.25, 0.25], [0.75, 0.75]], [0.5, 0.5])
    """

    grid: Grid
    index: Int[Tensor, "*batch points"]

    def __post_init__(self) -> None:
        instance(self.grid, Grid, "A Subset's grid")
        index = instance(self.index, Tensor, "A Subset's index")
        if index.dtype not in (torch.int64, torch.int32):
            raise TypeError(f"A Subset's index must be integer; got {index.dtype}.")
        integers(index, "A Subset's index")
        if index.ndim not in (1, 2) or index.numel() == 0:
            raise ValueError(
                "A Subset takes an index of shape (points,) or (batch, points) with at least one "
                f"point; got shape {tuple(index.shape)}."
            )
        index = index.to(torch.int64)
        if index.shape[-1] > self.grid.size:
            raise ValueError(
                f"A subset cannot be larger than its grid: {index.shape[-1]} points of "
                f"{self.grid.size}. Take fewer points, or a finer grid."
            )
        ordered = index.sort(-1).values
        if int(ordered.min()) < 0 or int(ordered.max()) >= self.grid.size:
            raise ValueError(
                f"A Subset of {self.grid.size} points has indices 0 to {self.grid.size - 1}; got "
                f"{int(ordered.min())} to {int(ordered.max())}."
            )
        if bool((ordered[..., 1:] == ordered[..., :-1]).any()):
            raise ValueError(
                "A Subset names each point once; an index occurs twice in a sample. Remove it."
            )
        object.__setattr__(self, "index", index)

    @property
    def parent(self) -> Grid:
        """The grid that the points are taken from."""
        return self.grid

    @property
    def domain(self) -> Domain:
        """The grid's domain."""
        return self.grid.domain

    @property
    def size(self) -> int:
        """The number of points of one sample."""
        return self.index.shape[-1]

    @property
    def shape_of_points(self) -> tuple[int, ...]:
        """The axes ``(*batch, points)`` of the values on this subset, before the channels."""
        return tuple(self.index.shape)

    @cached_property
    def points(self) -> Float[Tensor, "*batch points dim"]:
        """The points taken, of shape ``(*index.shape, dim)``, float64."""
        return self.grid.points.to(self.index.device)[self.index]

    @cached_property
    def weights(self) -> Float[Tensor, "*batch points"]:
        """The domain's volume over the number of points, once a point, shaped like the index."""
        weight = self.domain.volume / self.size
        return torch.full(self.index.shape, weight, dtype=torch.float64, device=self.index.device)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Subset):
            return False
        return self is other or (self.grid == other.grid and _same(self.index, other.index))

    def __hash__(self) -> int:
        return hash((self.grid, self.shape_of_points))


def _same(a: Tensor, b: Tensor) -> bool:
    return a is b or (a.shape == b.shape and torch.equal(a, b.to(a.device)))


Discretisation: TypeAlias = Grid | Scattered | Subset
"""Any of the three kinds; match on them, or use what they share: ``points`` ``weights`` ``size``
``shape_of_points`` ``domain``."""


def require_discretisation(on: Discretisation, name: str) -> Discretisation:
    """Return a discretisation, refusing other things.

    Raises:
        TypeError: if it is of no kind that there is; ``name`` says which it was.
    """
    advice = "Pass one, such as Grid((64, 64))."
    return on if isinstance(on, Grid) else instance(on, (Grid, Scattered, Subset), name, advice)


def require_grid(on: Grid, name: str) -> Grid:
    """Return a grid, refusing other things.

    Raises:
        TypeError: if it is none; ``name`` says which it was.
    """
    return instance(on, Grid, name, "Pass one, such as Grid((64, 64)).")


def described(on: Discretisation) -> str:
    """A discretisation and its domain in a few words, for messages."""
    if isinstance(on, Grid):
        return f"Grid({on.shape}) on {on.domain}"
    if isinstance(on, Subset):
        return f"a Subset of {on.size} points of {described(on.grid)}"
    return f"Scattered({on.size} points) on {on.domain}"
