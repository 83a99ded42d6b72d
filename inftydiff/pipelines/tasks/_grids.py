r"""The grid that a task is computed on, between that of what is known and that of the answer.

Pictures are averages over cells, and cells are averaged exactly where one grid refines another.
So a task is computed on a refinement of the picture's grid, no coarser than the answer nor than
the grid that the network was trained on, and the answer is read from there: by averages over its
cells where they are whole, else by linear interpolation.

What is known of pictures are averages over some cells, of functions on a refinement. With the cells
:math:`Q_c` of a picture's grid, of which those of a mask are known,

.. math:: A f = \Bigl(\frac1{|Q_c|}\int_{Q_c} f\Bigr)_{c \text{ known}}, \qquad
          f \mapsto f + \sum_{c \text{ known}} \bigl(y_c - (A f)_c\bigr)\, 1_{Q_c}

puts the known values back: the least change in :math:`L^2` that does.
"""

import math

import torch
from jaxtyping import Bool
from torch import Tensor

from inftydiff._typing import instance
from inftydiff.operators import (
    Function,
    Functionals,
    Grid,
    Subset,
    cell_averages,
    interpolate,
    known_points,
)
from inftydiff.operators.cells import coarsen, refine
from inftydiff.operators.discretisation import described
from inftydiff.operators.evaluation import CellAverages, Evaluation, Restriction
from inftydiff.operators.transfer import NearestNeighbours
from inftydiff.pipelines.infty_diff import InftyDiff
from inftydiff.processes._checks import a_grid

__all__ = [
    "data_consistency",
    "filled",
    "grid_between",
    "known_cells",
    "read_on",
    "refines",
    "require_channels",
    "require_domain",
    "require_model",
    "require_pictures",
]

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


def known_cells(mask: Bool[Tensor, "points"] | None, *, of: Grid, on: Grid) -> Functionals:
    """The averages over some cells of a grid, of functions on a refinement of it.

    Args:
        mask: which cells, one boolean a cell; None for all.
        of: the grid.
        on: the refinement.

    Raises:
        ValueError: if the mask is true nowhere, or the second grid is no refinement.
    """
    if mask is None:
        return cell_averages(of, on=on)
    if of == on:
        return known_points(mask, on=on)
    index = mask.nonzero().squeeze(-1)
    if not len(index):
        raise ValueError("The mask is true nowhere: nothing is observed. Sample without it.")
    return Evaluation(Restriction(of, Subset(of, index)) @ CellAverages(on, of), on)


def data_consistency(f: Function, known: Function, mask: Bool[Tensor, "points"] | None) -> Function:
    """Functions whose averages over known cells are the known ones.

    Args:
        f: functions on a refinement of the cells' grid, values of shape ``(pictures, samples,
            points, channels)``.
        known: the averages, values of shape ``(pictures, cells, channels)``.
        mask: which of them are known, one boolean a cell; None for all.
    """
    assert isinstance(f.on, Grid)
    assert isinstance(known.on, Grid)
    average = CellAverages(f.on, known.on)
    missing = known.values.unsqueeze(1).to(f.values) - average(f).values
    if mask is not None:
        missing = torch.where(mask.to(missing.device).unsqueeze(-1), missing, 0.0)
    return f + average.adjoint(Function(known.on, missing))


def require_pictures(model: InftyDiff, x: Function) -> Grid:
    """The grid of pictures, refusing what a model cannot take.

    Args:
        model: the model.
        x: pictures, values of shape ``(pictures, points, channels)``.

    Raises:
        TypeError: if they do not live on a grid.
        ValueError: if they live on another domain than the model's functions, have other channels,
            or there is not one axis of pictures.
    """
    if not isinstance(x.on, Grid):
        raise TypeError(
            f"A picture lives on a Grid; got a function on {described(x.on)}. Take from_sensors."
        )
    require_domain(model, x.on)
    require_channels(model, x)
    return x.on


def require_channels(model: InftyDiff, x: Function) -> None:
    """Refuse functions that have not the model's channels and one axis of pictures.

    Raises:
        ValueError: if so.
    """
    if len(x.batch) != 1 or x.channels != model.config.channels:
        raise ValueError(
            f"This model's functions have values of shape (pictures, points, "
            f"{model.config.channels}); got {tuple(x.values.shape)}."
        )
