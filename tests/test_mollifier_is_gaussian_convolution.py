"""The mollifier is convolution with a Gaussian reflected at the sides of the box."""

import functools

import pytest
import torch
from functions import function, grid, seeds, shapes
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from inftydiff.operators import Function, Grid, gaussian_mollifier
from inftydiff.operators.basis import cosine_modes, eigenvalues
from inftydiff.testing.dense import matrix_of


def heat_kernel(x: torch.Tensor, y: torch.Tensor, length: float, width: float) -> torch.Tensor:
    """The Gaussian of a standard deviation and its images in two mirrors, row x, column y."""
    images = 2 * length * torch.arange(-5, 6, dtype=torch.float64)
    kernel = 0.0
    for mirrored in (y, -y):
        z = x[:, None, None] - mirrored[None, :, None] - images
        kernel = kernel + (-0.5 * (z / width) ** 2).exp().sum(-1)
    return kernel / (width * (2 * torch.pi) ** 0.5)


@pytest.mark.parametrize("shape", [(24,), (17, 12), (9, 7, 11)])
@pytest.mark.parametrize("cells", [3.0, 4.5])
def test_a_window_of_some_cells_is_the_quadrature_of_the_convolution(shape, cells):
    on = grid(*shape)
    width = cells * max(on.spacing)
    f = function(on, 0, 2)
    one_axis = [
        heat_kernel(on.axis(a), on.axis(a), on.domain.lengths[a], width) * on.spacing[a]
        for a in range(on.dim)
    ]
    expected = functools.reduce(torch.kron, one_axis) @ f.values
    assert_close(gaussian_mollifier(width)(f).values, expected, rtol=0, atol=1e-11)


@given(shape=shapes, seed=seeds, width=st.floats(1e-3, 2.0))
def test_any_window_is_the_sum_over_the_modes(shape, seed, width):
    on = grid(*shape)
    f = function(on, seed, 2)
    modes = functools.reduce(
        torch.kron,
        [cosine_modes(on.axis(a), on.shape[a], on.domain.lengths[a]) for a in range(on.dim)],
    )
    decay = (-0.5 * width**2 * eigenvalues(on.shape, on.domain.lengths)).exp().flatten()
    expected = modes @ (decay.unsqueeze(1) * (modes.mT @ (f.values * on.cell_volume)))
    assert_close(gaussian_mollifier(width)(f).values, expected, rtol=0, atol=1e-11)


def test_a_narrow_window_far_from_the_sides_is_a_gaussian():
    on, width = Grid((64, 64)), 3 / 64
    peak = torch.zeros(on.size, 1, dtype=torch.float64)
    peak[32 * 64 + 32] = 1 / on.cell_volume
    z2 = ((on.points - on.points[32 * 64 + 32]) ** 2).sum(-1, keepdim=True)
    expected = (-0.5 * z2 / width**2).exp() / (2 * torch.pi * width**2)
    assert_close(gaussian_mollifier(width)(Function(on, peak)).values, expected, rtol=0, atol=1e-8)


def test_the_matrix_is_positive_where_the_window_is_resolved():
    on = grid(8, 6)
    assert (matrix_of(gaussian_mollifier(0.3), on) > 0).all()
