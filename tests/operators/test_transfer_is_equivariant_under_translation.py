"""Points moved by whole cells of both lattices carry their values to nodes moved as far."""

import pytest
import torch
from functions import values
from torch.testing import assert_close

from inftydiff.operators import (
    Function,
    Grid,
    Interpolation,
    KernelSmoother,
    NearestNeighbours,
    Subset,
)

FINE, NODES = Grid((24, 36)), Grid((8, 12))
MOVED = (2, 3)


def block(row: int, column: int, height: int, width: int) -> torch.Tensor:
    """The indices, on the fine grid, of a block of its points."""
    rows, columns = torch.arange(row, row + height), torch.arange(column, column + width)
    return (rows[:, None] * 36 + columns).flatten()


def carried(row: int, column: int, kind: type, *settings: float) -> torch.Tensor:
    on = Subset(FINE, block(row, column, 6, 9)[values(1, 54).argsort()[:20]])
    return kind(on, NODES, *settings)(Function(on, values(0, 20, 2))).to_image()


@pytest.mark.parametrize(
    ("kind", "settings"), [(KernelSmoother, (0.1,)), (NearestNeighbours, (1,))]
)
def test_from_points_to_nodes(kind, settings):
    rows, columns = MOVED
    first = carried(0, 0, kind, *settings)
    second = carried(3 * rows, 3 * columns, kind, *settings)
    assert_close(second[:, rows:, columns:], first[:, :-rows, :-columns], rtol=0, atol=1e-12)


def test_from_nodes_to_points():
    rows, columns = MOVED
    x = values(0, 1, *NODES.shape)
    first = Subset(FINE, block(5, 5, 6, 9))
    second = Subset(FINE, block(5 + 3 * rows, 5 + 3 * columns, 6, 9))
    moved = x.roll(MOVED, dims=(1, 2))
    results = [
        Interpolation(NODES, on)(Function.from_image(image, NODES.domain)).values
        for on, image in ((first, x), (second, moved))
    ]
    assert_close(results[1], results[0], rtol=0, atol=1e-12)
