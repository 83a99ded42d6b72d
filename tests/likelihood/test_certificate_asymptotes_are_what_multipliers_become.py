"""A multiplier's asymptote is its leading term at high frequencies, with its remainder."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inftydiff.operators import HeatMultiplier, WienerMultiplier
from inftydiff.operators._truncated import TruncatedGaussianMultiplier
from inftydiff.operators.asymptote import Asymptote
from inftydiff.operators.covariance import BesselMultiplier, MaternMultiplier
from inftydiff.operators.multiplier import (
    Multiplier,
    ProductMultiplier,
    ScaledMultiplier,
    SumMultiplier,
    UnitMultiplier,
)

UNIT, HEAT = UnitMultiplier(), HeatMultiplier(0.2)
MATERN, BESSEL = MaternMultiplier(0.75, 0.5, dim=2, std=0.6), BesselMultiplier(1.2, 0.7)

KNOWN = {
    "unit": UNIT,
    "heat": HEAT,
    "matern": MATERN,
    "matern with a cut-off": MaternMultiplier(0.75, 0.5, dim=2, std=0.6, cutoff=9.0),
    "bessel": BESSEL,
    "scaled": ScaledMultiplier(-3.0, MATERN),
    "scaled by a tensor": ScaledMultiplier(torch.tensor(0.5), BESSEL),
    "product": ProductMultiplier(MATERN, BESSEL),
    "product with heat": ProductMultiplier(HEAT, BESSEL),
    "sum of two powers": SumMultiplier(MATERN, BESSEL),
    "sum of equal powers": SumMultiplier(BESSEL, ScaledMultiplier(-0.3, BESSEL)),
    "heat is forgotten": SumMultiplier(HEAT, MATERN),
    "of two heats the narrower stays": SumMultiplier(HeatMultiplier(0.3), HEAT),
    "unit stays": SumMultiplier(BESSEL, UNIT),
    "nothing added": SumMultiplier(ScaledMultiplier(0.0, UNIT), BESSEL),
    "wiener of a power": WienerMultiplier(BESSEL, 0.3),
    "wiener of heat": WienerMultiplier(HEAT, 0.3),
    "wiener of unit": WienerMultiplier(SumMultiplier(UNIT, BESSEL), 0.3),
    "zero": ScaledMultiplier(0.0, MATERN),
}


def leading(tail: Asymptote, eigenvalues: torch.Tensor) -> torch.Tensor:
    return tail.coefficient * eigenvalues**-tail.power * torch.exp(-tail.rate * eigenvalues)


@pytest.mark.parametrize("name", KNOWN)
def test_the_leading_term_and_its_remainder(name: str):
    multiplier, tail = KNOWN[name].untruncated, KNOWN[name].asymptote
    assert tail is not None
    eigenvalues = torch.logspace(5.0, 7.0, 9, dtype=torch.float64)
    expected = leading(tail, eigenvalues)
    relative = (multiplier(eigenvalues) - expected).abs() / expected.abs().clamp(min=1e-300)
    remainder = min(tail.remainder, 3.0)
    assert (relative <= 300.0 * eigenvalues**-remainder + 1e-12).all()
    if tail.remainder <= 1.0 and tail.rate == 0.0 and tail.coefficient != 0.0:
        slope = (relative[-1] / relative[0]).log() / math.log(1e-2)
        assert slope.item() == pytest.approx(tail.remainder, abs=0.15)


UNKNOWN: dict[str, Multiplier] = {
    "one scale a sample": ScaledMultiplier(torch.tensor([1.0]), BESSEL),
    "cancelling": SumMultiplier(BESSEL, ScaledMultiplier(-1.0, BESSEL)),
    "cancelling but for rounding": SumMultiplier(BESSEL, ScaledMultiplier(-1.0 - 1e-12, BESSEL)),
    "oscillating": TruncatedGaussianMultiplier(0.1, 0.2, dim=1),
    "a product with an unknown": ProductMultiplier(
        TruncatedGaussianMultiplier(0.1, 0.2, dim=1), HEAT
    ),
    "a sum with an unknown": SumMultiplier(TruncatedGaussianMultiplier(0.1, 0.2, dim=1), UNIT),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_is_not_known_is_none(name: str):
    assert UNKNOWN[name].asymptote is None


@pytest.mark.parametrize("name", KNOWN)
def test_a_cutoff_changes_nothing_at_infinity(name: str):
    assert KNOWN[name].untruncated.asymptote == KNOWN[name].asymptote


tails = st.builds(
    Asymptote,
    st.sampled_from([-2.0, 0.0, 0.5, 1.0]),
    st.sampled_from([0.0, 0.5, 1.0]),
    st.sampled_from([0.0, 0.1]),
    st.sampled_from([1.0, 2.0, math.inf]),
)


@given(a=tails, b=tails, c=tails)
def test_the_algebra_is_commutative_and_distributes(a: Asymptote, b: Asymptote, c: Asymptote):
    assert a.times(b) == b.times(a)
    assert a.plus(b) == b.plus(a) or a.coefficient == b.coefficient == 0.0
    total = a.plus(b)
    if total is not None and 0.0 not in (a.coefficient, b.coefficient, c.coefficient):
        apart = a.times(c).plus(b.times(c))
        assert apart is not None
        assert apart.order == total.times(c).order
        assert apart.coefficient == pytest.approx(total.times(c).coefficient)


@pytest.mark.parametrize(
    "numbers", [(math.nan, 0, 0, 1), (1, math.inf, 0, 1), (1, 0, -1, 1), (1, 0, 0, 0)]
)
def test_numbers_that_make_no_asymptote_are_refused(numbers):
    with pytest.raises(ValueError, match="An asymptote's .* must be a finite number"):
        Asymptote(*numbers)
