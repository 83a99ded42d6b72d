r"""Transfers: from a grid to points, and from points to a grid.

To the points, by multilinear interpolation between cell centres. To the grid, by one rule for every
density of points: the average in a Gaussian window of one physical width :math:`w`,

.. math:: (A v)(g) = \frac{\sum_y w_y\, k(g - y)\, v(y)}{\sum_y w_y\, k(g - y)}, \qquad
          k(z) = e^{-|z|^2 / 2 w^2},

whose weights :math:`w_y` are the quadrature weights, so that it converges as points are added and
a point of weight zero is not there. Along a periodic axis distances are those of the shorter way
round. Every transfer is a ``LinearOperator`` with its adjoint, and has ``apply_values`` for layers,
which work on bare tensors. What depends on the points alone is computed once an object: make one
for a batch of coordinates, and share it.

References:
    Bond-Taylor and Willcocks, "∞-Diff", ICLR 2024, section 4.1 (three nearest neighbours).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._typing import Real, check_size, choice, length, shown, whole
from inftydiff.operators._matrices import (
    Constants,
    SparseMatrix,
    multiply,
    prepared,
    separable,
)
from inftydiff.operators._matrix_operator import MatrixOperator
from inftydiff.operators._nearest import nearest
from inftydiff.operators._windows import WindowMatrix, distances
from inftydiff.operators.discretisation import (
    Discretisation,
    Grid,
    Scattered,
    Subset,
    require_discretisation,
)
from inftydiff.operators.domain import Domain, Point
from inftydiff.operators.function import Function, require_function

__all__ = [
    "Interpolation",
    "KernelSmoother",
    "NearestNeighbours",
    "interpolate",
]

METHODS = ("linear",)
"""The ways to interpolate."""

REACH = 9.0
"""Where a Gaussian window ends along each axis, in widths: its value there is 3e-18.

Smaller entries add nothing to a sum, and their products would be denormal numbers in float32.
"""

LEAST_MASS = 1e-30
"""The least mass of a window, in units of its peak times the largest quadrature weight."""


@final
@dataclass(frozen=True)
class Interpolation(MatrixOperator):
    r"""Multilinear interpolation from a grid's cell centres.

    Along each axis :math:`(1-\theta) f(x_i) + \theta f(x_{i+1})` between two centres, exact for
    affine functions. In the outer half cells the function is constant at a reflecting side, falls
    linearly to zero at an absorbing one, and goes on to the other end of a periodic axis.

    Args:
        source: the grid.
        target: where to interpolate to, in the same domain.

    Raises:
        ValueError: if the source is not a grid, or the two domains differ.

    Example:
        >>> coarse, fine = Grid((4,)), Grid((8,))
        >>> f = Function(coarse, coarse.points)
        >>> Interpolation(coarse, fine)(f).values.flatten().tolist()
        [0.125, 0.1875, 0.3125, 0.4375, 0.5625, 0.6875, 0.8125, 0.875]
    """

    source: Grid
    target: Discretisation

    def __post_init__(self) -> None:
        _check_grid(self.source, "Interpolation starts from")
        require_discretisation(self.target, "The target of an Interpolation")
        _check_ends(self.source, self.target)

    @prepared
    def _factors(self) -> Constants:
        assert isinstance(self.target, Grid)
        factors = []
        for a, (columns, rows) in enumerate(zip(self.source.shape, self.target.shape, strict=True)):
            factor = torch.zeros(rows, columns, dtype=torch.float64)
            factors.append(factor.scatter_add_(1, *_between(self.target.axis(a), self.source, a)))
        return Constants(factors)

    @prepared
    def _corners(self) -> SparseMatrix:
        points = self.target.points
        columns = torch.zeros((*points.shape[:-1], 1), dtype=torch.int64, device=points.device)
        entries = torch.ones((*points.shape[:-1], 1), dtype=torch.float64, device=points.device)
        for a, count in enumerate(self.source.shape):
            sides, parts = _between(points[..., a], self.source, a)
            columns = (columns.unsqueeze(-1) * count + sides.unsqueeze(-2)).flatten(-2)
            entries = (entries.unsqueeze(-1) * parts.unsqueeze(-2)).flatten(-2)
        return SparseMatrix(columns, entries, self.source.size)

    def part_of_values(
        self, values: Float[Tensor, "*batch nodes channels"], part: Sequence[slice]
    ) -> Float[Tensor, "*batch points channels"]:
        """The values on a part of the target, if that is a grid.

        Args:
            values: bare values on the source, of the full batch.
            part: the cells along each axis.
        """
        wide = torch.promote_types(values.dtype, torch.float32)
        factors = zip(self._factors.like(values.to(wide)), part, strict=True)
        return separable(values.to(wide), [f[along] for f, along in factors]).to(values.dtype)

    def _product(self, values: Tensor, *, transpose: bool) -> Tensor:
        if not isinstance(self.target, Grid):
            return multiply(self._corners, values, transpose=transpose)
        factors = self._factors.like(values)
        return separable(values, [f.mT for f in factors] if transpose else factors)


@final
@dataclass(frozen=True)
class KernelSmoother(MatrixOperator):
    r"""The average over the points in a Gaussian window around each node of a grid.

    .. math:: (A v)(g) = \frac{\sum_y w_y\, k(g - y)\, v(y)}{\sum_y w_y\, k(g - y)}, \qquad
              k(z) = e^{-|z|^2 / 2 w^2}

    It keeps constants. Nothing that counts is cut off: a window ends at 9 widths along each axis,
    and a node that no point is near takes the average of the nearest points. Points on a lattice
    cost one matrix product an axis. Scattered ones cost time and memory linear in the points and in
    the nodes, as each point meets only the nodes within its window's reach.

    Args:
        source: the points.
        target: the grid, in the same domain.
        width: the standard deviation :math:`w` of the window, in the domain's units.

    Raises:
        ValueError: if the width is not a finite number above zero, the target is not a grid on a
            box, or the two domains differ; when applied, if a node is so far from all points (about
            12 widths) that the window vanishes in float32.

    Example:
        >>> subset = Subset(Grid((8,)), torch.tensor([0, 3, 5]))
        >>> f = Function(subset, torch.tensor([[1.0], [2.0], [3.0]]))
        >>> KernelSmoother(subset, Grid((4,)), width=0.05)(f).values.flatten()
        tensor([1.0000, 2.0000, 2.9981, 3.0000])
    """

    source: Discretisation
    target: Grid
    width: Real

    def __post_init__(self) -> None:
        object.__setattr__(self, "width", length(self.width, "The width of a KernelSmoother"))
        require_discretisation(self.source, "The source of a KernelSmoother")
        _check_grid(self.target, "KernelSmoother goes to")
        _check_box(self.target.domain, "KernelSmoother")
        _check_ends(self.source, self.target)

    def part_of_sums(
        self, values: Float[Tensor, "*batch points channels"], part: Sequence[slice]
    ) -> Float[Tensor, "*batch nodes channels"]:
        """What the points of a part of the source, if that is a grid, add to the sums at all nodes.

        Args:
            values: bare values on the part.
            part: its cells along each axis.

        Returns:
            Sums without their normaliser, in float32 or float64; see :meth:`averages_of`.
        """
        values = values.to(torch.promote_types(values.dtype, torch.float32))
        factors = zip(self._lattice.like(values), part, strict=True)
        return separable(values, [f[:, along] for f, along in factors])

    def averages_of(
        self, sums: Float[Tensor, "*batch nodes channels"]
    ) -> Float[Tensor, "*batch nodes channels"]:
        """The averages, given the sums over all points.

        Raises:
            ValueError: as applying the operator.
        """
        (inverse_mass,) = self._inverse_mass.like(sums)
        return sums * inverse_mass

    @prepared
    def _lattice(self) -> Constants:
        assert not isinstance(self.source, Scattered)
        grid = self.source.grid if isinstance(self.source, Subset) else self.source
        target = self.target
        axes = [distances(target.axis(a), grid.axis(a), target, a) for a in range(grid.dim)]
        return Constants([self._window(distance) for distance in axes])

    @prepared
    def _scattered(self) -> WindowMatrix:
        points, weights = self.source.points, self.source.weights
        relative = weights / weights.amax(-1, keepdim=True)
        reach = REACH * self.width
        return WindowMatrix(points, relative, self.target, self._window, reach)

    @prepared
    def _inverse_mass(self) -> Constants:
        shape = (*self.source.shape_of_points, 1)
        device = self.source.weights.device
        mass = self._sum(torch.ones(shape, dtype=torch.float64, device=device), transpose=False)
        empty = int((mass < LEAST_MASS).sum())
        if empty:
            raise ValueError(
                f"{empty} of {mass.numel()} nodes of Grid({self.target.shape}) are so far from all "
                f"points that no window of width {self.width} reaches one. Take a larger width, "
                "more points or a coarser grid."
            )
        return Constants([1.0 / mass])

    @prepared
    def _places(self) -> SparseMatrix:
        assert isinstance(self.source, Subset)
        columns = self.source.index.unsqueeze(-1)
        return SparseMatrix(
            columns, torch.ones_like(columns, dtype=torch.float64), self.source.grid.size
        )

    def _window(self, distance: Tensor) -> Tensor:
        distance = distance / self.width
        return torch.where(distance <= REACH, (-0.5 * distance**2).exp(), 0.0)

    def _sum(self, values: Tensor, *, transpose: bool) -> Tensor:
        if isinstance(self.source, Scattered):
            return multiply(self._scattered, values, transpose=transpose)
        factors = self._lattice.like(values)
        taken = isinstance(self.source, Subset)
        if transpose:
            lattice = separable(values, [f.mT for f in factors])
            return multiply(self._places, lattice) if taken else lattice
        lattice = multiply(self._places, values, transpose=True) if taken else values
        return separable(lattice, factors)

    def _product(self, values: Tensor, *, transpose: bool) -> Tensor:
        if transpose:
            return self._sum(self.averages_of(values), transpose=True)
        return self.averages_of(self._sum(values, transpose=False))


@final
@dataclass(frozen=True)
class NearestNeighbours(MatrixOperator):
    r"""The paper's rule: the :math:`k` nearest points, weighted by inverse square distance.

    .. math:: (A v)(g) = \sum_{j=1}^k c_j\, v(y_j), \qquad c_j \propto |g - y_j|^{-2},

    and a point on the node has the weight one. Its window narrows as points are added, so that a
    network trained on few points meets other statistics on many: :class:`KernelSmoother` does not
    have this fault, and this rule is here to compare with. Points of weight zero are not there.
    Among points of equal distance, as on a lattice, any may be taken. They are found by cells, in
    time linear in the points and in the nodes if the points are of even density.

    Args:
        source: the points.
        target: the grid, in the same domain.
        k: the number of neighbours.

    Raises:
        ValueError: if there are fewer than :math:`k` points in a sample, the target is not a grid
            on a box, or the two domains differ.

    Example:
        >>> points = Scattered(torch.tensor([[0.25], [0.35], [0.95]]))
        >>> f = Function(points, torch.tensor([[1.0], [2.0], [3.0]]))
        >>> NearestNeighbours(points, Grid((2,)), k=2)(f).values[0].item()
        1.0
    """

    source: Discretisation
    target: Grid
    k: int = 3

    def __post_init__(self) -> None:
        object.__setattr__(self, "k", whole(self.k, "The number of neighbours"))
        require_discretisation(self.source, "The source of NearestNeighbours")
        _check_grid(self.target, "NearestNeighbours goes to")
        _check_box(self.target.domain, "NearestNeighbours")
        _check_ends(self.source, self.target)
        fewest = int((self.source.weights > 0).sum(-1).min())
        if fewest < self.k:
            raise ValueError(
                f"{self.k} nearest neighbours need as many points of positive weight; a sample has "
                f"{fewest}. Take more points or a smaller k."
            )

    @prepared
    def _neighbours(self) -> SparseMatrix:
        points = self.source.points.reshape(-1, self.source.size, self.target.dim)
        present = self.source.weights.reshape(-1, self.source.size) > 0
        columns, squares = nearest(points, present, self.target, self.k)
        least = squares[..., :1]
        closeness = torch.where(squares == least, 1.0, least / squares)
        entries = closeness / closeness.sum(-1, keepdim=True)
        return SparseMatrix(columns, entries, self.source.size)

    def _product(self, values: Tensor, *, transpose: bool) -> Tensor:
        return multiply(self._neighbours, values, transpose=transpose)


def interpolate(f: Function, on: Discretisation, *, method: str = "linear") -> Function:
    """The same function elsewhere, interpolated between the centres of its grid's cells.

    Args:
        f: a function on a grid.
        on: where to interpolate to, in the same domain.
        method: ``"linear"``, which is :class:`Interpolation`.

    Raises:
        ValueError: if the function does not live on a grid, the domains differ, or the method is
            unknown.

    Example:
        >>> grid = Grid((4, 4))
        >>> f = Function(grid, grid.points)
        >>> interpolate(f, Scattered(torch.tensor([[0.3, 0.6]]))).values
        tensor([[0.3000, 0.6000]], dtype=torch.float64)
    """
    choice(method, METHODS, "The method of interpolation")
    require_function(f, "What is interpolated")
    if not isinstance(f.on, Grid):
        raise _not_a_grid(f.on, "Interpolation starts from")
    return Interpolation(f.on, on)(f)


def _between(points: Tensor, grid: Grid, a: int) -> tuple[Tensor, Tensor]:
    """The two centres around a point along an axis, and their parts, both ``(*points, 2)``."""
    count, boundary = grid.shape[a], grid.domain.boundaries[a]
    place = points / grid.spacing[a] - 0.5
    inside = place if boundary == "periodic" else place.clamp(0, count - 1)
    lower = inside.floor()
    if boundary != "periodic":
        lower = lower.clamp(max=max(count - 2, 0))
    parts = torch.stack([1.0 - (inside - lower), inside - lower], -1)
    if boundary == "absorbing":
        parts = parts * (1.0 - 2.0 * (place - inside).abs()).clamp(min=0.0).unsqueeze(-1)
    sides = torch.stack([lower, lower + 1], -1).long()
    return (sides % count if boundary == "periodic" else sides.clamp(max=count - 1)), parts


def _check_box(domain: Domain, what: str) -> None:
    if isinstance(domain, Point):
        raise ValueError(
            f"{what} takes the points of a Box; on a Point() there is nothing to do. Leave it out."
        )


def _check_grid(on: object, what: str) -> None:
    if not isinstance(on, Grid):
        raise _not_a_grid(on, what)


def _not_a_grid(on: object, what: str) -> ValueError:
    return ValueError(f"{what} a Grid; got {shown(on)}.")


def _check_ends(source: Discretisation, target: Discretisation) -> None:
    if source.domain != target.domain:
        raise ValueError(
            f"A transfer stays in one domain; got {source.domain} and {target.domain}. Take both "
            "in one."
        )
    for on in (source, target):
        check_size(math.prod(on.shape_of_points), "The points of a transfer")
