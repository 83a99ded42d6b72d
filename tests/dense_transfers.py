"""The matrices of transfers from scattered points by their definitions, with all distances."""

import math

import torch
from torch import Tensor

from inftydiff.operators import Grid, Scattered

__all__ = ["REACH", "average", "squares", "windows"]

REACH = 9.0
"""Where a window ends along each axis, in widths."""


def along(on: Scattered, nodes: Grid) -> list[Tensor]:
    """Distances along each axis, of shape ``(*samples, nodes along the axis, points)``."""
    tables = []
    for a, (length, boundary) in enumerate(
        zip(nodes.domain.lengths, nodes.domain.boundaries, strict=True)
    ):
        distance = (nodes.axis(a)[:, None] - on.points[..., None, :, a]).abs()
        tables.append(distance.minimum(length - distance) if boundary == "periodic" else distance)
    return tables


def lattice(tables: list[Tensor], combine) -> Tensor:
    """One table from those of the axes, of shape ``(*samples, nodes, points)``."""
    result = tables[0]
    for table in tables[1:]:
        result = combine(result.unsqueeze(-2), table.unsqueeze(-3)).flatten(-3, -2)
    return result


def squares(on: Scattered, nodes: Grid) -> Tensor:
    """The squares of all distances; infinite to points of weight zero."""
    result = lattice([distance**2 for distance in along(on, nodes)], torch.add)
    return result.masked_fill(on.weights.unsqueeze(-2) == 0, math.inf)


def windows(on: Scattered, nodes: Grid, width: float) -> Tensor:
    """The numerators of the average's entries, in units of the largest weight."""
    tables = [
        torch.where(d / width <= REACH, (-0.5 * (d / width) ** 2).exp(), 0.0)
        for d in along(on, nodes)
    ]
    relative = on.weights / on.weights.amax(-1, keepdim=True)
    return lattice(tables, torch.mul) * relative.unsqueeze(-2)


def average(on: Scattered, nodes: Grid, width: float) -> Tensor:
    """The matrix of the average."""
    dense = windows(on, nodes, width)
    return dense / dense.sum(-1, keepdim=True)
