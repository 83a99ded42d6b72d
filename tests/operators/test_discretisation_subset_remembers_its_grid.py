"""A subset has its grid's points, Monte Carlo weights |Ω|/m, and keeps the grid itself."""

import pytest
import torch
from functions import grid, seeds, shapes, subset
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from inftydiff.operators import Grid, Subset


@given(shape=shapes, seed=seeds, batch=st.sampled_from([None, 1, 3]))
def test_points_weights_and_parent(shape, seed, batch):
    on = grid(*shape)
    taken = subset(on, (on.size + 1) // 2, seed, batch)
    lead = () if batch is None else (batch,)
    assert taken.parent is on
    assert taken.domain == on.domain
    assert taken.shape_of_points == (*lead, taken.size)
    assert taken.points.shape == (*lead, taken.size, on.dim)
    assert_close(taken.points, on.points[taken.index])
    expected = torch.full((*lead, taken.size), on.domain.volume / taken.size)
    assert_close(taken.weights, expected.double())


def test_the_whole_grid_has_the_grid_s_weights():
    on = grid(3, 4)
    assert_close(Subset(on, torch.arange(12)).weights, on.weights)


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
def test_indices_are_kept_as_int64(dtype):
    assert Subset(Grid((4,)), torch.tensor([2, 0], dtype=dtype)).index.dtype == torch.int64
