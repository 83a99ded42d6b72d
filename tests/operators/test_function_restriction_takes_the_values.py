"""A restriction has the values at its subset's points, and putting them back is exact."""

import pytest
import torch
from functions import function, grid, seeds, shapes, subset
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from inftydiff.operators import Function, Subset


@given(shape=shapes, seed=seeds, batch=st.sampled_from([None, 3]))
def test_values_are_those_at_the_points(shape, seed, batch):
    on = grid(*shape)
    taken = subset(on, (on.size + 1) // 2, seed, batch)
    f = function(on, seed, 3)
    restricted = f.restrict(taken)
    assert restricted.on is taken
    for b in range(3):
        index = taken.index if batch is None else taken.index[b]
        assert_close(restricted.values[b], f.values[b][index], rtol=0, atol=0)


@given(shape=shapes, seed=seeds)
def test_round_trip_through_complementary_subsets(shape, seed):
    on = grid(*shape)
    f = function(on, seed, 3)
    everything = subset(on, on.size, seed, 3)
    back = torch.full_like(f.values, torch.nan)
    for part in everything.index.tensor_split(2, dim=1):
        if part.numel():
            values = f.restrict(Subset(on, part)).values
            back.scatter_(1, part.unsqueeze(-1).expand_as(values), values)
    assert_close(back, f.values, rtol=0, atol=0)


def test_coordinates_restrict_to_coordinates():
    on = grid(3, 4)
    taken = subset(on, 5, 0, 3)
    assert_close(Function(on, on.points).restrict(taken).values, taken.points)


@pytest.mark.parametrize("batch", [(), (1,), (2, 1), (2, 3)])
def test_a_batch_that_is_missing_is_repeated(batch):
    on = grid(3, 4)
    taken, f = subset(on, 5, 0, 3), function(on, 0, *batch)
    restricted = f.restrict(taken)
    assert restricted.batch == (*batch[:-1], 3)
    whole = f.values.expand(*batch[:-1], 3, on.size, 2)
    for b in range(3):
        assert_close(restricted.values[..., b, :, :], whole[..., b, taken.index[b], :])


def test_gradients_return_to_the_points():
    on = grid(3, 4)
    taken = subset(on, 5, 0, 2)
    x = function(on, 0, 2).values.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: Function(on, x).restrict(taken).values, x)


def test_refusals():
    f = function(grid(3, 4), 0, 3)
    with pytest.raises(ValueError, match=r"Subset of its own grid; it lives on Grid\(\(3, 4\)"):
        f.restrict(subset(grid(4, 3), 5, 0))
    with pytest.raises(ValueError, match=r"subset has 2 samples, the function a batch of \(3,\)"):
        f.restrict(subset(f.on, 5, 0, 2))
    with pytest.raises(ValueError, match="it lives on a Subset of 5 points"):
        f.restrict(subset(f.on, 5, 0)).restrict(subset(f.on, 5, 0))
