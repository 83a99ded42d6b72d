r"""What is known of pictures: the averages over some cells, of functions on a refinement.

With the cells :math:`Q_c` of a picture's grid, of which those of a mask are known,

.. math:: A f = \Bigl(\frac1{|Q_c|}\int_{Q_c} f\Bigr)_{c \text{ known}}, \qquad
          f \mapsto f + \sum_{c \text{ known}} \bigl(y_c - (A f)_c\bigr)\, 1_{Q_c}

puts the known values back: the least change in :math:`L^2` that does.
"""

import torch
from jaxtyping import Bool
from torch import Tensor

from inftydiff.operators import Function, Functionals, Grid, Subset, cell_averages, known_points
from inftydiff.operators.evaluation import CellAverages, Evaluation, Restriction

__all__ = ["data_consistency", "known_cells"]


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
