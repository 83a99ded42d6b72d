"""Each set of m points is equally likely, and the samples of a batch are independent."""

import itertools
import math

import pytest
import torch
from functions import grid, seeds
from hypothesis import given
from hypothesis import strategies as st

from inftydiff.operators import Grid, random_subset

DRAWS = 20000


@pytest.mark.parametrize(("points", "size"), [(12, 3), (20, 19), (30, 15)])
def test_each_point_is_taken_as_often_as_any_other(points, size, generator):
    index = random_subset(Grid((points,)), size, batch=DRAWS, generator=generator).index
    taken = torch.bincount(index.flatten(), minlength=points) / DRAWS
    p = size / points
    assert (taken - p).abs().max() < 5 * math.sqrt(p * (1 - p) / DRAWS)


def test_each_set_is_as_likely_as_any_other(generator):
    index = random_subset(Grid((5,)), 2, batch=DRAWS, generator=generator).index
    sets = torch.tensor(list(itertools.combinations(range(5), 2)))
    counts = (index[:, None] == sets).all(-1).sum(0) / DRAWS
    assert counts.sum() == 1
    assert (counts - 0.1).abs().max() < 5 * math.sqrt(0.09 / DRAWS)


def test_the_samples_of_a_batch_are_independent(generator):
    index = random_subset(Grid((12,)), 3, batch=2 * DRAWS, generator=generator).index
    taken = torch.zeros(2 * DRAWS, 12).scatter(1, index, 1.0)
    overlap = (taken[::2] * taken[1::2]).sum(1)
    variance = 3 * 0.25 * 0.75 * (9 / 11)
    assert abs(overlap.mean() - 0.75) < 5 * math.sqrt(variance / DRAWS)


@given(shape=st.lists(st.integers(1, 6), min_size=1, max_size=3), seed=seeds, data=st.data())
def test_points_ascend_and_differ(shape, seed, data):
    on = grid(*shape)
    size = data.draw(st.integers(1, on.size))
    batch = data.draw(st.sampled_from([None, 1, 4]))
    generator = torch.Generator().manual_seed(seed)
    subset = random_subset(on, size, batch=batch, generator=generator)
    assert subset.grid is on
    assert subset.index.shape == ((size,) if batch is None else (batch, size))
    assert (subset.index.diff(dim=-1) > 0).all()
