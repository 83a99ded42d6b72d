"""What is known of a mollified function on a mask depends on nothing that the mask hides."""

import pytest
import torch
from functions import function, seeds, values
from hypothesis import given

from inftydiff import (
    Box,
    CosineSchedule,
    DiffusionProcess,
    Function,
    Grid,
    Identity,
    WhiteNoise,
    gaussian_mollifier,
    known_signal,
)
from inftydiff.operators.mollifier import truncated_gaussian_mollifier

GRID = Grid((12, 10))
T = gaussian_mollifier(0.08)
PROCESS = DiffusionProcess.mollified(CosineSchedule(), T, noise=WhiteNoise(0.1))
MASK = GRID.points[:, 1] < 0.55


@given(seed=seeds)
def test_hidden_values_change_nothing(seed):
    x0 = function(GRID, seed, 2)
    other = torch.where(MASK.unsqueeze(-1), x0.values, values(seed + 1, 2, GRID.size, 2))
    one, two = known_signal(PROCESS, x0, MASK), known_signal(PROCESS, Function(GRID, other), MASK)
    assert torch.equal(one.values, two.values)
    missing = torch.where(MASK.unsqueeze(-1), x0.values, torch.nan)
    assert torch.equal(one.values, known_signal(PROCESS, Function(GRID, missing), MASK).values)
    leaking = T(Function(GRID, other)) - T(x0)
    assert leaking.values[:, MASK].abs().max() > 1e-3


@given(seed=seeds)
def test_it_is_the_normalised_mollification(seed):
    x0 = function(GRID, seed, channels=1)
    inside = MASK.unsqueeze(-1).double()
    expected = T(Function(GRID, inside * x0.values)).values / T(Function(GRID, inside)).values
    found = known_signal(PROCESS, x0, MASK, coverage=0.0)
    torch.testing.assert_close(found.values, expected[MASK])


def test_constants_are_known_exactly():
    three = Function(GRID, torch.full((GRID.size, 1), 3.0, dtype=torch.float64))
    found = known_signal(PROCESS, three, MASK)
    torch.testing.assert_close(found.values, torch.full_like(found.values, 3.0))


@pytest.mark.parametrize("coverage", [0.0, 0.5, 0.9, 0.99])
def test_coverage_erodes_the_mask(coverage):
    mass = T(Function(GRID, MASK.unsqueeze(-1).double())).values.flatten()
    found = known_signal(PROCESS, function(GRID, 0), MASK, coverage=coverage)
    assert found.size == int((MASK & (mass >= coverage)).sum())


def test_far_from_the_edge_it_is_the_mollification():
    x0 = function(GRID, 0, channels=1)
    found = known_signal(PROCESS, x0, MASK, coverage=0.9999)
    torch.testing.assert_close(found.values, found.reads(T(x0)), rtol=0.0, atol=2e-3)


def test_the_identity_mollifies_nothing():
    white = DiffusionProcess.white(CosineSchedule())
    x0 = function(GRID, 0)
    assert torch.equal(known_signal(white, x0, MASK).values, x0.values[MASK])


SIGNALS = {
    "half": 0.5 * T,
    "negative": -T,
    "two": T + gaussian_mollifier(0.2),
    "truncated": truncated_gaussian_mollifier(0.08, dim=2),
}


@pytest.mark.parametrize("name", sorted(SIGNALS))
@pytest.mark.parametrize("boundary", ["reflecting", "periodic", "absorbing"])
def test_constants_are_known_exactly_whatever_the_operator_makes_of_them(boundary, name):
    """What is known of S c is S c: near an absorbing side it is less than c."""
    on = Grid((12, 10), Box((1.0, 1.0), (boundary, "reflecting")))
    process = DiffusionProcess.mollified(CosineSchedule(), SIGNALS[name])
    three = Function(on, torch.full((on.size, 1), 3.0, dtype=torch.float64))
    found = known_signal(process, three, MASK)
    torch.testing.assert_close(found.values, found.reads(SIGNALS[name](three)))
    plain = DiffusionProcess.mollified(CosineSchedule(), T)
    if name == "half":
        assert found.size == known_signal(plain, three, MASK).size


def test_everything_known_is_the_signal():
    on = Grid((12, 10), Box((1.0, 1.0), "absorbing"))
    x0 = function(on, 0, channels=1)
    found = known_signal(PROCESS, x0, torch.ones(on.size, dtype=torch.bool), coverage=1.0)
    torch.testing.assert_close(found.values, T(x0).values)


def test_an_operator_without_averages_is_refused():
    process = DiffusionProcess.mollified(CosineSchedule(), Identity() - T)
    with pytest.raises(ValueError, match="takes constants to zero"):
        known_signal(process, function(GRID, 0), MASK)
