"""The error of interpolating a smooth function with reflecting ends falls with the square of h."""

import pytest
import torch
from functions import grid

from inftydiff.operators import Function, Grid, interpolate

FINE = grid(128, 90)


def smooth(on: Grid) -> Function:
    x, y = (on.points / torch.tensor(on.domain.lengths) * torch.pi).unbind(-1)
    return Function(on, ((2 * x).cos() * y.cos() + (3 * y).cos()).unsqueeze(-1))


def error(n: int) -> float:
    return (interpolate(smooth(grid(n, n)), FINE) - smooth(FINE)).norm().item()


@pytest.mark.parametrize("n", [8, 16, 32])
def test_order(n):
    assert 3.7 < error(n) / error(2 * n) < 4.3
