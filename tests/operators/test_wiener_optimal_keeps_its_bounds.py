"""The optimal filter's ``bound`` bounds it closely, and above its ``bandwidth`` it is small."""

import math

import pytest
import torch
from functions import function, grid
from hypothesis import given
from hypothesis import strategies as st

from inftydiff.operators import Box, Grid, HeatMultiplier, Multiplier, SpectralOperator
from inftydiff.operators.multiplier import (
    ProductMultiplier,
    ScaledMultiplier,
    SumMultiplier,
    UnitMultiplier,
)
from inftydiff.operators.wiener import OptimalWienerMultiplier
from inftydiff.processes import RandomField
from inftydiff.processes.empirical import RadialSpectrum

G = HeatMultiplier(0.05)
WHITE = UnitMultiplier()
WAVES = torch.tensor([0.0, 3.0, 10.0, 30.0, 60.0], dtype=torch.float64)
MEASURED = RadialSpectrum(WAVES, 1.0 / (1.0 + WAVES**4), None, 70.0)

FILTERS = {
    "white error": OptimalWienerMultiplier(G, HeatMultiplier(0.04), ScaledMultiplier(1e-4, WHITE)),
    "white data": OptimalWienerMultiplier(G, WHITE, ScaledMultiplier(1e-2, WHITE)),
    "measured data": OptimalWienerMultiplier(G, MEASURED, ScaledMultiplier(1e-7, WHITE)),
    "error of noise and rounding": OptimalWienerMultiplier(
        G, WHITE, SumMultiplier(ProductMultiplier(G, G), ScaledMultiplier(1e-12, WHITE))
    ),
    "one error a sample": OptimalWienerMultiplier(
        G, WHITE, ScaledMultiplier(torch.tensor([1e-2, 1e-4], dtype=torch.float64), WHITE)
    ),
    "no data": OptimalWienerMultiplier(G, ScaledMultiplier(0.0, WHITE), WHITE),
}


def sizes(m: Multiplier, waves: torch.Tensor) -> torch.Tensor:
    return m(waves**2).abs().reshape(-1, len(waves)).amax(0)


@pytest.mark.parametrize("name", FILTERS)
def test_bound(name):
    m = FILTERS[name]
    largest = sizes(m, torch.linspace(0.0, 400.0, 100_003, dtype=torch.float64)).max().item()
    assert largest <= m.bound <= 1.02 * largest


@pytest.mark.parametrize("name", FILTERS)
@given(tolerance=st.floats(1e-12, 0.5))
def test_decay(name, tolerance):
    m = FILTERS[name]
    wave = m.bandwidth(tolerance)
    assert math.isfinite(wave)
    above = wave + torch.linspace(1e-9, 500.0, 5000, dtype=torch.float64)
    assert (sizes(m, above) <= tolerance).all()
    if wave > 0.0:
        assert sizes(m, torch.tensor([wave / 1.01], dtype=torch.float64)) > 0.5 * tolerance


def test_nothing_is_divided_by_zero():
    none = ScaledMultiplier(0.0, WHITE)
    eigenvalues = torch.linspace(0.0, 1e7, 500, dtype=torch.float64)
    for signal, error in ((none, none), (none, WHITE), (WHITE, none), (MEASURED, none)):
        factors = OptimalWienerMultiplier(G, signal, error)(eigenvalues)
        assert factors.isfinite().all()
        assert (factors[signal(eigenvalues) == 0.0] == 0.0).all()
    exact = OptimalWienerMultiplier(G, WHITE, none)(eigenvalues[:5])
    assert torch.allclose(exact * G(eigenvalues[:5]), torch.ones(5, dtype=torch.float64))


def test_a_plain_inverse_has_no_bound():
    inverse = OptimalWienerMultiplier(G, WHITE, ProductMultiplier(G, G))
    with pytest.raises(ValueError, match="Add a white part to the error"):
        _ = inverse.bound
    on = grid(8, 9)
    restored = SpectralOperator(inverse)(SpectralOperator(G)(function(on, 0, 2)))
    assert (restored.values - 0.5 * function(on, 0, 2).values).abs().max() < 1e-12


def test_a_field_is_filtered_before_it_is_read():
    box = Box((1.0, 0.7))
    field = RandomField(seed=3, domain=box, batch=2, channels=1, intensity=1.0)
    T, W = SpectralOperator(G), SpectralOperator(FILTERS["white error"])
    on = Grid((81, 81), box)
    read_after = W(T(field))(on, dtype=torch.float64)
    read_before = W(T(field)(on, dtype=torch.float64))
    assert read_after.norm().min() > 1.0
    assert (read_after - read_before).norm().max() < 1e-7
