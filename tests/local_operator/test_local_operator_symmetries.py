"""Samples do not see each other, the order of points and the place in the plane do not matter."""

import torch
from functions import seeds, values
from hypothesis import given
from hypothesis import strategies as st
from local_operators import box_grid, cases, cell_of, coarse, whole
from torch.testing import assert_close

from inftydiff.operators import Subset
from inftydiff.operators.local import local_operator, neighbours


@given(case=cases(whole | coarse, "many"), sample=st.integers(0, 2))
def test_one_sample_of_a_batch(case, sample):
    image = local_operator(case.values, case.weight, case.map)
    alone = Subset(case.grid, case.on.index[sample])
    near = neighbours(alone, size=case.size, cell=case.cell)
    expected = local_operator(case.values[..., sample, :, :], case.weight, near)
    assert_close(image[..., sample, :, :], expected, rtol=0, atol=1e-12)


@given(case=cases(whole | coarse, "grid one"), count=st.integers(1, 3))
def test_the_first_of_a_batch(case, count):
    v = values(case.seed, 4, case.on.size, case.channels)
    image = local_operator(v, case.weight, case.map)
    first = local_operator(v[:count], case.weight, case.map)
    assert_close(image[:count], first, rtol=0, atol=1e-12)


@given(case=cases(whole | coarse, "one many"))
def test_the_order_of_points(case):
    order = torch.randperm(case.on.size, generator=torch.Generator().manual_seed(case.seed))
    near = neighbours(Subset(case.grid, case.on.index[..., order]), size=case.size, cell=case.cell)
    image = local_operator(case.values[..., order, :], case.weight, near)
    expected = local_operator(case.values, case.weight, case.map)[..., order, :]
    assert_close(image, expected, rtol=0, atol=1e-12)


@given(seed=seeds, ratio=whole | coarse, size=st.sampled_from([1, 3]), by=st.integers(1, 3))
def test_translation(seed, ratio, size, by):
    grid = box_grid(36, 5)
    near = neighbours(grid, size=size, cell=cell_of(grid, (ratio, ratio)))
    v, weight = values(seed, 36, 5, 2), values(seed + 1, 2, size, size)

    def apply(values: torch.Tensor) -> torch.Tensor:
        return local_operator(values.flatten(0, 1), weight, near).view(36, 5, 2)

    inner = slice(12, 24)
    moved = apply(v.roll(by, 0))[inner]
    assert_close(moved, apply(v).roll(by, 0)[inner], rtol=0, atol=1e-12)


@given(seed=seeds, ratio=whole | coarse, size=st.sampled_from([3, 5]))
def test_transposition_and_reflection(seed, ratio, size):
    wide, tall = box_grid(7, 6), box_grid(6, 7)
    v, weight = values(seed, 7, 6, 2), values(seed + 1, 2, size, size)
    ratios = (ratio, ratio)
    across = neighbours(wide, size=size, cell=cell_of(wide, ratios))
    along = neighbours(tall, size=size, cell=cell_of(tall, ratios))
    image = local_operator(v.flatten(0, 1), weight, across).view(7, 6, 2)
    turned = local_operator(v.transpose(0, 1).flatten(0, 1), weight.mT, along).view(6, 7, 2)
    assert_close(turned.transpose(0, 1), image, rtol=0, atol=1e-12)
    mirrored = local_operator(v.flip(0).flatten(0, 1), weight.flip(1), across).view(7, 6, 2)
    assert_close(mirrored.flip(0), image, rtol=0, atol=1e-12)


@given(case=cases(whole | coarse))
def test_constants_stay_where_the_table_is_one(case):
    ones = torch.ones_like(case.values)
    table = torch.ones_like(case.weight)
    assert_close(local_operator(ones, table, case.map), ones, rtol=0, atol=1e-12)
    assert bool((case.map.mass >= 1 - 1e-12).all())


@given(case=cases(whole | coarse))
def test_nothing_is_changed_in_place(case):
    v, weight = case.values.clone(), case.weight.clone()
    mass = case.map.mass.clone()
    local_operator(case.values.requires_grad_(), case.weight, case.map).sum().backward()
    assert torch.equal(case.values, v)
    assert torch.equal(case.weight, weight)
    assert torch.equal(case.map.mass, mass)
