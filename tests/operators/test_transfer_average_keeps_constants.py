"""The average keeps constants and never leaves the range of its values, however far the points."""

import pytest
import torch
from functions import discretisation, function, grid, kinds, seeds, shapes
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from inftydiff.operators import Function, Grid, KernelSmoother, Scattered, Subset

DTYPES = [(torch.float64, 1e-13), (torch.float32, 1e-5), (torch.bfloat16, 0.02)]


@given(shape=shapes, kind=kinds, seed=seeds, width=st.floats(0.2, 3.0))
@pytest.mark.parametrize(("dtype", "tolerance"), DTYPES)
def test_constants(shape, kind, seed, width, dtype, tolerance):
    on = discretisation(kind, grid(*shape), seed)
    f = Function(on, torch.full((3, on.size, 2), 1.7, dtype=dtype))
    average = KernelSmoother(on, grid(*(n + 1 for n in shape)), width)(f)
    assert average.values.dtype == dtype
    assert_close(average.values, torch.full_like(average.values, 1.7), rtol=0, atol=tolerance)


@given(shape=shapes, kind=kinds, seed=seeds, width=st.floats(0.2, 3.0))
def test_range(shape, kind, seed, width):
    f = function(discretisation(kind, grid(*shape), seed), seed, 3)
    average = KernelSmoother(f.on, grid(*shape), width)(f).values
    assert (average <= f.values.amax(1, keepdim=True) + 1e-12).all()
    assert (average >= f.values.amin(1, keepdim=True) - 1e-12).all()


@pytest.mark.parametrize("scattered", [False, True])
@pytest.mark.parametrize(("dtype", "tolerance"), DTYPES)
def test_nodes_eight_widths_from_every_point(scattered, dtype, tolerance):
    on = Subset(Grid((40, 40)), torch.tensor([0, 1, 40, 41]))
    source = Scattered(on.points) if scattered else on
    target, values = Grid((2, 2)), torch.tensor([[1.0], [2.0], [4.0], [8.0]])
    far = (target.points[-1] - on.points).norm(dim=-1)
    width = far.min().item() / 8
    window = (-0.5 * (far / width) ** 2).exp()
    expected = (window / window.sum()) @ values.double()
    average = KernelSmoother(source, target, width)(Function(source, values.to(dtype))).values
    assert_close(average[-1].double(), expected, rtol=tolerance, atol=0)


@pytest.mark.parametrize("scattered", [False, True])
def test_nodes_beyond_the_window_are_reported(scattered):
    on = Subset(Grid((40, 40)), torch.tensor([0, 41]))
    source = Scattered(on.points) if scattered else on
    average = KernelSmoother(source, Grid((4, 4)), 0.01)
    with pytest.raises(ValueError, match=r"16 of 16 nodes of Grid\(\(4, 4\)\).*larger width"):
        average(function(source, 0))
