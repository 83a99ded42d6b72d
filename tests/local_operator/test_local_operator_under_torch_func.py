"""By ``torch.func``, backwards and forwards, the derivatives are those of the definition."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from functions import values
from local_operators import Case, backends, every_backend
from torch.autograd import forward_ad
from torch.func import grad, hessian, jacfwd, jacrev, jvp, vjp, vmap
from torch.testing import assert_close

from inftydiff.operators.local import local_operator, reference

CASES = {
    "depthwise": Case((4, 3), (1, 1), 3, 2, (2,), 5, None, 0),
    "mixing": Case((4, 3), (1, 1), 3, 2, (2,), 5, None, 1, 3),
}
# Forward mode imports what torch itself has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")
named = pytest.mark.parametrize("name", CASES)


def both(case: Case, backend: str) -> tuple[list[Callable[..., torch.Tensor]], list[torch.Tensor]]:
    """The operator and its definition as functions of values and table, and these."""
    near = case.map_by(backend)
    points, weights = case.on.points, case.on.weights
    functions = [
        lambda v, w: local_operator(v, w, near),
        lambda v, w: reference(v, w, points, weights, case.cell).to(v.device),
    ]
    return functions, [x.to(near.mass.device) for x in (case.values, case.weight)]


def equal(name: str, backend: str, derivative: Callable[..., Any]) -> None:
    functions, arguments = both(CASES[name], backend)
    ours, theirs = (derivative(f, *arguments) for f in functions)
    assert_close(ours, theirs, rtol=1e-11, atol=1e-11)


@every_backend
@named
def test_gradients(name, backend):
    for argument in (0, 1, (0, 1)):
        equal(name, backend, lambda f, *x, a=argument: grad(lambda *y: f(*y).pow(3).sum(), a)(*x))


@every_backend
@named
def test_products_with_the_jacobian(name, backend):
    def forwards(f, v, w):
        return jvp(f, (v, w), (values(5, *v.shape).to(v), values(6, *w.shape).to(w)))

    def backwards(f, v, w):
        image, pull = vjp(f, v, w)
        return image, pull(values(7, *image.shape).to(image))

    equal(name, backend, forwards)
    equal(name, backend, backwards)


@every_backend
@named
def test_gradients_of_each_sample(name, backend):
    def each(f, v, w):
        return vmap(grad(lambda x, y: f(x, y).pow(3).sum(), (0, 1)), (0, None))(v, w)

    equal(name, backend, each)


@backends("dense", "torch", "numba")
@named
def test_jacobians(name, backend):
    for jacobian in (jacrev, jacfwd):
        for argument in (0, 1):
            equal(name, backend, lambda f, *x, j=jacobian, a=argument: j(f, a)(*x))


@pytest.mark.thorough
@backends("dense", "torch", "numba")
@named
def test_second_derivatives(name, backend):
    for second in (
        hessian,
        lambda f, a: jacrev(jacfwd(f, a), a),
        lambda f, a: jacrev(grad(f, a), a),
    ):
        for argument in (0, (0, 1)):
            equal(
                name,
                backend,
                lambda f, *x, s=second, a=argument: s(lambda *y: f(*y).pow(3).sum(), a)(*x),
            )


@every_backend
@named
def test_forward_mode(name, backend):
    def along(f, v, w):
        with forward_ad.dual_level():
            duals = [
                forward_ad.make_dual(x, values(i, *x.shape).to(x)) for i, x in enumerate((v, w))
            ]
            return forward_ad.unpack_dual(f(*duals)).tangent

    equal(name, backend, along)


@backends("dense", "torch", "numba")
@named
def test_a_map_that_is_made_inside(name, backend):
    case = CASES[name]

    def ours(v, w):
        return local_operator(v, w, case.map_by(backend)).pow(3).sum()

    (_, theirs), arguments = both(case, backend)
    expected = grad(lambda v, w: theirs(v, w).pow(3).sum(), (0, 1))(*arguments)
    assert_close(grad(ours, (0, 1))(*arguments), expected, rtol=1e-11, atol=1e-11)


@backends("numba")
def test_a_map_outlives_a_transform(backend):
    case = CASES["mixing"]
    near = case.map_by(backend)
    for _ in range(2):
        gradient = grad(lambda w: local_operator(case.values, w, near).sum())(case.weight)
        image = local_operator(case.values, case.weight.requires_grad_(), near)
        assert_close(gradient, *torch.autograd.grad(image.sum(), case.weight), rtol=0, atol=1e-12)
        case.weight.requires_grad_(False)
