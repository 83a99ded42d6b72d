"""Gradients of every order: those of finite differences, and of autograd through the definition."""

from collections.abc import Callable
from fractions import Fraction

import pytest
import torch
from functions import values
from hypothesis import given
from local_operators import Case, backends, cases, coarse, every_backend, whole
from torch.autograd import gradcheck, gradgradcheck
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode

from inftydiff.operators.local import local_operator, reference
from inftydiff.operators.local._convolution import convolve, depthwise
from inftydiff.operators.local.backend import Backend


@given(case=cases(whole | coarse))
def test_equal_those_of_the_definition(case):
    v, weight = case.values.requires_grad_(), case.weight.requires_grad_()
    along = values(case.seed + 3, *v.shape)
    image = local_operator(v, weight, case.map)
    expected = reference(v, weight, case.on.points, case.on.weights, case.cell)
    gradients = torch.autograd.grad(image, (v, weight), along)
    assert_close(gradients, torch.autograd.grad(expected, (v, weight), along), rtol=0, atol=1e-10)


ON_LATTICES = {
    "a grid": Case((3, 4), (1, 1), 3, 2, (2,), None, None, 0),
    "a refined grid": Case((3, 4), (2, 2), 3, 1, (2,), None, None, 1),
    "a grid of another ratio": Case((7,), (Fraction(3, 2),), 3, 2, (), None, None, 2),
    "subsets": Case((4, 3), (1, 1), 3, 1, (2, 2), 5, 2, 3),
    "a refined subset": Case((4, 3), (2, Fraction(1, 2)), 3, 2, (2,), 5, None, 4),
    "channels mixed": Case((4, 3), (1, 1), 3, 2, (2,), 5, None, 5, 3),
    "channels of a grid mixed": Case((4, 3), (1, 1), 3, 2, (2,), None, None, 6, 3),
}
ANYWHERE = {
    "points anywhere": Case((4, 3), (1, 1), 3, 2, (2,), 5, None, 7, None, True),
    "channels mixed anywhere": Case((4, 3), (1, 1), 3, 2, (), 5, None, 8, 3, True),
}


def differences(case: Case, backend: Backend) -> None:
    near = case.map_by(backend)
    inputs = [x.to(near.mass.device).requires_grad_() for x in (case.values, case.weight)]
    assert gradcheck(lambda v, w: local_operator(v, w, near), inputs)
    assert gradgradcheck(lambda v, w: local_operator(v, w, near), inputs, fast_mode=True)


@pytest.mark.thorough
@backends("reference", "dense", "torch", "numba")
@pytest.mark.parametrize("name", ON_LATTICES)
def test_equal_finite_differences(name, backend):
    differences(ON_LATTICES[name], backend)


@backends("reference", "torch", "numba")
@pytest.mark.parametrize("name", ANYWHERE)
def test_equal_finite_differences_anywhere(name, backend):
    differences(ANYWHERE[name], backend)


@pytest.mark.thorough
@backends("triton")
@pytest.mark.parametrize("anywhere", [False, True])
def test_equal_finite_differences_by_triton(anywhere, backend):
    differences(Case((4,), (1,), 3, 1, (), 2, None, 9, None, anywhere), backend)


@pytest.mark.parametrize("needs", [(True, False), (False, True)])
@every_backend
def test_of_either_argument_alone(backend, needs):
    case = Case((6, 7), (1, 1), 3, 2, (3,), 9, 3, 0)
    near = case.map_by(backend)
    both = [x.to(near.mass.device).requires_grad_() for x in (case.values, case.weight)]
    expected = torch.autograd.grad(local_operator(*both, near).sum(), both)
    alone = [x.detach().requires_grad_(needed) for x, needed in zip(both, needs, strict=True)]
    local_operator(*alone, near).sum().backward()
    for x, gradient, needed in zip(alone, expected, needs, strict=True):
        if needed:
            assert_close(x.grad, gradient, rtol=0, atol=0)
        else:
            assert x.grad is None


@every_backend
@pytest.mark.parametrize("images", [None, 2])
def test_to_third_order(images, backend):
    case = Case((4, 3), (1, 1), 3, 2, (2,), 5, None, 0, images)
    near = case.map_by(backend)
    inputs = [x.to(near.mass.device).requires_grad_() for x in (case.values, case.weight)]

    def third(f: Callable[..., torch.Tensor]) -> list[torch.Tensor]:
        scalar, total = f(*inputs).pow(3).sum(), []
        for _ in range(3):
            gradients = torch.autograd.grad(scalar, inputs, create_graph=True)
            scalar = sum(g.pow(2).sum() for g in gradients)
            total.append(scalar.detach().cpu())
        return total

    points, weights = case.on.points, case.on.weights
    expected = third(lambda v, w: reference(v, w, points, weights, case.cell).to(v))
    for result, exact in zip(third(lambda v, w: local_operator(v, w, near)), expected, strict=True):
        assert_close(result, exact, rtol=1e-10, atol=0)


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


@pytest.mark.parametrize("needs", [(True, False), (False, True)])
@every_backend
def test_of_second_order_of_either_argument_alone(backend, needs):
    case = Case((4, 3), (1, 1), 3, 2, (2,), 5, None, 0)
    near = case.map_by(backend)
    both = [x.to(near.mass.device).requires_grad_() for x in (case.values, case.weight)]
    one = both[needs.index(True)]
    along = values(3, *case.values.shape).to(one.device).requires_grad_()

    def second(v: torch.Tensor, w: torch.Tensor) -> tuple[torch.Tensor, ...]:
        image = local_operator(v, w, near).pow(2)
        (first,) = torch.autograd.grad(image, one, along, create_graph=True)
        return torch.autograd.grad(first.pow(2).sum(), (one, along))

    alone = [x if needed else x.detach() for x, needed in zip(both, needs, strict=True)]
    assert_close(second(*alone), second(*both), rtol=0, atol=1e-11)


class Recorded(TorchDispatchMode):
    """Records which of the two gradients the operators of torch compute."""

    def __init__(self) -> None:
        super().__init__()
        self.computed: list[tuple[bool, ...]] = []

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        found = function(*arguments, **(options or {}))
        if "inftydiff" in str(function) and "gradients" in str(function):
            self.computed.append(tuple(x.numel() > 0 for x in found))
        return found


@pytest.mark.parametrize("needs", [(True, True), (True, False), (False, True)])
@backends("dense", "torch", "numba", "triton")
def test_what_is_not_asked_for_is_not_computed(backend, needs):
    case = Case((4, 3), (1, 1), 3, 2, (2,), 5, None, 0)
    near = case.map_by(backend)
    arguments = zip((case.values, case.weight), needs, strict=True)
    inputs = [x.to(near.mass.device).requires_grad_(needed) for x, needed in arguments]
    with Recorded() as record:
        local_operator(*inputs, near).sum().backward()
    assert record.computed == [needs]
