"""Where the spacing is the reference cell: a depthwise convolution over the number of points."""

import torch
import torch.nn.functional as F
from functions import seeds, subset, values
from hypothesis import given
from hypothesis import strategies as st
from local_operators import box_grid
from torch.testing import assert_close

from inftydiff.operators.local import local_operator, neighbours


@given(seed=seeds, height=st.integers(1, 12), width=st.integers(1, 12), data=st.data())
def test_of_the_points_taken(seed, height, width, data):
    grid = box_grid(height, width)
    on = subset(grid, data.draw(st.integers(1, grid.size)), seed, 3)
    v, weight = values(seed, 3, on.size, 2), values(seed + 1, 2, 7, 7)
    near = neighbours(on, size=7, cell=grid.spacing)

    where = on.index.unsqueeze(-1)
    plane = torch.zeros(3, grid.size, 2, dtype=v.dtype).scatter(1, where.expand_as(v), v)
    mask = torch.zeros(3, grid.size, 1, dtype=v.dtype).scatter(1, where, 1.0)
    plane, mask = (x.mT.unflatten(-1, grid.shape) for x in (plane, mask))
    total = F.conv2d(plane, weight.flip(1, 2).unsqueeze(1), padding=3, groups=2)
    count = F.conv2d(mask, torch.ones(1, 1, 7, 7, dtype=v.dtype), padding=3)
    expected = (total / count).flatten(2).mT.gather(1, where.expand_as(v))

    assert_close(local_operator(v, weight, near), expected, rtol=0, atol=1e-12)
    assert_close(near.mass, count.flatten(1).gather(1, on.index), rtol=0, atol=1e-12)


@given(seed=seeds)
def test_offsets_point_from_the_neighbour_to_the_point(seed):
    grid = box_grid(9)
    v = values(seed, 9, 1)
    weight = torch.tensor([[0.0, 0.0, 0.0, 0.0, 1.0]], dtype=torch.float64)
    image = local_operator(v, weight, neighbours(grid, size=5, cell=grid.spacing))
    assert_close(image[2:7] * 5, v[:5], rtol=0, atol=1e-14)
    assert (image[:2] == 0).all()
