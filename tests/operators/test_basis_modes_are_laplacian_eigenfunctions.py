"""The modes are orthonormal eigenfunctions of the Laplacian that keep the boundary conditions."""

import math

import pytest
import torch
from functions import boundaries, grid
from hypothesis import given
from hypothesis import strategies as st
from torch.autograd.functional import jacobian
from torch.testing import assert_close

from inftydiff.operators import Box
from inftydiff.operators.basis import eigenbasis
from inftydiff.operators.domain import BOUNDARIES, Point

COUNT, LENGTH = 7, 0.7


def modes_at(boundary: str):
    basis = eigenbasis(Box((LENGTH,), boundary))
    return lambda x: basis.modes(x.reshape(1, 1), (COUNT,))[0]


def slope_at(boundary: str, place: float) -> torch.Tensor:
    return jacobian(modes_at(boundary), torch.tensor(place, dtype=torch.float64))


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("place", [0.0, 0.123, 0.35, 0.7])
def test_minus_the_second_derivative_is_the_eigenvalue(boundary, place):
    x, modes = torch.tensor(place, dtype=torch.float64), modes_at(boundary)
    second = jacobian(lambda x: jacobian(modes, x, create_graph=True), x)
    eigenvalues = eigenbasis(Box((LENGTH,), boundary)).eigenvalues((COUNT,))
    assert_close(-second, eigenvalues * modes(x), rtol=1e-10, atol=1e-9)


@pytest.mark.parametrize("end", [0.0, LENGTH])
def test_the_slope_vanishes_at_reflecting_ends(end):
    slope = slope_at("reflecting", end)
    assert_close(slope, torch.zeros_like(slope), rtol=0, atol=1e-12)


@pytest.mark.parametrize("end", [0.0, LENGTH])
def test_the_value_vanishes_at_absorbing_ends(end):
    value = modes_at("absorbing")(torch.tensor(end, dtype=torch.float64))
    assert_close(value, torch.zeros_like(value), rtol=0, atol=1e-12)


def test_value_and_slope_agree_at_periodic_ends():
    first, last = torch.tensor([0.0, LENGTH], dtype=torch.float64)
    assert_close(modes_at("periodic")(first), modes_at("periodic")(last), rtol=0, atol=1e-12)
    slopes = slope_at("periodic", 0.0), slope_at("periodic", LENGTH)
    assert_close(*slopes, rtol=0, atol=1e-11)


@given(names=boundaries, data=st.data())
def test_orthonormal_in_the_weighted_inner_product_of_every_finer_grid(names, data):
    dim = data.draw(st.integers(1, 3))
    counts = data.draw(st.tuples(*[st.integers(1, 4)] * dim))
    on = grid(*(n + data.draw(st.integers(1, 4)) for n in counts), boundary=names)
    modes = eigenbasis(on.domain).modes(on.points, counts)
    gram = modes.mT @ (on.weights.unsqueeze(1) * modes)
    assert_close(gram, torch.eye(math.prod(counts)).double(), rtol=0, atol=1e-12)


@given(names=boundaries, shape=st.lists(st.integers(1, 6), min_size=1, max_size=3))
def test_analysis_gives_the_coefficients_of_the_modes(names, shape):
    on = grid(*shape, boundary=names)
    basis = eigenbasis(on.domain)
    modes = basis.modes(on.points, shape) * on.cell_volume**0.5
    norms = modes.norm(dim=0)
    alternating = [
        b == "absorbing" or (b == "periodic" and n % 2 == 0)
        for b, n in zip(names, shape, strict=False)
    ]
    largest = math.sqrt(2.0) ** sum(alternating)
    assert_close(norms.max().item(), largest, rtol=1e-13, atol=0)
    found = basis.analysis(modes.mT.reshape(-1, *shape)).flatten(1)
    assert_close(found, norms.diag(), rtol=0, atol=1e-13)


@given(names=boundaries, data=st.data())
def test_some_modes_are_those_columns_of_all(names, data):
    counts = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    on = grid(*(3 for _ in counts), boundary=names)
    basis, size = eigenbasis(on.domain), math.prod(counts)
    numbers = torch.tensor(
        data.draw(st.lists(st.integers(0, size - 1), max_size=6)), dtype=torch.long
    )
    everything = basis.modes(on.points, counts)
    assert_close(
        basis.modes(on.points, counts, numbers), everything[:, numbers], rtol=0, atol=1e-14
    )


@pytest.mark.parametrize("boundary", BOUNDARIES)
@given(wave=st.floats(0.0, 60.0))
def test_as_many_modes_are_counted_as_have_no_larger_wave_number(boundary, wave):
    basis = eigenbasis(Box((LENGTH,), boundary))
    waves = basis.eigenvalues((40,)).sqrt()
    assert basis.counts(wave) == (int((waves <= wave).sum()),)


@given(names=boundaries)
def test_the_eigenvalues_of_a_box_add_up(names):
    axes = [eigenbasis(Box((length,), b)) for length, b in zip((1.0, 0.7, 2.0), names, strict=True)]
    total = eigenbasis(Box((1.0, 0.7, 2.0), names)).eigenvalues((2, 3, 4))
    one, two, three = (basis.eigenvalues((n,)) for basis, n in zip(axes, (2, 3, 4), strict=True))
    assert_close(total, one[:, None, None] + two[:, None] + three)


def test_a_point_has_the_constant_only():
    basis = eigenbasis(Point())
    assert basis.eigenvalues(()).item() == 0.0
    assert basis.counts(10.0) == ()
    assert_close(basis.modes(torch.empty(3, 0), ()), torch.ones(3, 1))
