"""Three nearest neighbours, found by scipy's tree and weighted by inverse square distances."""

import pytest
import torch
from functions import discretisation, function, grid, scattered, seeds
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import cKDTree
from torch.testing import assert_close

from inftydiff.operators import Function, Grid, NearestNeighbours, Scattered, Subset
from inftydiff.operators import _nearest as nearest


def by_tree(points: torch.Tensor, values: torch.Tensor, target: Grid, k: int) -> torch.Tensor:
    distances, index = cKDTree(points.numpy()).query(target.points.numpy(), list(range(1, k + 1)))
    closeness = torch.from_numpy(distances) ** -2
    weights = closeness / closeness.sum(1, keepdim=True)
    return (weights.unsqueeze(-1) * values[torch.from_numpy(index)]).sum(1)


@given(k=st.integers(1, 5), seed=seeds, shape=st.sampled_from([(7,), (4, 5), (3, 2, 2)]))
def test_against_a_tree(k, seed, shape):
    target = grid(*shape)
    on = scattered(target.domain, 9, seed, 3)
    f = function(on, seed, 3)
    expected = [by_tree(on.points[b], f.values[b], target, k) for b in range(3)]
    result = NearestNeighbours(on, target, k)(f)
    assert_close(result.values, torch.stack(expected), rtol=0, atol=1e-10)


def test_many_pieces_are_one(monkeypatch):
    f = function(discretisation("clouds", grid(5, 6), 0), 0, 3)
    whole = NearestNeighbours(f.on, grid(4, 7))(f).values
    monkeypatch.setattr(nearest, "CHUNK", 100)
    assert_close(NearestNeighbours(f.on, grid(4, 7))(f).values, whole)


def test_a_point_on_a_node_has_the_weight_one():
    target = Grid((3, 3))
    on = Subset(Grid((9, 9)), torch.tensor([10, 11, 20, 40, 41, 70, 80]))
    f = function(on, 0)
    result = NearestNeighbours(on, target)(f).values
    assert_close(result[0], f.values[0], rtol=0, atol=1e-13)
    assert_close(result[4], f.values[3], rtol=0, atol=1e-13)
    assert_close(result[8], f.values[5], rtol=0, atol=1e-13)


def test_two_points_on_a_node_share_it():
    points = torch.tensor([[0.25], [0.25], [0.3], [0.9]], dtype=torch.float64)
    f = Function(Scattered(points), torch.tensor([[1.0], [3.0], [9.0], [9.0]]))
    assert NearestNeighbours(f.on, Grid((2,)))(f).values[0].item() == 2.0


def test_points_of_weight_zero_are_not_there():
    points = torch.tensor([[0.25], [0.3], [0.4], [0.9]], dtype=torch.float64)
    f = Function(Scattered(points, torch.tensor([0.0, 1.0, 2.0, 3.0])), torch.ones(4, 1))
    f.values[0] = torch.nan
    rest = Function(Scattered(points[1:]), f.values[1:])
    neighbours = NearestNeighbours(f.on, Grid((2,)), 2)(f)
    assert_close(neighbours.values, NearestNeighbours(rest.on, Grid((2,)), 2)(rest).values)
    with pytest.raises(ValueError, match=r"4 nearest neighbours .* a sample has 3"):
        NearestNeighbours(f.on, Grid((2,)), 4)


@given(seed=seeds)
def test_constants_and_range(seed):
    f = function(discretisation("subsets", grid(5, 6), seed), seed, 3)
    result = NearestNeighbours(f.on, grid(4, 4))(f).values
    assert (result <= f.values.amax(1, keepdim=True) + 1e-12).all()
    assert (result >= f.values.amin(1, keepdim=True) - 1e-12).all()
