"""Where patches overlap, averages still have exact adjoints, and derivatives of every order."""

import math

import pytest
import torch
from functions import function, grid, scattered, seeds
from hypothesis import given
from torch.autograd import gradcheck, gradgradcheck
from torch.testing import assert_close

from inftydiff.operators import KernelSmoother, NearestNeighbours

SHAPES = [(40,), (12, 9), (16, 12)]
BOUNDARIES = ["reflecting", "periodic", ("periodic", "reflecting", "periodic")]


def average(
    shape: tuple[int, ...], boundary, size: int, seed: int, batch: int | None
) -> KernelSmoother:
    nodes = grid(*shape, boundary=boundary)
    on = scattered(nodes.domain, size, seed, batch)
    return KernelSmoother(on, nodes, 0.15 * max(nodes.spacing))


@pytest.mark.thorough
@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("shape", [*SHAPES, (9, 9, 8)])
@given(seed=seeds)
def test_adjoints(shape, boundary, seed):
    window = average(shape, boundary, 6 * math.prod(shape), seed, 2)
    assert any(t.tiles > 1 for t in window._scattered.tilings)
    for A in (window, NearestNeighbours(window.source, window.target)):
        f, g = function(A.source, seed, 2), function(A.target, seed + 1, 2)
        assert_close(A(f).inner(g), f.inner(A.adjoint(g)), rtol=0, atol=1e-11)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("batch", [None, 2])
@pytest.mark.parametrize("shape", SHAPES[:2])
def test_derivatives(shape, boundary, batch):
    A = average(shape, boundary, 300, 0, batch)
    x = function(A.source, 0, 2, channels=1).values
    y = function(A.target, 0, 2, channels=1).values
    for apply, at in ((A.apply_values, x), (A.transpose_values, y)):
        at = at.requires_grad_()
        assert gradcheck(apply, at, fast_mode=True)
        assert gradgradcheck(lambda x, apply=apply: apply(x).sin(), at, fast_mode=True)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_gradient_is_the_transpose(shape):
    A = average(shape, "periodic", 6 * math.prod(shape), 0, 2)
    x, g = function(A.source, 0, 2).values.requires_grad_(), function(A.target, 1, 2).values
    (gradient,) = torch.autograd.grad(A.apply_values(x), x, g)
    assert_close(gradient, A.transpose_values(g), rtol=0, atol=0)
