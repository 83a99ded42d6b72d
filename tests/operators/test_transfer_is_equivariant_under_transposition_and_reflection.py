"""Exchanging the axes, or turning one round, before or after a transfer makes no difference."""

import pytest
import torch
from functions import function, values
from torch.testing import assert_close

from inftydiff.operators import Box, Function, Grid, Interpolation, KernelSmoother, Scattered

BOX, TURNED = Box((1.0, 0.7)), Box((0.7, 1.0))


def transposed(f: Function) -> Function:
    assert isinstance(f.on, Grid)
    on = Grid(f.on.shape[::-1], Box(f.on.domain.lengths[::-1]))
    return Function(on, f.to_image().mT.flatten(-2).mT)


def reflected(f: Function) -> Function:
    return Function(f.on, f.to_image().flip(-2).flatten(-2).mT)


def points(seed: int) -> torch.Tensor:
    sides = torch.tensor(BOX.lengths, dtype=torch.float64)
    return torch.special.ndtr(values(seed, 20, 2)) * sides


@pytest.mark.parametrize(("coarse", "fine"), [((4, 5), (9, 7)), ((6, 3), (6, 4))])
def test_between_grids(coarse, fine):
    f = function(Grid(fine, BOX), 0, 2)
    up, pool = Interpolation(f.on, Grid(coarse, BOX)), KernelSmoother(f.on, Grid(coarse, BOX), 0.2)
    turned = Grid(fine[::-1], TURNED), Grid(coarse[::-1], TURNED)
    for one, other in ((up, Interpolation(*turned)), (pool, KernelSmoother(*turned, 0.2))):
        assert_close(other(transposed(f)).values, transposed(one(f)).values, rtol=0, atol=1e-12)
        assert_close(one(reflected(f)).values, reflected(one(f)).values, rtol=0, atol=1e-12)


def test_from_a_grid_to_points():
    f, x = function(Grid((4, 5), BOX), 0, 2), points(1)
    expected = Interpolation(f.on, Scattered(x, domain=BOX)).apply_values(f.values)
    g = transposed(f)
    turned = Interpolation(g.on, Scattered(x.flip(-1), domain=TURNED))
    assert_close(turned(g).values, expected, rtol=0, atol=1e-12)
    mirrored = x * torch.tensor([-1.0, 1.0]) + torch.tensor([1.0, 0.0])
    back = Interpolation(f.on, Scattered(mirrored, domain=BOX))
    assert_close(back(reflected(f)).values, expected, rtol=0, atol=1e-12)


def test_from_points_to_a_grid():
    x, v, nodes = points(1), values(2, 20, 3), Grid((4, 5), BOX)
    f = KernelSmoother(Scattered(x, domain=BOX), nodes, 0.2)(Function(Scattered(x, domain=BOX), v))
    turned = Scattered(x.flip(-1), domain=TURNED)
    g = KernelSmoother(turned, Grid((5, 4), TURNED), 0.2)(Function(turned, v))
    assert_close(g.values, transposed(f).values, rtol=0, atol=1e-12)
