"""The transforms have derivatives of every order, and can be mapped over samples."""

import pytest
import torch
from functions import grid, values
from torch.autograd import gradcheck, gradgradcheck
from torch.testing import assert_close

from inftydiff.operators.basis import Eigenbasis, eigenbasis
from inftydiff.operators.domain import BOUNDARIES, Point

SHAPES = [(1, 1), (2, 3), (5, 4)]
TRANSFORMS = [Eigenbasis.analysis, Eigenbasis.synthesis]


@pytest.mark.thorough
@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("shape", SHAPES)
def test_first_and_second_derivative(transform, boundary, shape):
    basis = eigenbasis(grid(*shape, boundary=boundary).domain)
    x = values(0, *shape).requires_grad_()
    assert gradcheck(lambda x: transform(basis, x), x)
    assert gradgradcheck(lambda x: transform(basis, x).sin(), x)


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_on_a_point(transform):
    basis, x = eigenbasis(Point()), values(0, 3).requires_grad_()
    assert gradcheck(lambda x: transform(basis, x), x)
    assert_close(transform(basis, x), x)


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_mapped_over_samples(transform, boundary):
    basis, x = eigenbasis(grid(5, 4, boundary=boundary).domain), values(0, 3, 5, 4)
    mapped = torch.vmap(lambda x: transform(basis, x))(x)
    assert_close(mapped, transform(basis, x), rtol=0, atol=1e-14)
    gradient = torch.func.grad(lambda x: transform(basis, x).sin().sum())(x)
    one_by_one = torch.vmap(torch.func.grad(lambda x: transform(basis, x).sin().sum()))(x)
    assert_close(one_by_one, gradient, rtol=0, atol=1e-14)
