"""A cut-off leaves out what it says, and the field below it is one function everywhere."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from inftydiff import Box, GaussianMeasure, Grid, Scattered, WhiteNoise
from inftydiff.operators import SpectralOperator
from inftydiff.operators.covariance import bessel, matern
from inftydiff.operators.mollifier import truncated_gaussian_mollifier


def left_out(nu: float, length: float, dim: int, cutoff: float) -> float:
    """The part of a Matérn field's variance above a wave number, an incomplete beta function."""
    u = 1.0 / (1.0 + (length * cutoff) ** 2 / (2.0 * nu))
    return special.betainc(nu, 0.5 * dim, u)


@given(nu=st.floats(0.1, 30.0), length=st.floats(0.01, 10.0), dim=st.integers(1, 4))
def test_the_default_leaves_out_less_than_a_thousandth(nu: float, length: float, dim: int):
    part = left_out(nu, length, dim, matern(nu, length, dim=dim).multiplier.cutoff)
    assert part <= 1e-3 * (1 + 1e-9)
    assert part > 1e-5 or dim == 1


@pytest.mark.parametrize("dim", [1, 2])
@pytest.mark.parametrize("nu", [0.75, 2.5])
def test_that_part_of_the_variance_is_missing(nu: float, dim: int):
    box, length = Box((1.0,) * dim, "periodic"), 0.05
    factor = matern(nu, length, dim=dim, cutoff=150.0)
    at = Scattered(torch.full((1, dim), 0.5, dtype=torch.float64), domain=box)
    missing = 1.0 - GaussianMeasure(None, factor, WhiteNoise()).covariance(at).item()
    assert missing == pytest.approx(left_out(nu, length, dim, 150.0), rel=0.1)


@given(order=st.floats(1.05, 6.0))
def test_a_bessel_potential_with_a_dimension_is_cut_off_like_matern(order: float):
    nu = order - 1.0
    cutoff = bessel(order, 0.1, dim=2).multiplier.cutoff
    assert cutoff == pytest.approx(
        matern(nu, 0.1 * math.sqrt(2 * nu), dim=2).multiplier.cutoff, rel=1e-9
    )


CUT = {
    "matern": matern(0.5, 0.2, dim=1),
    "bessel": bessel(2.0, 0.2, dim=1),
    "truncated": truncated_gaussian_mollifier(0.1, dim=1),
}


@pytest.mark.parametrize("name", CUT)
def test_one_draw_is_one_function(name: str):
    draw = WhiteNoise().draw(
        Box((1.0,)), batch=2, channels=1, generator=torch.Generator().manual_seed(0)
    )
    field = CUT[name](draw)
    coarse = field(Grid((5,)), dtype=torch.float64).values
    fine = field(Grid((15,)), dtype=torch.float64).values
    there = field(Scattered(Grid((5,)).points), dtype=torch.float64).values
    torch.testing.assert_close(fine[:, 1::3], coarse, rtol=0, atol=1e-9)
    torch.testing.assert_close(there, coarse, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", CUT)
def test_above_the_cutoff_it_is_zero_and_below_untouched(name: str):
    multiplier = CUT[name].multiplier
    waves = torch.linspace(0.0, 2.0 * multiplier.cutoff, 300, dtype=torch.float64)
    cut, whole = multiplier(waves**2), multiplier.untruncated(waves**2)
    assert not cut[waves > multiplier.cutoff].any()
    assert whole[waves > multiplier.cutoff].any()
    low = waves <= multiplier.cutoff
    torch.testing.assert_close(cut[low], whole[low], rtol=0, atol=1e-13)
    assert multiplier.untruncated.cutoff == math.inf


ENDLESS = [
    matern(0.5, 0.2, dim=1, cutoff=math.inf),
    bessel(2.0, 0.2),
    truncated_gaussian_mollifier(0.1, dim=1, cutoff=math.inf),
]


@pytest.mark.parametrize("factor", ENDLESS, ids=["matern", "bessel", "truncated"])
def test_an_infinite_cutoff_keeps_the_modes_of_the_grid(factor: SpectralOperator):
    grid = Grid((6,))
    measure = GaussianMeasure(None, factor, WhiteNoise(0.7))
    k = torch.arange(6, dtype=torch.float64)
    expected = (0.7 * factor.multiplier((math.pi * k) ** 2)).square()
    torch.testing.assert_close(measure.mode_variances(grid), expected)
    with pytest.raises(ValueError, match="no values off a lattice"):
        measure.covariance(Scattered(grid.points))


def test_more_modes_than_can_be_summed_are_refused():
    rough = GaussianMeasure(None, matern(0.1, 0.01, dim=3), WhiteNoise())
    with pytest.raises(ValueError, match=r"modes.*cut-off"):
        rough.mode_variances(Grid((2, 2, 2)))


@pytest.mark.parametrize("order", [0.3, 1.0])
def test_a_bessel_potential_too_rough_for_its_dimension_is_refused(order: float):
    with pytest.raises(ValueError, match=rf"above dim/2 = 1; got order {order:g}.*pass cutoff"):
        bessel(order, dim=2)
    assert bessel(order, dim=2, cutoff=9.0).multiplier.cutoff == 9.0


@pytest.mark.parametrize(
    "make",
    [
        lambda bad: matern(bad, 0.1, dim=1),
        lambda bad: matern(0.5, bad, dim=1),
        lambda bad: matern(0.5, 0.1, dim=1, std=bad),
        lambda bad: matern(0.5, 0.1, dim=1, cutoff=bad),
        lambda bad: bessel(bad),
        lambda bad: bessel(1.0, bad),
        lambda bad: truncated_gaussian_mollifier(bad, dim=1),
        lambda bad: truncated_gaussian_mollifier(0.1, radius=bad, dim=1),
        lambda bad: truncated_gaussian_mollifier(0.1, cutoff=bad, dim=1),
    ],
)
@pytest.mark.parametrize("bad", [0.0, -1.0, math.nan])
def test_numbers_that_are_not_above_zero_are_refused(make, bad: float):
    with pytest.raises(ValueError, match="above 0"):
        make(bad)


def test_dimensions_that_are_none_are_refused():
    with pytest.raises(ValueError, match="whole number"):
        matern(0.5, 0.1, dim=0)
    with pytest.raises(ValueError, match="dimensions 1, 2 and 3; got dim=4"):
        truncated_gaussian_mollifier(0.1, dim=4)
