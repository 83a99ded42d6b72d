"""Every form of the local operator is its definition, and ``reference`` is that sum written out."""

from dataclasses import replace
from itertools import product
from unittest.mock import patch

import torch
from functions import scattered, seeds, values
from hypothesis import given
from hypothesis import strategies as st
from local_operators import Case, cases, coarse, refined, whole
from torch.testing import assert_close

from inftydiff.operators import Box, Function, LocalOperator
from inftydiff.operators.local import local_operator, reference


def hat(z: float) -> float:
    return max(0.0, 1.0 - abs(z))


@given(seed=seeds, dim=st.integers(1, 2), size=st.sampled_from([1, 3]))
def test_the_reference_is_the_sum_written_out(seed, dim, size):
    cell = (0.2, 0.3)[:dim]
    on = scattered(Box((1.0, 0.8)[:dim]), 6, seed)
    weight, v = values(seed, 1, *[size] * dim), values(seed + 1, 6, 1)
    nodes = list(product(range(size), repeat=dim))
    image = torch.zeros(6, 1, dtype=torch.float64)
    for c in range(6):
        numerator = normaliser = 0.0
        for y in range(6):
            offset = [(on.points[c, a] - on.points[y, a]).item() / cell[a] for a in range(dim)]
            for j in nodes:
                weight_of_node = on.weights[y].item()
                for a in range(dim):
                    weight_of_node *= hat(offset[a] - (j[a] - size // 2))
                numerator += weight_of_node * weight[(0, *j)].item() * v[y, 0].item()
                normaliser += weight_of_node
        image[c] = numerator / normaliser
    assert_close(reference(v, weight, on.points, on.weights, cell), image, rtol=0, atol=1e-12)


def check(case: Case) -> None:
    image = local_operator(case.values, case.weight, case.map)
    expected = reference(case.values, case.weight, case.on.points, case.on.weights, case.cell)
    assert image.dtype == torch.float64
    assert_close(image, expected, rtol=0, atol=1e-11)
    with torch.no_grad():
        again = local_operator(case.values, case.weight, case.map)
    assert_close(again, expected, rtol=0, atol=1e-11)


@given(case=cases(whole))
def test_on_grids_refined_by_whole_factors(case):
    check(case)


@given(case=cases(coarse))
def test_on_coarser_grids(case):
    check(case)


@given(case=cases(refined | coarse | whole))
def test_on_grids_of_any_ratio(case):
    check(case)


@given(case=cases(whole), channels=st.integers(17, 40))
def test_in_pieces(case, channels):
    case = replace(case, channels=channels)
    with torch.no_grad(), patch("inftydiff.operators.local.operator._PIECE", 1):
        check(case)


@given(seed=seeds, samples=st.sampled_from([None, 3]))
def test_on_scattered_points(seed, samples):
    on = scattered(Box((1.0, 0.8)), 7, seed, samples)
    weight, cell = values(seed, 2, 3, 3), (0.2, 0.3)
    v = values(seed + 1, 3, 7, 2)
    image = LocalOperator(weight, cell)(Function(on, v)).values
    for i in range(3):
        points = on.points if samples is None else on.points[i]
        weights = on.weights if samples is None else on.weights[i]
        assert_close(image[i], reference(v[i], weight, points, weights, cell), rtol=0, atol=1e-12)


@given(seed=seeds)
def test_points_of_weight_zero_are_not_there(seed):
    on = scattered(Box((1.0,)), 9, seed)
    present = torch.arange(9) % 3 != 0
    weights = on.weights * present
    weight, v = values(seed, 1, 3), values(seed + 1, 9, 1)
    image = reference(v, weight, on.points, weights, 0.2)
    assert torch.isfinite(image).all()
    fewer = reference(v[present], weight, on.points[present], weights[present], 0.2)
    assert_close(image[present], fewer, rtol=0, atol=1e-12)


def test_an_isolated_point_sees_itself():
    points = torch.tensor([[0.1], [0.9]])
    weight = torch.tensor([[3.0, 2.0, 5.0]])
    image = reference(torch.tensor([[1.0], [7.0]]), weight, points, torch.tensor([0.2, 0.8]), 0.1)
    assert image.flatten().tolist() == [2.0, 14.0]
