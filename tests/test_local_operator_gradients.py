"""Gradients: those of finite differences, and those of autograd through the definition."""

import pytest
import torch
from functions import values
from hypothesis import given, settings
from local_operators import Case, box_grid, cases, coarse, whole
from torch.autograd import gradcheck, gradgradcheck
from torch.testing import assert_close

from inftydiff.operators.local import local_operator, neighbours, reference
from inftydiff.operators.local.convolution import convolve, depthwise


@given(case=cases(whole | coarse))
def test_equal_those_of_the_definition(case):
    v, weight = case.values.requires_grad_(), case.weight.requires_grad_()
    along = values(case.seed + 3, *v.shape)
    image = local_operator(v, weight, case.map)
    expected = reference(v, weight, case.on.points, case.on.weights, case.cell)
    gradients = torch.autograd.grad(image, (v, weight), along)
    assert_close(gradients, torch.autograd.grad(expected, (v, weight), along), rtol=0, atol=1e-10)


@settings(max_examples=10)
@given(case=cases(whole | coarse, "one many"))
def test_equal_finite_differences(case):
    if case.values.numel() * case.weight.numel() > 4000:
        case = Case((4, 3), (1, 1), 3, 2, (2, 3), 5, 3, case.seed)
    v, weight = case.values.requires_grad_(), case.weight.requires_grad_()
    assert gradcheck(lambda v, w: local_operator(v, w, case.map), (v, weight))


@pytest.mark.parametrize("needs", [(True, False), (False, True)])
@pytest.mark.parametrize("points", [3, 30])
def test_of_either_argument_alone(points, needs):
    case = Case((6, 7), (1, 1), 5, 2, (3,), points, 3, 0)
    both = [case.values.requires_grad_(), case.weight.requires_grad_()]
    expected = torch.autograd.grad(local_operator(*both, case.map).sum(), both)
    alone = [x.detach().requires_grad_(needed) for x, needed in zip(both, needs, strict=True)]
    local_operator(*alone, case.map).sum().backward()
    for x, gradient, needed in zip(alone, expected, needs, strict=True):
        if needed:
            assert_close(x.grad, gradient, rtol=0, atol=0)
        else:
            assert x.grad is None


@pytest.mark.parametrize("points", [3, 30])
def test_of_a_subset_are_not_differentiated_again(points):
    case = Case((6, 7), (1, 1), 5, 2, (3,), points, 3, 0)
    weight = case.weight.requires_grad_()
    image = local_operator(case.values.requires_grad_(), weight, case.map)
    (gradient,) = torch.autograd.grad(image.square().sum(), weight, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


@pytest.mark.parametrize("factor", [1, 2])
def test_of_a_grid_are_differentiated_again(factor):
    grid = box_grid(4, 5)
    near = neighbours(grid, size=5, cell=tuple(factor * h for h in grid.spacing))
    inputs = values(0, 2, 20, 1).requires_grad_(), values(1, 1, 5, 5).requires_grad_()
    assert gradgradcheck(lambda v, w: local_operator(v, w, near), inputs)


@pytest.mark.parametrize(
    ("shape", "window"),
    [
        ((9,), (5,)),
        ((8, 7), (7, 7)),
        ((2, 3), (3, 5)),
        ((5, 6), (1, 11)),
        ((3, 4), (3, 1)),
        ((3, 4, 5), (3, 5, 3)),
    ],
)
def test_of_the_convolution_are_those_of_torch(shape, window):
    inputs = values(0, 2, *shape, 3).requires_grad_(), values(1, 3, *window).requires_grad_()
    along = values(2, 2, *shape, 3)
    ours, theirs = (torch.autograd.grad(f(*inputs), inputs, along) for f in (depthwise, convolve))
    assert_close(ours, theirs, rtol=0, atol=1e-12)
