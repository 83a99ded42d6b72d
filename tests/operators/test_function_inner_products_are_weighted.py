"""Inner product, norm and integral are the weighted sums of their definitions, sample by sample."""

import pytest
import torch
from functions import discretisation, function, grid, kinds, seeds, values
from hypothesis import given
from torch.testing import assert_close

from inftydiff.operators import Function


@given(kind=kinds, seed=seeds)
def test_against_loops(kind, seed):
    on = discretisation(kind, grid(3, 4), seed)
    f, g = function(on, seed, 3), function(on, seed + 1, 3)
    weights = on.weights.expand(3, on.size)
    for b in range(3):
        inner = sum(weights[b, p] * f.values[b, p] @ g.values[b, p] for p in range(on.size))
        assert_close(f.inner(g)[b], inner, rtol=0, atol=1e-12)
        integral = sum(weights[b, p] * f.values[b, p] for p in range(on.size))
        assert_close(f.integral()[b], integral, rtol=0, atol=1e-12)
        assert_close(f.norm()[b] ** 2, f.inner(f)[b])


@given(kind=kinds, seed=seeds)
def test_symmetric_bilinear_and_positive(kind, seed):
    on = discretisation(kind, grid(3, 4), seed)
    f, g, h = (function(on, seed + k, 3) for k in range(3))
    c = values(seed, 3)
    assert_close(f.inner(g), g.inner(f))
    assert_close((c * f + g).inner(h), c * f.inner(h) + g.inner(h), rtol=0, atol=1e-12)
    assert (f.norm() > 0).all()


@pytest.mark.parametrize("batch", [(), (3,), (2, 3)])
def test_shapes(batch):
    f = function(grid(3, 4), 0, *batch, channels=5)
    assert f.inner(f).shape == f.norm().shape == f.batch == batch
    assert f.integral().shape == (*batch, 5)
    assert f.channels == 5


def test_the_dtype_follows_the_values():
    f = Function(grid(4), torch.ones(2, 4, 1, dtype=torch.float32))
    assert f.inner(f).dtype == f.norm().dtype == f.integral().dtype == torch.float32
