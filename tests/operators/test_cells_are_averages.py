"""A coarser grid has the averages over its cells, the projection on what is constant there."""

import pytest
import torch
from functions import values
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from inftydiff import Box, Function, Grid, Subset
from inftydiff.operators import coarsen, refine
from inftydiff.testing.strategies import grids, seeds


@given(grid=grids(most=5), factor=st.integers(1, 4), seed=seeds())
def test_they_are_the_means_of_the_points_in_each_cell(grid, factor, seed):
    fine = refine(grid, factor)
    f = Function(fine, values(seed % 1000, 2, fine.size, 3))
    spacing = torch.tensor(grid.spacing, dtype=torch.float64)
    cell = (fine.points / spacing).floor().long()
    flat = torch.zeros(fine.size, dtype=torch.long)
    for axis, cells in enumerate(grid.shape):
        flat = flat * cells + cell[:, axis]
    means = torch.stack([f.values[:, flat == i].mean(1) for i in range(grid.size)], 1)
    assert_close(coarsen(f, grid).values, means, rtol=1e-12, atol=1e-12)


def test_a_projection_keeps_the_integral_and_is_nearest():
    grid = Grid((3, 4))
    fine = refine(grid, 3)
    f = Function(fine, values(0, 2, fine.size, 2))
    near = coarsen(f, grid)
    assert_close(near.integral(), f.integral())

    def on_fine(coarse):
        image = coarse.to_image().repeat_interleave(3, -1).repeat_interleave(3, -2)
        return Function.from_image(image, fine.domain)

    rest = f - on_fine(near)
    other = Function(grid, values(1, 2, grid.size, 2))
    assert_close(rest.inner(on_fine(other)), torch.zeros(2).double(), rtol=0, atol=1e-12)


def test_nothing_is_done_on_the_same_grid():
    f = Function(Grid((3, 4)), values(0, 1, 12, 2))
    assert torch.equal(coarsen(f, f.on).values, f.values)


@pytest.mark.parametrize(
    ("on", "grid"),
    [
        (Grid((4, 6)), Grid((3, 3))),
        (Grid((4, 6), Box((1.0, 1.5))), Grid((2, 3))),
        (Subset(Grid((4, 6)), torch.arange(24)), Grid((2, 3))),
    ],
)
def test_other_grids_are_refused(on, grid):
    with pytest.raises(ValueError, match="on a refinement of it"):
        coarsen(Function(on, values(0, 1, 24, 1)), grid)
    with pytest.raises(ValueError, match="factor"):
        refine(grid, 0)
