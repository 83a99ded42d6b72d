"""Interpolation agrees with torch's on grids, scipy's at points, and itself by another path."""

import pytest
import torch
import torch.nn.functional as F
from functions import function, grid, scattered, seeds, shapes, subset
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import RegularGridInterpolator
from torch.testing import assert_close

from inftydiff.operators import Function, Scattered, interpolate

MODES = {1: "linear", 2: "bilinear", 3: "trilinear"}


@given(shape=shapes, data=st.data(), seed=seeds)
def test_torch_between_grids(shape, data, seed):
    other = data.draw(st.tuples(*(st.integers(1, 9) for _ in shape)))
    f = function(grid(*shape), seed, 2)
    expected = F.interpolate(f.to_image(), size=other, mode=MODES[len(shape)])
    assert_close(interpolate(f, grid(*other)).to_image(), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("shape", [(6,), (4, 5), (3, 4, 2)])
def test_scipy_at_points(shape):
    source = grid(*shape)
    f, target = function(source, 0), scattered(source.domain, 50, 1)
    axes = [source.axis(a) for a in range(source.dim)]
    lowest, highest = torch.stack([a[0] for a in axes]), torch.stack([a[-1] for a in axes])
    inside = target.points.maximum(lowest).minimum(highest)
    reference = RegularGridInterpolator([a.numpy() for a in axes], f.values.reshape(*shape, 2))
    expected = torch.from_numpy(reference(inside.numpy()))
    assert_close(interpolate(f, target).values, expected, rtol=0, atol=1e-12)


@given(shape=shapes, seed=seeds, batch=st.sampled_from([None, 3]))
def test_a_grid_a_subset_and_points_of_the_same_places(shape, seed, batch):
    f, target = function(grid(*shape), seed, 3), grid(*(n + 2 for n in shape))
    taken = subset(target, (target.size + 1) // 2, seed, batch)
    on_grid = interpolate(f, target)
    on_subset = interpolate(f, taken)
    on_points = interpolate(f, Scattered(taken.points, domain=target.domain))
    assert_close(on_subset.values, on_grid.restrict(taken).values, rtol=0, atol=1e-12)
    assert_close(on_points.values, on_subset.values, rtol=0, atol=1e-12)


@pytest.mark.parametrize("batch", [(), (1,), (2, 1), (2, 3)])
def test_a_batch_that_is_missing_is_repeated(batch):
    f, target = function(grid(4, 5), 0, *batch), subset(grid(6, 6), 7, 0, 3)
    result = interpolate(f, target)
    assert result.batch == (*batch[:-1], 3)
    everywhere = Function(f.on, f.values.expand(*batch[:-1], 3, 20, 2))
    assert_close(result.values, interpolate(everywhere, target).values)
