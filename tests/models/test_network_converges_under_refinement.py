"""Read at fixed points, a network's answer to a smooth function converges at second order.

The grids N, 3N and 9N share the points of the first; the difference of two answers falls by nine.
"""

import math

import pytest
import torch
from networks import network

from inftydiff import Function, Grid

BASE = 16


def smooth(n: int) -> Function:
    """Three waves on a grid of n² cells."""
    grid = Grid((n, n))
    x, y = grid.points.unbind(-1)
    waves = [torch.sin(3 * x + y), torch.cos(5 * x * y), torch.exp(-3 * (x - y) ** 2)]
    return Function(grid, 0.3 * torch.stack(waves, -1)[None])


def read(f: Function) -> torch.Tensor:
    """The values at the cell centres of the coarsest grid, of shape (channels, BASE, BASE)."""
    step = f.on.shape[0] // BASE
    return f.to_image()[0, :, step // 2 :: step, step // 2 :: step]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_answer_converges_at_second_order(seed: int):
    net, t = network(seed), torch.tensor([0.4], dtype=torch.float64)
    with torch.no_grad():
        coarse, middle, fine = (read(net(smooth(n), t)) for n in (BASE, 3 * BASE, 9 * BASE))
    first, second = (middle - coarse).norm(), (fine - middle).norm()
    assert second < 0.02 * fine.norm()
    assert 1.8 < math.log(first / second, 3) < 2.5
