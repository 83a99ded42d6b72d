"""A grid and the subset of all its points are the same function, and have the same answer."""

import pytest
import torch
from networks import functions, network, times

from inftydiff import Box, Function, Grid, Subset


@pytest.mark.parametrize(
    "grid",
    [Grid((16, 16)), Grid((32, 32)), Grid((48, 48)), Grid((16, 8), Box((1.0, 0.5)))],
    ids=lambda grid: "x".join(map(str, grid.shape)),
)
def test_all_points_in_random_order_answer_as_the_grid(grid: Grid):
    net, x, t = network(), functions(grid), times()
    order = torch.randperm(grid.size, generator=torch.Generator().manual_seed(0))
    sparse = Function(Subset(grid, order), x.values[:, order])
    torch.testing.assert_close(
        net(sparse, t).values, net(x, t).values[:, order], rtol=1e-9, atol=1e-9
    )
