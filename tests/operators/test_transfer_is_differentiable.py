"""Transfers and their adjoints have exact derivatives of every order, and keep no activations."""

import pytest
import torch
from functions import KINDS, discretisation, function, grid
from torch.autograd import gradcheck, gradgradcheck
from torch.autograd.graph import saved_tensors_hooks
from torch.testing import assert_close

from inftydiff.operators import Interpolation, KernelSmoother, NearestNeighbours

FINE, NODES = grid(3, 3), grid(2, 2)


def transfers(kind: str) -> list[Interpolation | KernelSmoother | NearestNeighbours]:
    on = discretisation(kind, FINE, 0, batch=2)
    return [
        Interpolation(NODES, on),
        KernelSmoother(on, NODES, 0.3),
        NearestNeighbours(on, NODES, 2),
    ]


@pytest.mark.thorough
@pytest.mark.parametrize("kind", KINDS)
def test_derivatives(kind):
    for A in transfers(kind):
        x = function(A.source, 0, 2).values.requires_grad_()
        y = function(A.target, 0, 2).values.requires_grad_()
        for apply, at in ((A.apply_values, x), (A.transpose_values, y)):
            assert gradcheck(apply, at)
            assert gradgradcheck(lambda x, apply=apply: apply(x).sin(), at)


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_is_the_transpose(kind):
    for A in transfers(kind):
        x, g = function(A.source, 0, 2).values.requires_grad_(), function(A.target, 1, 2).values
        (gradient,) = torch.autograd.grad(A.apply_values(x), x, g)
        assert_close(gradient, A.transpose_values(g))


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_of_the_size_of_the_values_is_kept(kind):
    channels, kept = 1000, []
    for A in transfers(kind):
        x = function(A.source, 0, 2, channels=channels).values.requires_grad_()
        with saved_tensors_hooks(lambda t: kept.append(t.numel()) or t, lambda t: t):
            A.apply_values(x)
    assert max(kept, default=0) < channels


@pytest.mark.parametrize("kind", KINDS)
def test_made_in_inference_mode_and_trained_later(kind):
    for A in transfers(kind):
        x = function(A.source, 0, 2).values
        with torch.inference_mode():
            before = A.apply_values(x)
        after = A.apply_values(x.requires_grad_())
        after.sum().backward()
        assert_close(after, before.clone())
