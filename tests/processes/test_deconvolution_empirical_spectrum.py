"""An empirical spectrum keeps the energy of its functions, and makes filters for them."""

import math

import pytest
import torch
from functions import function, grid, seeds, shapes
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from inftydiff.operators import (
    Box,
    Function,
    Grid,
    HeatMultiplier,
    Identity,
    gaussian_mollifier,
)
from inftydiff.operators.basis import eigenbasis
from inftydiff.operators.domain import BOUNDARIES
from inftydiff.processes import GaussianMeasure, WhiteNoise
from inftydiff.processes.budget import error_budget
from inftydiff.processes.deconvolution import optimal_wiener, variance_spectrum
from inftydiff.processes.empirical import RadialSpectrum, empirical_spectrum


@given(
    shape=shapes,
    boundary=st.sampled_from(BOUNDARIES),
    width=st.one_of(st.none(), st.floats(0.1, 100.0)),
    seed=seeds,
)
def test_parseval(shape, boundary, width, seed):
    """The energy is the squared norm of the function in the span of the grid's modes."""
    on = Grid(tuple(shape), Box((1.0, 0.7, 1.3)[: len(shape)], boundary))
    f = function(on, seed, 3, 2)
    spectrum = empirical_spectrum(f, width=width)
    modes = eigenbasis(on.domain).modes(on.points, on.shape)
    coefficients = torch.linalg.solve(modes, f.values)
    energy = coefficients.square().sum(-2).mean()
    assert_close((spectrum.variances * spectrum.modes).sum(), energy, rtol=1e-9, atol=0)
    assert spectrum.modes.sum() == on.size
    if boundary == "reflecting" or (boundary == "periodic" and all(n % 2 for n in shape)):
        assert_close(energy, f.norm().square().mean() / f.channels, rtol=1e-9, atol=0)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@given(size=st.integers(1, 12), seed=seeds)
def test_on_a_line_it_is_the_squared_coefficients(boundary, size, seed):
    """On a periodic one, their mean over the sine and the cosine of a wave."""
    on = Grid((size,), Box((0.7,), boundary))
    f = function(on, seed, channels=1)
    modes = eigenbasis(on.domain).modes(on.points, on.shape)
    squares = torch.linalg.solve(modes, f.values).square().squeeze(-1)
    eigenvalues = eigenbasis(on.domain).eigenvalues(on.shape)
    alike = (eigenvalues[:, None] - eigenvalues).abs() < 1e-9
    expected = (alike * squares).sum(-1) / alike.sum(-1)
    assert_close(empirical_spectrum(f)(eigenvalues), expected, rtol=1e-9, atol=1e-14)


@given(cells=st.lists(st.integers(1, 6), min_size=1, max_size=2), data=st.data())
def test_it_is_that_of_the_law_on_every_grid(cells, data):
    """Functions with the variances of a law in the grid's modes, and no others, have its spectrum.

    The alternating mode of an absorbing axis or of an even periodic one is as any other.
    """
    sides = tuple(data.draw(st.sampled_from(BOUNDARIES)) for _ in cells)
    on = Grid(tuple(cells), Box((1.0, 0.7)[: len(cells)], sides))
    basis = eigenbasis(on.domain)
    variances = HeatMultiplier(0.2)(basis.eigenvalues(on.shape).flatten())
    amplitudes = (on.size * variances).sqrt()
    functions = Function(on, (basis.modes(on.points, on.shape) * amplitudes).T.unsqueeze(-1))
    found = empirical_spectrum(functions, width=1e-6)
    assert_close(found.variances, HeatMultiplier(0.2)(found.waves**2), rtol=1e-6, atol=0)


@given(power=st.floats(0.0, 6.0), seed=seeds)
def test_power_laws_are_interpolated_exactly(power, seed):
    generator = torch.Generator().manual_seed(seed)
    knots = torch.rand(7, generator=generator, dtype=torch.float64).add(0.1).cumsum(0)
    limit = knots[-1].item()
    spectrum = RadialSpectrum(knots, knots**-power, None, limit)
    waves = torch.linspace(knots[0].item(), 0.999 * limit, 50, dtype=torch.float64)
    assert_close(spectrum(waves**2), waves**-power, rtol=1e-11, atol=0)


def test_the_constant_mode_the_ends_and_zeros():
    knots = torch.tensor([0.0, 1.0, 2.0, 3.0], dtype=torch.float64)
    spectrum = RadialSpectrum(knots, torch.tensor([9.0, 4.0, 0.0, 1.0]).double(), None, 5.0)
    waves = torch.tensor([0.0, 1e-9, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 5.01], dtype=torch.float64)
    found = spectrum((waves**2).reshape(3, 3)).flatten()
    assert found.tolist() == [9.0, 4.0, 4.0, 4.0, 0.0, 1.0, 1.0, 1.0, 0.0]
    between = spectrum(torch.tensor([1.5**2, 2.5**2], dtype=torch.float64))
    assert ((between > 0.0) & (between < 4.0)).all()
    assert spectrum.bound == 9.0
    assert [spectrum.bandwidth(tolerance) for tolerance in (10.0, 5.0, 2.0, 0.5)] == [0, 1, 2, 5]


def test_a_single_cell_has_the_constant_mode_only():
    spectrum = empirical_spectrum(Function(Grid((1, 1)), torch.full((2, 1, 3), 3.0)))
    assert spectrum(torch.tensor([0.0, 1.0])).tolist() == [9.0, 0.0]


@pytest.mark.parametrize("shape", [(32,), (12, 16)])
def test_draws_of_a_measure_have_its_spectrum(shape, generator):
    on = grid(*shape)
    data = GaussianMeasure(None, gaussian_mollifier(0.05) + 0.1 * Identity(), WhiteNoise(1.5))
    functions = data.sample(on, batch=2000, channels=2, generator=generator)
    spectrum = empirical_spectrum(functions, width=0.5)
    expected = variance_spectrum(data)(spectrum.waves**2)
    sigma = spectrum.variances * (2.0 / (2000 * 2 * spectrum.modes)).sqrt()
    assert ((spectrum.variances - expected).abs() < 5 * sigma + 0.02 * expected).all()


def test_its_filter_is_nearly_as_good_as_that_of_the_law(generator):
    on, T = Grid((32, 32)), gaussian_mollifier(1 / 32)
    data = GaussianMeasure(None, gaussian_mollifier(1 / 40) + 0.01 * Identity(), WhiteNoise())
    error = GaussianMeasure(None, Identity(), WhiteNoise(0.02))
    spectrum = empirical_spectrum(data.sample(on, batch=32, channels=3, generator=generator))

    def risk(law) -> float:
        W = optimal_wiener(T, data=law, error=error)
        return error_budget(T, W, data=data, on=on, error=error, finest=on).total().risk.item()

    assert risk(data) < risk(spectrum) < 1.01 * risk(data)
    assert math.isfinite(optimal_wiener(T, data=spectrum, error=error).multiplier.bound)
