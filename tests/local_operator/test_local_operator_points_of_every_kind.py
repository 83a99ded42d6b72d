"""On every backend: isolated points, points of no weight or given twice, in any order of memory."""

import pytest
import torch
from functions import seeds, values
from hypothesis import given, settings
from hypothesis import strategies as st
from local_operators import (
    Case,
    backends,
    box_grid,
    cell_of,
    device_of,
    every_backend,
    outcome,
    pair_backends,
)
from torch.testing import assert_close

from inftydiff.operators import Grid, Scattered, Subset
from inftydiff.operators.local import local_operator, neighbours
from inftydiff.operators.local.definition import window_mass

few = settings(max_examples=3)


@backends("dense", "torch", "numba", "triton")
def test_isolated_points_see_themselves(backend):
    case = Case((30, 30), (1, 1), 3, 2, (), 9, None, 12)
    near = case.map_by(backend)
    image, *_ = outcome(near, case.values, case.weight)
    alone = near.mass.cpu() == 1
    assert alone.sum() >= 3
    assert_close(image[alone], (case.values * case.weight[:, 1, 1])[alone], rtol=0, atol=1e-14)


@backends("reference", "torch", "numba", "triton")
def test_points_of_no_weight_are_not_there(backend):
    points = torch.tensor([[0.1], [0.15], [0.5], [0.52], [0.9]], dtype=torch.float64)
    weights = torch.tensor([1.0, 0.0, 0.0, 3.0, 0.0], dtype=torch.float64)
    present = weights > 0
    weight, v = values(0, 2, 3), values(1, 5, 2)
    every, fewer = (
        neighbours(on, size=3, cell=0.1, device=device_of(backend), backend=backend)
        for on in (Scattered(points, weights), Scattered(points[present], weights[present]))
    )
    image, d_values, _ = outcome(every, v, weight)
    expected, *_ = outcome(fewer, v[present], weight)
    assert_close(image[present], expected, rtol=0, atol=1e-14)
    assert (image[-1] == 0).all()
    assert (d_values[~present] == 0).all()


@pair_backends
@given(seed=seeds)
@few
def test_points_given_twice_count_twice(seed, backend):
    case = Case((4, 4), (1, 1), 3, 3, (2,), 6, None, seed, None, True)
    points, weights, domain = case.on.points, case.on.weights, case.on.domain
    given = torch.tensor([0, 1, 1, 2, 3, 4, 4, 5])
    double, single = (
        neighbours(on, size=3, cell=case.cell, device=device_of(backend), backend=backend)
        for on in (
            Scattered(points[given], weights[given], domain),
            Scattered(points, weights * torch.tensor([1, 2, 1, 1, 2, 1]), domain),
        )
    )
    image, *_ = outcome(double, case.values[:, given], case.weight)
    expected, *_ = outcome(single, case.values, case.weight)
    assert_close(image, expected[:, given], rtol=0, atol=1e-13)


def test_a_subset_has_no_point_twice():
    with pytest.raises(ValueError, match="names each point once"):
        Subset(Grid((4, 4)), torch.tensor([3, 5, 3]))


@every_backend
@given(seed=seeds, size=st.integers(2, 20), samples=st.sampled_from([None, 2]))
@few
def test_an_index_need_not_be_ordered_nor_wide(seed, size, samples, backend):
    grid = box_grid(5, 4)
    generator = torch.Generator().manual_seed(seed)
    index = torch.stack([torch.randperm(20, generator=generator)[:size] for _ in range(2)])
    index = index if samples else index[0]
    order = index.argsort(-1)
    v, weight = values(seed, 2, size, 2), values(seed + 1, 2, 3, 3)
    where = order.expand(2, -1).unsqueeze(-1).expand_as(v)
    mixed, ordered = (
        neighbours(
            Subset(grid, i),
            size=3,
            cell=cell_of(grid, (1, 2)),
            device=device_of(backend),
            backend=backend,
        )
        for i in (index.int(), index.gather(-1, order))
    )
    image, *_ = outcome(mixed, v, weight)
    expected, *_ = outcome(ordered, v.gather(1, where), weight)
    assert_close(image.gather(1, where), expected, rtol=0, atol=1e-13)


@every_backend
@pytest.mark.parametrize("order", [(2, 0, 1), (2, 1, 0), (1, 0, 2)])
@pytest.mark.parametrize("images", [None, 4])
@pytest.mark.parametrize("points", [None, 12])
def test_memory_in_any_order(points, images, order, backend):
    case = Case((5, 6), (1, 1), 3, 3, (2,), points, None, 0, images)
    near = case.map_by(backend)
    v, weight = strided(case.values, order), strided(case.weight, range(case.weight.ndim)[::-1])
    expected = outcome(near, case.values, case.weight)
    assert_close(outcome(near, v, weight), expected, rtol=0, atol=1e-13)


@every_backend
def test_gradients_in_any_order(backend):
    case = Case((5, 6), (1, 1), 3, 3, (2,), 12, None, 0)
    near = case.map_by(backend)
    v, weight = (x.to(near.mass.device).requires_grad_() for x in (case.values, case.weight))
    image = local_operator(v, weight, near)
    along = values(3, *image.shape).to(image)
    for grad in (along, torch.ones_like(along)[:, :1, :1].expand_as(along)):
        same = strided(grad, (2, 0, 1)), grad.contiguous(), grad
        results = [torch.autograd.grad(image, (v, weight), g, retain_graph=True) for g in same]
        assert_close(results[0], results[1], rtol=0, atol=1e-13)
        assert_close(results[2], results[1], rtol=0, atol=1e-13)


@every_backend
@pytest.mark.parametrize("samples", [None, 2])
@pytest.mark.parametrize("images", [None, 3])
def test_no_copies(images, samples, backend):
    case = Case((5, 6), (1, 1), 3, 2, (), 12, samples, 0, images)
    near = case.map_by(backend)
    v = torch.zeros(0, *near.mass.shape, 2, dtype=torch.float64)
    image, d_values, d_weight = outcome(near, v, case.weight)
    assert image.shape == (*v.shape[:-1], images or 2)
    assert d_values.shape == v.shape
    assert torch.equal(d_weight, torch.zeros_like(case.weight))


@every_backend
@pytest.mark.parametrize("kind", ["grid", "subsets", "points"])
def test_the_normaliser_is_the_same(kind, backend):
    count = None if kind == "grid" else 12
    samples = 2 if kind == "subsets" else None
    anywhere = kind == "points" and backend != "dense"
    case = Case((5, 6), (1, 2), 3, 2, (2,), count, samples, 0, None, anywhere)
    weights = case.on.weights if anywhere else torch.ones(case.on.shape_of_points)
    points = case.on.points.expand(*weights.shape, 2)
    expected = window_mass(points, weights, 3, case.cell)
    assert_close(case.map_by(backend).mass.cpu(), expected, rtol=0, atol=1e-12)


def strided(x: torch.Tensor, order: tuple[int, ...] | range) -> torch.Tensor:
    """The same numbers in every second place of memory whose axes are in another order."""
    memory = x.new_zeros([2 * x.shape[a] for a in order])
    view = memory.permute(*map(order.index, range(x.ndim)))[(slice(None, None, 2),) * x.ndim]
    view.copy_(x)
    assert not view.is_contiguous()
    return view
