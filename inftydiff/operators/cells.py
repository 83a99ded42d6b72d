r"""Averages over the cells of a grid, from the values on a refinement of it.

.. math:: \bar f(c) = \frac1{|\mathrm{cell}(c)|}\int_{\mathrm{cell}(c)} f

by the midpoint rule at the finer grid's points in each cell: the projection on what is constant in
cells. Pictures are such averages, and a renderer's pixels nearly are.
"""

from inftydiff._typing import kind_of, whole
from inftydiff.operators.discretisation import Grid, Scattered, Subset, described, require_grid
from inftydiff.operators.function import Function, require_function

__all__ = ["blocks", "coarsen", "refine"]


def refine(grid: Grid, factor: int) -> Grid:
    """The grid with each cell cut into ``factor`` cells along every axis.

    Raises:
        TypeError: if the grid is no Grid, or the factor no number.
        ValueError: if the factor is not a whole number of at least one.

    Example:
        >>> refine(Grid((2, 3)), 2).shape
        (4, 6)
    """
    require_grid(grid, "What is refined")
    factor = whole(factor, "A refinement's factor")
    return Grid(tuple(factor * cells for cells in grid.shape), grid.domain)


def coarsen(f: Function, grid: Grid) -> Function:
    """The averages of a function over the cells of a grid that its own refines.

    Args:
        f: a function on a grid, with values of shape ``(*batch, points, channels)``.
        grid: the coarser grid, on the same domain.

    Raises:
        TypeError: if the function is none.
        ValueError: if the function's grid is no refinement of the other by whole factors.

    Example:
        >>> import torch
        >>> f = Function(Grid((4,)), torch.tensor([[1.0], [3.0], [5.0], [9.0]]))
        >>> coarsen(f, Grid((2,))).values.T
        tensor([[2., 7.]])
    """
    require_function(f, "What is averaged")
    if not isinstance(f.on, Grid):
        raise _no_refinement(grid, f.on)
    cut = blocks(f.on, grid)
    if not cut:  # the point
        return f
    first = len(f.batch)
    values = f.values.unflatten(first, cut)
    inner = tuple(first + 2 * axis + 1 for axis in range(grid.dim))
    return Function(grid, values.mean(inner).flatten(first, first + grid.dim - 1))


def blocks(fine: Grid, coarse: Grid) -> list[int]:
    """For each axis, how many cells the coarser grid has and into how many each is cut.

    Raises:
        TypeError: if the finer grid is no Grid.
        ValueError: if the grid is no refinement of the other by whole factors.

    Example:
        >>> blocks(Grid((4, 6)), Grid((2, 2)))
        [2, 2, 2, 3]
    """
    require_grid(fine, "The finer grid")
    if (
        not isinstance(coarse, Grid)
        or fine.domain != coarse.domain
        or any(n % cells for n, cells in zip(fine.shape, coarse.shape, strict=True))
    ):
        raise _no_refinement(coarse, fine)
    pairs = zip(fine.shape, coarse.shape, strict=True)
    return [n for many, cells in pairs for n in (cells, many // cells)]


def _said(on: object) -> str:
    return described(on) if isinstance(on, Grid | Scattered | Subset) else kind_of(on)


def _no_refinement(grid: object, on: object) -> ValueError:
    return ValueError(
        f"Averages over the cells of {_said(grid)} are taken of a function on a refinement of it "
        f"by whole factors; got one on {_said(on)}."
    )
