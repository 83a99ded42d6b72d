"""Filters, spectra and budgets refuse what they cannot use, and say what to do."""

import pytest
import torch
from functions import function, grid, subset

from inftydiff.operators import (
    Function,
    Grid,
    Identity,
    LocalOperator,
    gaussian_mollifier,
    wiener_inverse,
)
from inftydiff.operators.multiplier import ScaledMultiplier, UnitMultiplier
from inftydiff.processes import GaussianMeasure, WhiteNoise
from inftydiff.processes.budget import error_budget
from inftydiff.processes.deconvolution import optimal_wiener, variance_spectrum
from inftydiff.processes.empirical import RadialSpectrum, empirical_spectrum

ON = Grid((4, 4))
T = gaussian_mollifier(0.1)
WHITE = UnitMultiplier()
LAW = GaussianMeasure(None, Identity(), WhiteNoise())
LOCAL = LocalOperator(torch.ones(1, 3, 3, dtype=torch.float64), cell=0.25)


def budget(**changes):
    arguments = {"data": LAW, "on": ON, "error": LAW} | changes
    return error_budget(T, wiener_inverse(T), **arguments)


def test_a_negative_variance():
    with pytest.raises(ValueError, match="variances of the error .* got -1 at the wave number 0"):
        optimal_wiener(T, data=LAW, error=ScaledMultiplier(-1.0, WHITE))
    with pytest.raises(ValueError, match="variances of the signal .* got nan"):
        optimal_wiener(T, data=ScaledMultiplier(torch.tensor(torch.nan), WHITE), error=LAW)


def test_a_mean():
    law = GaussianMeasure(function(ON, 0), Identity(), WhiteNoise())
    with pytest.raises(ValueError, match="Subtract it from the data"):
        optimal_wiener(T, data=law, error=LAW)


def test_operators_that_are_not_spectral():
    with pytest.raises(TypeError):
        optimal_wiener(LOCAL, data=LAW, error=LAW)
    with pytest.raises(TypeError):
        variance_spectrum(GaussianMeasure(None, LOCAL, WhiteNoise()))


def test_two_laws_of_the_error():
    with pytest.raises(ValueError, match="Leave one out"):
        budget(output=torch.ones(4, 4))


@pytest.mark.parametrize("output", [torch.ones(16), torch.ones(4, 5)])
def test_an_output_of_another_shape(output):
    with pytest.raises(ValueError, match=r"one variance a mode, of shape \(4, 4\)"):
        budget(error=None, output=output)


@pytest.mark.parametrize(("value", "match"), [(-1.0, "not negative"), (float("nan"), "finite")])
def test_an_output_that_is_no_variance(value, match):
    with pytest.raises(ValueError, match=match):
        budget(error=None, output=torch.full((4, 4), value))


@pytest.mark.parametrize("finest", [Grid((4, 3)), Grid((8, 8), grid(1, 1).domain), Grid((8,))])
def test_a_finest_grid_that_is_not_finer(finest):
    with pytest.raises(ValueError, match="finest grid"):
        budget(finest=finest)


def test_one_scale_a_sample():
    with pytest.raises(ValueError, match="Make a budget for each"):
        budget(error=GaussianMeasure(None, torch.ones(2) * T, WhiteNoise()))


def test_spectra_of_functions_that_have_none():
    on = grid(4, 4)
    with pytest.raises(TypeError, match="functions on a Grid"):
        empirical_spectrum(function(subset(on, 5, 0), 0))
    with pytest.raises(ValueError, match="must be finite"):
        empirical_spectrum(Function(on, torch.full((16, 1), torch.nan)))
    with pytest.raises(ValueError, match="width of a ring"):
        empirical_spectrum(function(on, 0), width=0.0)


@pytest.mark.parametrize(
    ("waves", "variances", "limit", "match"),
    [
        ([0.0, 2.0, 1.0], [1.0, 1.0, 1.0], 3.0, "ascending"),
        ([-1.0, 2.0], [1.0, 1.0], 3.0, "ascending"),
        ([0.0, 2.0], [1.0], 3.0, "one variance for each"),
        ([0.0, 2.0], [1.0, -1.0], 3.0, "not negative"),
        ([0.0, 2.0], [1.0, float("inf")], 3.0, "must be finite"),
        ([0.0, 2.0], [1.0, 1.0], 1.0, "limit"),
    ],
)
def test_tables_that_are_no_spectra(waves, variances, limit, match):
    with pytest.raises(ValueError, match=match):
        RadialSpectrum(torch.tensor(waves).double(), torch.tensor(variances).double(), None, limit)
