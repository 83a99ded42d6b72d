r"""The mollifier is convolution with a Gaussian and its images beyond the sides of the box.

Reflecting sides have equal images in two mirrors, absorbing ones images of alternating sign, and
periodic ones copies a period apart.
"""

import functools

import pytest
import torch
from functions import boundaries, function, grid, seeds, shapes
from hypothesis import example, given
from hypothesis import strategies as st
from torch.testing import assert_close

from inftydiff.operators import Function, Grid, gaussian_mollifier
from inftydiff.operators.basis import eigenbasis
from inftydiff.operators.domain import BOUNDARIES
from inftydiff.testing.dense import matrix_of


def gaussian(z: torch.Tensor, width: float) -> torch.Tensor:
    return (-0.5 * (z / width) ** 2).exp().sum(-1) / (width * (2 * torch.pi) ** 0.5)


def heat_kernel(on: Grid, a: int, boundary: str, width: float) -> torch.Tensor:
    """The Gaussian and its images between the centres along an axis, row x, column y."""
    x, length = on.axis(a), on.domain.lengths[a]
    there, mirrored = x[:, None, None] - x[None, :, None], x[:, None, None] + x[None, :, None]
    copies = length * torch.arange(-20, 21, dtype=torch.float64)
    if boundary == "periodic":
        return gaussian(there - copies, width)
    sign = 1.0 if boundary == "reflecting" else -1.0
    return gaussian(there - 2 * copies, width) + sign * gaussian(mirrored - 2 * copies, width)


@given(shape=st.lists(st.integers(1, 9), min_size=1, max_size=3), names=boundaries, seed=seeds)
@example(shape=[24], names=("reflecting",) * 3, seed=0)
@example(shape=[24], names=("periodic",) * 3, seed=0)
@example(shape=[24], names=("absorbing",) * 3, seed=0)
@example(shape=[17, 12], names=("absorbing", "periodic", "reflecting"), seed=0)
@example(shape=[9, 7, 11], names=("absorbing", "periodic", "reflecting"), seed=0)
def test_a_window_of_three_cells_is_the_quadrature_of_the_convolution(shape, names, seed):
    on = grid(*shape, boundary=names)
    width = 3.0 * max(on.spacing)
    f = function(on, seed, 2)
    one_axis = [heat_kernel(on, a, names[a], width) * on.spacing[a] for a in range(on.dim)]
    expected = functools.reduce(torch.kron, one_axis) @ f.values
    assert_close(gaussian_mollifier(width)(f).values, expected, rtol=0, atol=1e-11)


@given(shape=shapes, names=boundaries, seed=seeds, width=st.floats(1e-3, 2.0))
def test_any_window_is_the_sum_over_the_modes(shape, names, seed, width):
    on = grid(*shape, boundary=names)
    f, basis = function(on, seed, 2), eigenbasis(on.domain)
    modes = basis.modes(on.points, shape)
    modes = modes / (modes.square().sum(0) * on.cell_volume).sqrt()
    decay = (-0.5 * width**2 * basis.eigenvalues(shape)).exp().flatten()
    expected = modes @ (decay.unsqueeze(1) * (modes.mT @ (f.values * on.cell_volume)))
    assert_close(gaussian_mollifier(width)(f).values, expected, rtol=0, atol=1e-11)


def test_a_narrow_window_far_from_the_sides_is_a_gaussian():
    on, width = Grid((64, 64)), 3 / 64
    peak = torch.zeros(on.size, 1, dtype=torch.float64)
    peak[32 * 64 + 32] = 1 / on.cell_volume
    z2 = ((on.points - on.points[32 * 64 + 32]) ** 2).sum(-1, keepdim=True)
    expected = (-0.5 * z2 / width**2).exp() / (2 * torch.pi * width**2)
    assert_close(gaussian_mollifier(width)(Function(on, peak)).values, expected, rtol=0, atol=1e-8)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_the_matrix_is_positive_where_the_window_is_resolved(boundary):
    on = grid(8, 6, boundary=boundary)
    assert (matrix_of(gaussian_mollifier(0.3), on) > 0).all()
