"""On random subsets of a grid a network's answer tends to that on the grid, as Monte Carlo does.

With m of N points drawn without replacement the error falls as the root of 1/m − 1/N: from a
sixteenth of the points to a quarter by the root of five.
"""

import math

import pytest
import torch
from networks import network, subset_of

from inftydiff import Function, Grid

GRID = Grid((96, 96))


def waves() -> Function:
    x, y = GRID.points.unbind(-1)
    values = [torch.sin(3 * x + y), torch.cos(5 * x * y), torch.exp(-3 * (x - y) ** 2)]
    return Function(GRID, 0.3 * torch.stack(values, -1)[None])


@pytest.mark.parametrize("seed", [0, 1])
def test_the_error_falls_as_the_root_of_the_number_of_points(seed: int):
    net, f, t = network(seed), waves(), torch.tensor([0.4], dtype=torch.float64)

    def error(size: int) -> float:
        squares = []
        for draw in range(4):
            subset = subset_of(GRID, size, seed=draw, batch=None)
            truth = whole.restrict(subset)
            squares.append(((net(f.restrict(subset), t) - truth).norm() / truth.norm()).item() ** 2)
        return math.sqrt(sum(squares) / len(squares))

    with torch.no_grad():
        whole = net(f, t)
        sixteenth, quarter = error(GRID.size // 16), error(GRID.size // 4)
    assert quarter < 0.3
    assert 1.8 < sixteenth / quarter < 2.8
