"""At ratio one a subset is its grid, and the two ways to visit a subset agree at every ratio."""

import torch
from functions import seeds, subset, values
from hypothesis import given
from hypothesis import strategies as st
from local_operators import box_grid, cases, coarse, whole
from torch.testing import assert_close

from inftydiff.operators import Grid, Subset
from inftydiff.operators.local import local_operator, neighbours
from inftydiff.operators.local.definition import lattice_ratio
from inftydiff.operators.local.masked import MaskedNumerator, masked
from inftydiff.operators.local.pairs import PairsNumerator, pairs


@given(case=cases(whole | coarse, "grid"))
def test_a_subset_of_all_points_is_the_grid(case):
    every = subset(case.grid, case.grid.size, case.seed)
    near = neighbours(every, size=case.size, cell=case.cell)
    image = local_operator(case.values[..., every.index, :], case.weight, near)
    expected = local_operator(case.values, case.weight, case.map)
    assert_close(image, expected[..., every.index, :], rtol=0, atol=1e-12)


@given(case=cases(coarse | st.just(1), "one many"))
def test_masked_is_pairs(case):
    samples = case.on.index.reshape(-1, case.on.size)
    ratios = tuple(map(lattice_ratio, case.cell, case.grid.spacing))
    batch = case.values.reshape(-1, case.samples or 1, case.on.size, case.channels)
    routes = [f(samples, case.grid.shape, ratios, case.size) for f in (masked, pairs)]
    for v in batch:
        v = v.requires_grad_()
        weight = case.weight.requires_grad_()
        images = [route(v, weight) for route in routes]
        assert_close(*images, rtol=0, atol=1e-12)
        along = values(case.seed + 3, *v.shape)
        gradients = [torch.autograd.grad(image, (v, weight), along) for image in images]
        assert_close(*gradients, rtol=0, atol=1e-11)


@given(seed=seeds, samples=st.sampled_from([None, 2]))
def test_density_chooses_the_way(seed, samples):
    grid = box_grid(12, 10)
    ways = {}
    for size in (6, 80):
        on = subset(grid, size, seed, samples)
        near = neighbours(on, size=3, cell=grid.spacing)
        ways[type(near.numerator)] = size
    assert ways == {PairsNumerator: 6, MaskedNumerator: 80}


def test_an_index_need_not_be_ordered_nor_wide():
    grid = Grid((5, 4))
    index = torch.tensor([7, 2, 19, 0], dtype=torch.int32)
    weight, v = values(0, 2, 3, 3), values(1, 4, 2)
    near = neighbours(Subset(grid, index), size=3, cell=grid.spacing)
    order = index.argsort()
    ordered = neighbours(Subset(grid, index[order]), size=3, cell=grid.spacing)
    image = local_operator(v, weight, near)[order]
    assert_close(image, local_operator(v[order], weight, ordered), rtol=0, atol=1e-13)
