"""The truncated Gaussian is convolution with its kernel; it keeps constants but is not positive."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, special

from inftydiff import Box, Function, Grid, gaussian_mollifier, wiener_inverse
from inftydiff.operators.mollifier import truncated_gaussian_mollifier

RADIAL = {1: np.cos, 2: special.j0, 3: lambda z: np.sinc(z / np.pi)}


def transform(wave: float, width: float, radius: float, dim: int) -> float:
    """The radial Fourier transform, by scipy's adaptive quadrature and Bessel functions."""

    def mass(r: np.ndarray) -> np.ndarray:
        return r ** (dim - 1) * np.exp(-0.5 * (r / width) ** 2)

    ends = np.linspace(0.0, radius, 2 + int(wave * radius / 5))
    pieces = list(pairwise(ends))
    options = {"epsabs": 1e-13, "epsrel": 1e-12}
    wanted = [
        integrate.quad(lambda r: RADIAL[dim](wave * r) * mass(r), *ends, **options)[0]
        for ends in pieces
    ]
    whole = [integrate.quad(mass, *ends, **options)[0] for ends in pieces]
    return sum(wanted) / sum(whole)


@given(
    dim=st.integers(1, 3),
    width=st.floats(0.02, 0.5),
    widths=st.floats(0.5, 6.0),
    turns=st.floats(0.0, 200.0),
)
def test_the_multiplier_is_the_transform_of_the_kernel(dim, width, widths, turns):
    radius = widths * width
    wave = turns / radius
    factor = truncated_gaussian_mollifier(width, dim=dim, radius=radius, cutoff=math.inf)
    actual = factor.multiplier(torch.tensor([0.0, wave**2], dtype=torch.float64))
    assert actual[0].item() == pytest.approx(1.0, abs=1e-13)
    assert actual[1].item() == pytest.approx(transform(wave, width, radius, dim), abs=1e-12)


def test_a_factor_does_not_depend_on_the_others_asked_for():
    multiplier = truncated_gaussian_mollifier(0.1, dim=2, cutoff=math.inf).multiplier
    waves = torch.linspace(0.0, 2000.0, 40, dtype=torch.float64)
    together = multiplier(waves**2)
    alone = torch.cat([multiplier(wave.reshape(1) ** 2) for wave in waves])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-13)


def test_a_wide_radius_gives_the_gaussian():
    eigenvalues = torch.linspace(0.0, 6400.0, 200, dtype=torch.float64)
    whole = gaussian_mollifier(0.1).multiplier(eigenvalues)
    for dim in (1, 2, 3):
        nine = truncated_gaussian_mollifier(0.1, dim=dim, radius=0.9).multiplier(eigenvalues)
        torch.testing.assert_close(nine, whole, rtol=0, atol=1e-14)
        four = truncated_gaussian_mollifier(0.1, dim=dim).multiplier(eigenvalues)
        assert 1e-5 < (four - whole).abs().max() < 2e-3


def test_it_is_convolution_with_the_kernel():
    grid, width, radius = Grid((600,), Box((1.0,), "periodic")), 0.05, 0.1
    T = truncated_gaussian_mollifier(width, dim=1, radius=radius, cutoff=math.inf)
    x = grid.points[:, 0]
    f = Function(grid, (torch.sin(2 * math.pi * x) + torch.cos(6 * math.pi * x)).unsqueeze(-1))
    offset = torch.linspace(-radius, radius, 20001, dtype=torch.float64)
    mass = torch.exp(-0.5 * (offset / width) ** 2)
    mass[[0, -1]] *= 0.5
    y = x[:50, None] - offset
    expected = (torch.sin(2 * math.pi * y) + torch.cos(6 * math.pi * y)) @ (mass / mass.sum())
    torch.testing.assert_close(T(f).values[:50, 0], expected, rtol=0, atol=1e-7)


@pytest.mark.parametrize("dim", [1, 2])
def test_it_keeps_constants_and_is_self_adjoint_but_not_positive(dim: int):
    grid = Grid((24,) if dim == 1 else (12, 12))
    T = truncated_gaussian_mollifier(0.06, dim=dim, radius=0.12, cutoff=math.inf)
    cells = Function(grid, torch.eye(grid.size, dtype=torch.float64))
    matrix, gaussian = T(cells).values, gaussian_mollifier(0.06)(cells).values
    torch.testing.assert_close(matrix.sum(-1), torch.ones_like(matrix.sum(-1)))
    torch.testing.assert_close(matrix, matrix.mT, rtol=0, atol=1e-14)
    assert torch.linalg.eigvalsh(matrix).min() < -1e-3
    assert torch.linalg.eigvalsh(gaussian).min() > -1e-14


def test_the_wiener_filter_turns_signs_with_it_and_gives_up_where_it_vanishes():
    T = truncated_gaussian_mollifier(0.06, dim=1, radius=0.12, cutoff=math.inf)
    response = T.multiplier(torch.linspace(0.0, 1e4, 4000, dtype=torch.float64))
    negative = response < -1e-3
    assert negative.any()
    filtered = wiener_inverse(T, noise_to_signal=0.01).multiplier
    eigenvalues = torch.linspace(0.0, 1e4, 4000, dtype=torch.float64)
    assert (filtered(eigenvalues)[negative] < 0).all()
    both = filtered(eigenvalues) * response
    assert (both >= 0).all()
    assert both.min() < 1e-3
