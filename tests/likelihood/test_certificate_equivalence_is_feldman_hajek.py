"""Measures are equivalent or singular as Feldman and Hájek say, and KL on grids shows it."""

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inftydiff import (
    Box,
    Function,
    GaussianMeasure,
    Grid,
    Identity,
    LinearOperator,
    Scattered,
    WhiteNoise,
    gaussian_mollifier,
)
from inftydiff.operators import SpectralOperator
from inftydiff.operators.covariance import bessel, matern, squared_exponential
from inftydiff.operators.domain import BOUNDARIES, Point
from inftydiff.operators.mollifier import truncated_gaussian_mollifier
from inftydiff.processes.certificates import Unknown
from inftydiff.processes.divergence import kl_divergence
from inftydiff.processes.equivalence import Equivalent, Singular, cameron_martin_norm, equivalence

T = gaussian_mollifier(0.1)
LINE = Box((1.0,))


def law(factor: LinearOperator, mean: Function | None = None, intensity: float = 1.0):
    return GaussianMeasure(mean, factor, WhiteNoise(intensity))


def zhang(nu: float, lengths: tuple[float, float], dim: int, ratio: float = 1.0):
    """Two Matérn measures for which σ²κ^(2ν) has this ratio; they keep the grid's modes."""
    first, second = lengths
    std = math.sqrt(ratio) * (second / first) ** nu
    return (
        law(matern(nu, first, dim=dim, cutoff=math.inf)),
        law(matern(nu, second, dim=dim, std=std, cutoff=math.inf)),
    )


lengths = st.tuples(st.floats(0.05, 2.0), st.floats(0.05, 2.0))


@given(nu=st.floats(0.1, 4.0), lengths=lengths, dim=st.integers(1, 3))
def test_zhang_s_pairs_are_equivalent_in_up_to_three_dimensions(nu, lengths, dim):
    p, q = zhang(nu, lengths, dim)
    assert isinstance(equivalence(p, q, Box((1.0,) * dim)), Equivalent)


@given(nu=st.floats(0.1, 4.0), lengths=lengths, dim=st.integers(1, 4), off=st.floats(1e-6, 1.0))
def test_and_singular_if_the_product_differs(nu, lengths, dim, off):
    p, q = zhang(nu, lengths, dim, 1.0 + off)
    assert isinstance(equivalence(p, q, Box((1.0,) * dim)), Singular)


def test_in_four_dimensions_the_asymptotes_do_not_decide():
    p, q = zhang(1.0, (0.1, 0.3), 4)
    found = equivalence(p, q, Box((1.0,) * 4))
    assert isinstance(found, Unknown)
    assert "Σ λ^-2 diverges in d = 4" in found.reason


SINGULAR = {
    "a scaled copy": (law(T), law(1.001 * T)),
    "another intensity": (law(T), law(T, intensity=2.0)),
    "another width": (law(gaussian_mollifier(0.1)), law(gaussian_mollifier(0.1001))),
    "another smoothness": (law(matern(0.5, 0.1, dim=1)), law(matern(0.6, 0.1, dim=1))),
    "rough and smooth": (law(matern(0.5, 0.1, dim=1)), law(T)),
    "white and coloured": (law(Identity()), law(bessel(0.1))),
    "without its mean value": (law(T), law(T @ (Identity() - T))),
    "nothing": (law(0.0 * T), law(T)),
}


@pytest.mark.parametrize("name", SINGULAR)
def test_singular(name: str):
    p, q = SINGULAR[name]
    assert isinstance(equivalence(p, q, LINE), Singular)
    assert isinstance(equivalence(q, p, LINE), Singular)


EQUIVALENT = {
    "itself": (law(T), law(gaussian_mollifier(0.1))),
    "itself, otherwise put": (law(T, intensity=2.0), law(2.0 * T)),
    "the other sign": (law(T), law(-1.0 * T)),
    "a semigroup": (law(T @ T), law(gaussian_mollifier(0.1 * math.sqrt(2.0)))),
    "white and a smooth part": (law(Identity()), law(Identity() + T)),
    "white and a smaller rough part": (law(Identity()), law(Identity() + bessel(0.6))),
    "a cut-off": (law(bessel(2.0)), law(bessel(2.0, cutoff=9.0))),
    "zero": (law(0.0 * T), law(0.0 * Identity())),
    "unknown, but the same": (law(truncated_gaussian_mollifier(0.1, dim=1)),) * 2,
}


@pytest.mark.parametrize("name", EQUIVALENT)
def test_equivalent(name: str):
    p, q = EQUIVALENT[name]
    assert isinstance(equivalence(p, q, LINE), Equivalent)
    assert isinstance(equivalence(q, p, LINE), Equivalent)


UNKNOWN = {
    "oscillating": (law(T), law(truncated_gaussian_mollifier(0.1, dim=1))),
    "one scale a sample": (law(T), law(T * torch.tensor([1.0, 2.0]))),
    "a part that falls too slowly": (law(Identity()), law(Identity() + bessel(0.4))),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_unknown(name: str):
    p, q = UNKNOWN[name]
    assert isinstance(equivalence(p, q, LINE), Unknown)
    assert isinstance(equivalence(q, p, LINE), Unknown)


def test_numbers_are_equivalent_if_both_vary_or_neither():
    assert isinstance(equivalence(law(Identity()), law(2.0 * Identity()), Point()), Equivalent)
    assert isinstance(equivalence(law(Identity()), law(0.0 * Identity()), Point()), Singular)


def hill(shape: int, boundary: str = "reflecting") -> Function:
    grid = Grid((shape,), Box((1.0,), boundary))
    return Function(grid, torch.sin(3.0 * grid.points) + grid.points)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_a_shift_in_the_cameron_martin_space_is_equivalent(boundary: str):
    shift = hill(16, boundary)
    domain = shift.on.domain
    for factor in (T, Identity(), matern(0.5, 0.1, dim=1)):
        assert isinstance(equivalence(law(factor, shift), law(factor), domain), Equivalent)
        assert isinstance(equivalence(law(factor), law(factor, shift), domain), Equivalent)
        assert isinstance(equivalence(law(factor, shift), law(factor, shift), domain), Equivalent)


def test_a_shift_outside_of_it_is_singular():
    centred = Identity() - gaussian_mollifier(0.1)  # keeps no constants
    constant = Function(Grid((8,)), torch.ones(8, 1))
    wave = Function(Grid((8,)), torch.cos(math.pi * Grid((8,)).points))
    assert isinstance(equivalence(law(centred, constant), law(centred), LINE), Singular)
    assert isinstance(equivalence(law(centred, wave), law(centred), LINE), Equivalent)
    both = Function(Grid((8,)), torch.stack([constant.values.double(), wave.values]))
    assert isinstance(equivalence(law(centred, both), law(centred), LINE), Unknown)


def test_means_that_are_no_functions_of_one_grid_are_unknown():
    points = Function(Scattered(torch.tensor([[0.5]])), torch.ones(1, 1))
    assert isinstance(equivalence(law(T, points), law(T), LINE), Unknown)
    assert isinstance(equivalence(law(T, hill(8)), law(T, hill(16)), LINE), Unknown)
    with pytest.raises(ValueError, match="and not on"):
        equivalence(law(T, hill(8)), law(T), Box((2.0,)))


def kl_on_grids(p: GaussianMeasure, q: GaussianMeasure, dim: int, sizes: list[int]) -> list[float]:
    return [kl_divergence(p, q, on=Grid((n,) * dim)).item() for n in sizes]


@pytest.mark.parametrize(("dim", "most"), [(1, 12), (2, 8), (3, 6)])
def test_kl_on_grids_stays_bounded_for_equivalent_measures_and_grows_for_singular_ones(dim, most):
    sizes = [2**k for k in range(most - 3, most + 1)]
    bounded = kl_on_grids(*zhang(0.7, (0.2, 0.5), dim), dim, sizes)
    steps = [b - a for a, b in pairwise(bounded)]
    rate = 2.0 ** (4 - dim)  # what is left of Σ λ^-2 above the grid falls like N^(d-4)
    assert steps[0] / steps[1] == pytest.approx(rate, rel=0.1)
    assert steps[1] / steps[2] == pytest.approx(rate, rel=0.1)
    growing = kl_on_grids(*zhang(0.7, (0.2, 0.5), dim, 1.2), dim, sizes)
    steps = [b - a for a, b in pairwise(growing)]
    assert steps[2] / steps[1] == pytest.approx(2.0**dim, rel=0.1)
    per_mode = 0.5 * (1 / 1.2 - 1 + math.log(1.2))
    assert growing[-1] == pytest.approx(per_mode * sizes[-1] ** dim, rel=0.2)


def test_kl_of_a_shift_tends_to_half_the_squared_norm_and_diverges_outside_the_space():
    factor = bessel(0.7)  # its Cameron–Martin space is H^0.7
    inside = [
        kl_divergence(law(factor, hill(n)), law(factor), on=Grid((n,))).item()
        for n in (64, 256, 1024)
    ]
    norms = [0.5 * cameron_martin_norm(law(factor), hill(n)).item() ** 2 for n in (64, 256, 1024)]
    assert inside == pytest.approx(norms, rel=1e-9)
    assert inside[2] - inside[1] < 0.3 * (inside[1] - inside[0])
    jumps = []
    for n in (64, 256, 1024):
        step = Function(Grid((n,)), (Grid((n,)).points > 0.5).double())
        jumps.append(kl_divergence(law(factor, step), law(factor), on=Grid((n,))).item())
    assert jumps[2] - jumps[1] > 1.5 * (jumps[1] - jumps[0])


def test_squared_exponentials_of_two_lengths_are_singular():
    p, q = (law(squared_exponential(s, dim=2)) for s in (0.1, 0.2))
    assert isinstance(equivalence(p, q, Box((1.0, 1.0))), Singular)
    assert isinstance(p.factor, SpectralOperator)
