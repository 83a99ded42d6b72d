"""A multiplier's ``bound`` bounds it, and above its ``bandwidth`` it is below the tolerance."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inftydiff.operators import HeatMultiplier, WienerMultiplier
from inftydiff.operators._truncated import TruncatedGaussianMultiplier
from inftydiff.operators.covariance import BesselMultiplier, MaternMultiplier
from inftydiff.operators.multiplier import (
    ProductMultiplier,
    ScaledMultiplier,
    SumMultiplier,
    UnitMultiplier,
)

HEAT, NARROW = HeatMultiplier(0.1), HeatMultiplier(0.03)

DECAYING = {
    "heat": HEAT,
    "wiener": WienerMultiplier(NARROW, 0.05),
    "product": ProductMultiplier(HEAT, WienerMultiplier(NARROW, 0.2)),
    "product with the identity": ProductMultiplier(UnitMultiplier(), HEAT),
    "sum": SumMultiplier(NARROW, HEAT),
    "sum of two alike": SumMultiplier(HEAT, HEAT),
    "scaled": ScaledMultiplier(-3.0, HEAT),
    "scaled a sample": ScaledMultiplier(torch.tensor([2.0, -5.0]), NARROW),
    "matern": MaternMultiplier(0.5, 0.3, dim=2, std=2.0, cutoff=200.0),
    "bessel": BesselMultiplier(4.0, 0.3, cutoff=1e9),
    "bessel after heat": ProductMultiplier(HEAT, BesselMultiplier(1.0)),
    "truncated": TruncatedGaussianMultiplier(0.1, 0.2, dim=2, cutoff=80.0),
}


@pytest.mark.parametrize("name", DECAYING)
@given(tolerance=st.floats(1e-12, 0.5))
def test_decay(name, tolerance):
    m = DECAYING[name]
    wave = m.bandwidth(tolerance)
    assert math.isfinite(wave)
    above = (wave + torch.linspace(1e-9, 500.0, 2000, dtype=torch.float64)) ** 2
    assert m(above).abs().max() <= tolerance * (1 + 1e-6)


@pytest.mark.parametrize("name", DECAYING)
def test_bound(name):
    m = DECAYING[name]
    size = m(torch.linspace(0.0, 300.0, 20000, dtype=torch.float64) ** 2).abs().max()
    assert size <= m.bound * (1 + 1e-12)


@pytest.mark.parametrize(
    "m",
    [
        UnitMultiplier(),
        SumMultiplier(UnitMultiplier(), HEAT),
        ScaledMultiplier(2.0, UnitMultiplier()),
        MaternMultiplier(0.5, 0.3, dim=2),
        BesselMultiplier(4.0),
        SumMultiplier(BesselMultiplier(4.0), HEAT),
        TruncatedGaussianMultiplier(0.1, 0.2, dim=1),
    ],
)
def test_without_decay_the_band_is_unbounded(m):
    assert m.bandwidth(0.01) == math.inf
