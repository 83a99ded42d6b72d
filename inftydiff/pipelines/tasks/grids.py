"""The grid that a task is computed on, between that of what is known and that of the answer.

Pictures are averages over cells, and cells are averaged exactly where one grid refines another.
So a task is computed on a refinement of the picture's grid, no coarser than the answer nor than
the grid that the network was trained on, and the answer is read from there: by averages over its
cells where they are whole, else by linear interpolation.
"""

import math

from inftydiff._typing import instance
from inftydiff.operators import Function, Grid, interpolate
from inftydiff.operators.cells import coarsen, refine
from inftydiff.operators.transfer import NearestNeighbours
from inftydiff.pipelines.infty_diff import InftyDiff
from inftydiff.processes.checks import a_grid

__all__ = ["filled", "grid_between", "read_on", "refines", "require_domain", "require_model"]

MORE = 1.5
"""A grid with so many times the cells a side is taken, if whole cells of the answer need it."""


def refines(fine: Grid, coarse: Grid) -> bool:
    """Whether each cell of one grid is cut into whole cells of the other.

    Example:
        >>> refines(Grid((6, 4)), Grid((3, 4))), refines(Grid((6, 4)), Grid((4, 4)))
        (True, False)
    """
    return fine.domain == coarse.domain and all(
        n % cells == 0 for n, cells in zip(fine.shape, coarse.shape, strict=True)
    )


def grid_between(model: InftyDiff, known: Grid, on: Grid) -> Grid:
    """The refinement of the grid of what is known that a task is computed on.

    Args:
        model: the model.
        known: the grid of a picture.
        on: the grid of the answer.

    Raises:
        ValueError: if a grid is not on the model's domain.
    """
    for grid in (known, on):
        require_domain(model, grid)
    trained = model.config.training_resolution or 1
    needed = [max(trained / max(known.shape), 1.0)]
    needed += [n / cells for n, cells in zip(on.shape, known.shape, strict=True)]
    least = math.ceil(max(needed) - 1e-9)
    for factor in range(least, math.floor(MORE * least) + 1):
        if refines(refine(known, factor), on):
            return refine(known, factor)
    return refine(known, least)


def require_model(model: InftyDiff) -> InftyDiff:
    """Return ``model``, refusing what is none.

    Raises:
        TypeError: if it is another thing.
    """
    return instance(model, InftyDiff, "A model", "Make one: InftyDiff.from_pretrained(folder).")


def require_domain(model: InftyDiff, grid: Grid) -> None:
    """Refuse a grid that is not on the model's domain.

    Raises:
        ValueError: if so.
    """
    require_model(model)
    a_grid(grid)
    if grid.domain != model.config.domain:
        raise ValueError(
            f"This model's functions live on {model.config.domain}; got one on "
            f"{grid.domain}. Crop the picture to these proportions, or make its grid by "
            "model.grid."
        )


def read_on(f: Function, on: Grid) -> Function:
    """A function on a grid no finer than its own: averages over cells, or point values.

    Args:
        f: functions on a grid.
        on: where they are wanted.
    """
    assert isinstance(f.on, Grid)
    return coarsen(f, on) if refines(f.on, on) else interpolate(f, on)


def filled(known: Function, on: Grid) -> Function:
    """Functions known at some points, on a whole grid: averages of the nearest points.

    An encoder reads functions that have points everywhere.

    Args:
        known: functions at points that are the same for all.
        on: the grid.
    """
    nearest = NearestNeighbours(known.on, on, k=min(3, known.on.size))
    return nearest(known)
