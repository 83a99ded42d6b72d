"""The cosine modes are orthonormal eigenfunctions of the Laplacian with reflecting ends."""

import pytest
import torch
from functions import grid
from torch.autograd.functional import jacobian
from torch.testing import assert_close

from inftydiff.operators import cosine_analysis
from inftydiff.operators.basis import cosine_modes, eigenvalues

COUNT, LENGTH = 6, 0.7


def modes_at(x: torch.Tensor) -> torch.Tensor:
    return cosine_modes(x.reshape(1), COUNT, LENGTH)[0]


@pytest.mark.parametrize("place", [0.0, 0.123, 0.35, 0.7])
def test_minus_the_second_derivative_is_the_eigenvalue(place):
    x = torch.tensor(place, dtype=torch.float64)
    second = jacobian(lambda x: jacobian(modes_at, x, create_graph=True), x)
    assert_close(-second, eigenvalues([COUNT], [LENGTH]) * modes_at(x), rtol=1e-10, atol=1e-9)


@pytest.mark.parametrize("end", [0.0, LENGTH])
def test_the_slope_vanishes_at_the_ends(end):
    slope = jacobian(modes_at, torch.tensor(end, dtype=torch.float64))
    assert_close(slope, torch.zeros_like(slope), rtol=0, atol=1e-12)


@pytest.mark.parametrize("count", [6, 7, 50])
def test_orthonormal_in_the_weighted_inner_product_of_every_grid(count):
    on = grid(count)
    modes = cosine_modes(on.axis(0), COUNT, on.domain.lengths[0])
    assert_close(modes.mT @ (on.weights.unsqueeze(1) * modes), torch.eye(COUNT).double())


def test_analysis_gives_the_coefficients_of_the_modes():
    on = grid(9)
    modes = cosine_modes(on.axis(0), COUNT, on.domain.lengths[0])
    coefficients = cosine_analysis(modes * on.cell_volume**0.5, [0])
    assert_close(coefficients, torch.eye(9, COUNT).double(), rtol=0, atol=1e-13)


def test_the_eigenvalues_of_a_box_add_up():
    total = eigenvalues([2, 3], [1.0, 0.7])
    one, other = eigenvalues([2], [1.0]), eigenvalues([3], [0.7])
    assert_close(total, one[:, None] + other[None, :])
