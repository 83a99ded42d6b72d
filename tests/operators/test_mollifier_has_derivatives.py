"""Mollifier and Wiener filter are differentiable, and their gradient is the transposed operator."""

import pytest
import torch
from functions import function, grid
from torch.autograd import gradcheck, gradgradcheck
from torch.testing import assert_close

from inftydiff.operators import Function, gaussian_mollifier, wiener_inverse

T = gaussian_mollifier(0.2)


@pytest.mark.thorough
@pytest.mark.parametrize("operator", [T, wiener_inverse(T)])
def test_derivatives(operator):
    on = grid(3, 4)
    x = function(on, 0, 2).values.requires_grad_()
    assert gradcheck(lambda x: operator(Function(on, x)).values, x)
    assert gradgradcheck(lambda x: operator(Function(on, x)).values.sin(), x)


def test_the_gradient_of_an_inner_product_is_the_adjoint():
    on = grid(5, 6)
    f, g = function(on, 0, 2), function(on, 1, 2)
    x = f.values.clone().requires_grad_()
    T(Function(on, x)).inner(g).sum().backward()
    assert_close(x.grad, T.adjoint(g).values * on.cell_volume)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.bfloat16, 0.02)])
def test_lower_precision(dtype, tolerance):
    f = function(grid(33, 20), 0, 2)
    low = T(Function(f.on, f.values.to(dtype))).values
    assert low.dtype == dtype
    assert_close(low.double(), T(f).values, rtol=0, atol=tolerance)
