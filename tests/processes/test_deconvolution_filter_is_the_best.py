"""The optimal filter is the conditional mean, and no other filter has a smaller risk."""

import torch
from functions import grid, seeds, shapes
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from inftydiff.operators import Identity, gaussian_mollifier
from inftydiff.operators.basis import eigenbasis
from inftydiff.operators.spectral import SpectralOperator
from inftydiff.processes import GaussianMeasure, WhiteNoise
from inftydiff.processes.deconvolution import (
    deconvolution_risk,
    optimal_wiener,
    variance_spectrum,
)
from inftydiff.processes.empirical import RadialSpectrum
from inftydiff.testing.dense import matrix_of

widths = st.floats(0.02, 0.2)
levels = st.floats(0.05, 1.0)


def data_and_error(rough: float, level: float) -> tuple[GaussianMeasure, GaussianMeasure]:
    """Laws with spectra of different shapes and no modes above any grid's."""
    factor = gaussian_mollifier(rough) + 0.2 * Identity()
    other = gaussian_mollifier(0.5 * rough) + Identity()
    return (
        GaussianMeasure(None, factor, WhiteNoise(2.0)),
        GaussianMeasure(None, other, WhiteNoise(level)),
    )


@given(shape=st.lists(st.integers(1, 5), min_size=1, max_size=2), width=widths, level=levels)
def test_it_is_the_conditional_mean(shape, width, level):
    on, T = grid(*shape), gaussian_mollifier(width)
    data, error = data_and_error(0.1, level)
    A, K, E = matrix_of(T, on)[0], data.covariance(on), error.covariance(on)
    mean = K @ A.T @ torch.linalg.inv(A @ K @ A.T + E)
    W = optimal_wiener(T, data=data, error=error)
    assert_close(matrix_of(W, on)[0], mean, rtol=0, atol=1e-10)
    posterior = (K - mean @ A @ K).trace() * on.cell_volume
    risk = deconvolution_risk(T, W, data=data, error=error).total
    eigenvalues = eigenbasis(on.domain).eigenvalues(on.shape)
    assert_close(risk(eigenvalues).sum(), posterior, rtol=1e-10, atol=0)


@given(width=widths, rough=widths, level=levels)
def test_its_risk_has_a_closed_form(width, rough, level):
    T, (data, error) = gaussian_mollifier(width), data_and_error(rough, level)
    eigenvalues = torch.linspace(0.0, 1e4, 200, dtype=torch.float64)
    W = optimal_wiener(T, data=data, error=error)
    P, E = variance_spectrum(data)(eigenvalues), variance_spectrum(error)(eigenvalues)
    G = T.multiplier(eigenvalues)
    risk = deconvolution_risk(T, W, data=data, error=error).total(eigenvalues)
    assert_close(risk, P * E / (G**2 * P + E), rtol=1e-9, atol=0)


@given(shape=shapes, width=widths, level=levels, size=st.floats(0.01, 10.0), seed=seeds)
def test_every_perturbation_is_worse_in_every_mode(shape, width, level, size, seed):
    T, (data, error) = gaussian_mollifier(width), data_and_error(0.1, level)
    W = optimal_wiener(T, data=data, error=error)
    eigenvalues = eigenbasis(grid(*shape).domain).eigenvalues(shape).flatten().unique()
    generator = torch.Generator().manual_seed(seed)
    change = size * (0.1 + torch.rand(len(eigenvalues), generator=generator).double())
    knots = RadialSpectrum(eigenvalues.sqrt(), change, None, eigenvalues[-1].sqrt().item() + 1.0)
    best = deconvolution_risk(T, W, data=data, error=error).total(eigenvalues)
    for sign in (1.0, -1.0):
        other = W + sign * SpectralOperator(knots)
        risk = deconvolution_risk(T, other, data=data, error=error).total(eigenvalues)
        assert (risk > best).all()
