"""The neighbour map: what the local operator knows of the points, built once for all layers."""

from dataclasses import dataclass
from fractions import Fraction
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from inftydiff.operators.discretisation import Grid, Subset
from inftydiff.operators.local.definition import check_reflecting, lattice_ratio, odd, sides
from inftydiff.operators.local.dense import DirectNumerator, lattice_mass
from inftydiff.operators.local.embedded import EmbeddedNumerator, scatter, take
from inftydiff.operators.local.factorised import FactorisedNumerator
from inftydiff.operators.local.masked import masked
from inftydiff.operators.local.numerator import Numerator
from inftydiff.operators.local.pairs import pairs

__all__ = ["Neighbours", "neighbours"]

_DENSE = 1 / 6
"""The density of points from which convolving their lattice is faster than visiting their pairs."""


@final
@dataclass(frozen=True, eq=False)
class Neighbours:
    r"""The points of a grid or a subset that see each other through a kernel's window.

    Made by ``neighbours``, and shared by every layer that acts at these points.

    Args:
        on: the discretisation.
        size: the number of nodes k of the kernel's table along each axis.
        cell: the side lengths of the reference cell, in the domain's units.
        mass: the normaliser :math:`\sum_y \chi(c - y)`, the number of points seen, of shape
            ``(*samples, points)``, float64.
        numerator: how the numerator is computed.
    """

    on: Grid | Subset
    size: int
    cell: tuple[float, ...]
    mass: Float[Tensor, "*samples points"]
    numerator: Numerator


def neighbours(
    on: Grid | Subset,
    *,
    size: int,
    cell: float | tuple[float, ...],
    device: torch.device | str | None = None,
) -> Neighbours:
    """Build the neighbour map of a discretisation.

    Args:
        on: a grid, or a subset of one with an index of shape ``(points,)`` or ``(batch, points)``.
        size: the number of nodes k of the kernel's table along each axis, odd.
        cell: the side lengths of the reference cell (the distance of two nodes of the table) in the
            domain's units; one number stands for every axis.
        device: where the map is kept; by default with the index of a subset, and on the CPU for a
            grid.

    Raises:
        ValueError: if the size is even, the cell has another dimension or a side not above zero, or
            the domain is no box with reflecting sides.
        TypeError: if the points are scattered.

    Example:
        >>> neighbours(Grid((2, 3)), size=3, cell=(1 / 2, 1 / 3)).mass.tolist()
        [4.0, 6.0, 4.0, 4.0, 6.0, 4.0]
    """
    if not isinstance(on, Grid | Subset):
        raise TypeError(
            f"A neighbour map is built for a Grid or a Subset; got {type(on).__name__}. Scattered "
            "points go through LocalOperator, or reference."
        )
    grid = on if isinstance(on, Grid) else on.grid
    check_reflecting(grid.domain)
    size = odd(size)
    lengths = sides(cell, grid.dim)
    ratios = tuple(map(lattice_ratio, lengths, grid.spacing))
    if isinstance(on, Grid):
        present = torch.ones(1, *grid.shape, dtype=torch.float64, device=device)
        mass = lattice_mass(present, size, ratios).flatten()
        return Neighbours(on, size, lengths, mass, _on_grid(grid, ratios))
    index = on.index.to(device)
    samples = index.reshape(-1, on.size)
    ones = torch.ones(*samples.shape, 1, dtype=torch.float64, device=index.device)
    present = scatter(ones, samples, grid.size).reshape(-1, *grid.shape)
    everywhere = lattice_mass(present, size, ratios).reshape(len(samples), -1, 1)
    mass = take(everywhere, samples).reshape(index.shape)
    return Neighbours(on, size, lengths, mass, _on_subset(samples, grid, size, ratios))


def _on_grid(grid: Grid, ratios: tuple[Fraction, ...]) -> Numerator:
    if all(ratio.denominator == 1 for ratio in ratios) and max(ratios) > 1:
        return FactorisedNumerator(grid.shape, tuple(map(int, ratios)))
    return DirectNumerator(grid.shape, ratios)


def _on_subset(
    samples: Int[Tensor, "samples points"], grid: Grid, size: int, ratios: tuple[Fraction, ...]
) -> Numerator:
    if max(ratios) > 1:
        return EmbeddedNumerator(samples, grid.size, _on_grid(grid, ratios))
    prepare = pairs if samples.shape[1] < _DENSE * grid.size else masked
    return prepare(samples, grid.shape, ratios, size)
