r"""Evaluation: the values of an operator's image at its points, as functionals.

.. math:: y_p = (A f)(x_p), \qquad A^*_{\mathbb R^m} y = A^* (W^{-1} y),

with :math:`A^*` the adjoint in the weighted inner products and :math:`W` the quadrature weights of
the points that :math:`A` goes to. A mask, sensors anywhere, pictures of low resolution (averages
over cells, or point values) and blurred ones are of this kind:

==========================================  ================================================
``known_points(mask, on=grid)``             the values in the cells of a mask
``point_values(points, on=grid)``           those at any points, interpolated
``cell_averages(coarse, on=grid)``          averages over the cells of a coarser grid
``Evaluation(blur, grid)``                  a blurred function, everywhere
``point_values(points, on=grid) @ blur``    a blurred function, at some points
==========================================  ================================================
"""

from dataclasses import dataclass, field
from typing import final

import torch
from torch import Tensor

from inftydiff._typing import check_size, instance, kind_of
from inftydiff.operators._matrices import SparseMatrix, multiply, prepared
from inftydiff.operators._matrix_operator import MatrixOperator
from inftydiff.operators.cells import blocks
from inftydiff.operators.discretisation import (
    Discretisation,
    Grid,
    Subset,
    described,
    require_grid,
)
from inftydiff.operators.function import Function
from inftydiff.operators.functionals import Functionals
from inftydiff.operators.linear import LinearOperator, require_operator
from inftydiff.operators.transfer import Interpolation

__all__ = [
    "CellAverages",
    "Evaluation",
    "Restriction",
    "cell_averages",
    "known_points",
    "point_values",
]


@final
@dataclass(frozen=True)
class Evaluation(Functionals):
    """The values of an operator's image, one functional a point.

    Args:
        operator: a linear operator that acts on functions on the grid.
        on: the grid.

    Raises:
        TypeError: if the operator or the grid is another thing.
        ValueError: if the operator goes to one set of points a sample, or to points of weight zero.

    Example:
        >>> from inftydiff import Identity
        >>> grid = Grid((4,))
        >>> read = Evaluation(2.0 * Identity(), grid)
        >>> read.size, read(Function(grid, grid.points)).flatten().tolist()
        (4, [0.25, 0.75, 1.25, 1.75])
    """

    operator: LinearOperator
    on: Grid
    to: Discretisation = field(init=False, repr=False)

    def __post_init__(self) -> None:
        require_operator(self.operator, "What is evaluated")
        require_grid(self.on, "The grid of an evaluation")
        check_size(self.on.size, "The points of a grid")
        nothing = Function(self.on, torch.zeros(self.on.size, 1, dtype=torch.float64))
        to = self.operator(nothing).on
        if len(to.shape_of_points) > 1:
            raise ValueError(
                "Functionals are the same for all samples; got points of shape "
                f"{to.shape_of_points}. Observe one sample at a time."
            )
        if not bool((to.weights > 0).all()):
            raise ValueError(
                f"A point of {described(to)} has the weight zero; what is read there has no "
                "adjoint. Leave the weights out."
            )
        object.__setattr__(self, "to", to)

    @property
    def size(self) -> int:
        return self.to.size

    def _read(self, f: Function) -> Tensor:
        return self.operator(f).values

    def _adjoint(self, y: Tensor) -> Function:
        return self.operator.adjoint(Function(self.to, y / self.to.weights.to(y).unsqueeze(-1)))


@final
@dataclass(frozen=True)
class Restriction(MatrixOperator):
    """The values at some points of a grid: ``Function.restrict`` as an operator.

    Args:
        source: the grid.
        target: a subset of it.

    Raises:
        TypeError: if they are other things.
        ValueError: if the subset is another grid's.

    Example:
        >>> grid = Grid((4,))
        >>> some = Restriction(grid, Subset(grid, torch.tensor([3, 0])))
        >>> some(Function(grid, grid.points)).values.flatten().tolist()
        [0.875, 0.125]
    """

    source: Grid
    target: Subset

    def __post_init__(self) -> None:
        require_grid(self.source, "The source of a restriction")
        instance(self.target, Subset, "The target of a restriction")
        if self.target.grid != self.source:
            raise ValueError(
                f"A restriction goes from a grid to a subset of it; got {described(self.source)} "
                f"and {described(self.target)}."
            )

    @prepared
    def _places(self) -> SparseMatrix:
        columns = self.target.index.unsqueeze(-1)
        entries = torch.ones_like(columns, dtype=torch.float64)
        return SparseMatrix(columns, entries, self.source.size)

    def _product(self, values: Tensor, *, transpose: bool) -> Tensor:
        return multiply(self._places, values, transpose=transpose)


@final
@dataclass(frozen=True)
class CellAverages(MatrixOperator):
    """The averages over the cells of a coarser grid: ``coarsen`` as an operator.

    Args:
        source: the grid.
        target: one that it refines by whole factors, on the same domain.

    Raises:
        TypeError: if the source is no Grid.
        ValueError: if it is no refinement.

    Example:
        >>> average = CellAverages(Grid((4,)), Grid((2,)))
        >>> average(Function(Grid((4,)), torch.tensor([[1.0], [3.0], [5.0], [9.0]]))).values.T
        tensor([[2., 7.]])
    """

    source: Grid
    target: Grid

    def __post_init__(self) -> None:
        blocks(self.source, self.target)

    def _product(self, values: Tensor, *, transpose: bool) -> Tensor:
        first, axes = values.ndim - 2, range(self.source.dim)
        counts = blocks(self.source, self.target)
        if not transpose:
            inner = tuple(first + 2 * a + 1 for a in axes)
            cut = values.unflatten(first, counts)
            return cut.mean(inner).flatten(first, first + self.source.dim - 1)
        cut = values.unflatten(first, self.target.shape)
        for a in axes:
            cut = cut.repeat_interleave(counts[2 * a + 1], first + a)
        share = self.target.size / self.source.size
        return cut.flatten(first, first + self.source.dim - 1) * share


def known_points(mask: Tensor, *, on: Grid) -> Evaluation:
    """The values in the cells where a mask is true.

    Args:
        mask: booleans of the grid's shape, or one a point, row-major; true where a value is known.
        on: the grid.

    Raises:
        TypeError: if the mask is not boolean, or the grid no Grid.
        ValueError: if it has another shape, or is true nowhere.

    Example:
        >>> grid = Grid((2, 2))
        >>> read = known_points(torch.tensor([[True, False], [False, True]]), on=grid)
        >>> read(Function(grid, grid.points)).tolist()
        [[0.25, 0.25], [0.75, 0.75]]
    """
    require_grid(on, "The grid of a mask")
    if not isinstance(mask, Tensor) or mask.dtype != torch.bool or mask.is_meta:
        raise TypeError(
            f"A mask is boolean, true where a value is known; got {kind_of(mask)}. Compare a "
            "tensor, as in mask > 0."
        )
    if tuple(mask.shape) not in (on.shape, (on.size,)):
        raise ValueError(
            f"A mask for {described(on)} has the shape {on.shape} or ({on.size},); got "
            f"{tuple(mask.shape)}."
        )
    index = mask.flatten().nonzero().squeeze(-1)
    if not len(index):
        raise ValueError("The mask is true nowhere: nothing is observed. Sample without it.")
    return Evaluation(Restriction(on, Subset(on, index)), on)


def point_values(points: Discretisation, *, on: Grid) -> Evaluation:
    """The values at points: at a subset of the grid as they are, elsewhere interpolated linearly.

    Args:
        points: sensors, or a coarser grid; one set for all samples.
        on: the grid, on the same domain.

    Raises:
        ValueError: if the points lie in another domain, or there is one set a sample.

    Example:
        >>> from inftydiff import Scattered
        >>> grid = Grid((4, 4))
        >>> read = point_values(Scattered(torch.tensor([[0.3, 0.6]])), on=grid)
        >>> read(Function(grid, grid.points)).tolist()
        [[0.3..., 0.6...]]
    """
    if isinstance(points, Subset) and points.grid == on:
        return Evaluation(Restriction(on, points), on)
    return Evaluation(Interpolation(on, points), on)


def cell_averages(coarse: Grid, *, on: Grid) -> Evaluation:
    """The averages over the cells of a coarser grid, as a picture of low resolution has them.

    Args:
        coarse: the coarser grid.
        on: a refinement of it by whole factors.

    Raises:
        ValueError: if it is no refinement.

    Example:
        >>> cell_averages(Grid((2, 2)), on=Grid((6, 4))).size
        4
    """
    return Evaluation(CellAverages(on, coarse), on)
