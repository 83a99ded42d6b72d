"""float32 agrees with float64; half precision is float32 rounded once; autocast changes nothing."""

import pytest
import torch
from functions import values
from hypothesis import given
from local_operators import Case, cases, coarse, whole
from torch.testing import assert_close

from inftydiff.operators import Function, LocalOperator, Scattered
from inftydiff.operators.local import local_operator

half = pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
CASES = [
    Case((8, 9), (1, 1), 5, 3, (2,), None, None, 0),
    Case((8, 9), (2, 3), 3, 3, (2,), None, None, 0),
    Case((8, 9), (1, 1), 5, 3, (2,), 30, 2, 0),
    Case((8, 9), (1, 1), 5, 3, (2,), 6, 2, 0),
    Case((8, 9), (2, 2), 5, 3, (2,), 6, 2, 0),
]


@given(case=cases(whole | coarse))
def test_single_precision(case):
    image = local_operator(case.values.float(), case.weight.float(), case.map)
    assert image.dtype == torch.float32
    expected = local_operator(case.values, case.weight, case.map)
    assert_close(image.double(), expected, rtol=0, atol=2e-5)


@half
@pytest.mark.parametrize("case", CASES)
def test_half_precision(case, dtype):
    v, weight = case.values.to(dtype), case.weight.float()
    expected = local_operator(v.float(), weight, case.map).to(dtype)
    assert_close(local_operator(v, weight, case.map), expected, rtol=0, atol=0)
    with torch.no_grad():
        assert_close(local_operator(v, weight, case.map), expected, rtol=0, atol=0)


@half
@pytest.mark.parametrize("case", CASES)
def test_gradients_in_half_precision(case, dtype):
    v = case.values.to(dtype).requires_grad_()
    weight = case.weight.float().requires_grad_()
    local_operator(v, weight, case.map).float().square().sum().backward()
    assert (v.grad.dtype, weight.grad.dtype) == (dtype, torch.float32)
    exact = case.values.to(dtype).double().requires_grad_()
    table = case.weight.float().double().requires_grad_()
    local_operator(exact, table, case.map).square().sum().backward()
    assert_close(v.grad.double(), exact.grad, rtol=0, atol=0.05 * exact.grad.abs().max().item())
    assert_close(
        weight.grad.double(), table.grad, rtol=0, atol=0.05 * table.grad.abs().max().item()
    )


@pytest.mark.parametrize("case", CASES)
def test_autocast(case):
    v, weight = case.values.float().requires_grad_(), case.weight.float().requires_grad_()
    expected = local_operator(v, weight, case.map)
    with torch.autocast("cpu", torch.bfloat16):
        image = local_operator(v, weight, case.map)
    assert_close(image, expected, rtol=0, atol=0)
    gradients = [torch.autograd.grad(f.sum(), (v, weight)) for f in (image, expected)]
    assert_close(*gradients, rtol=0, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_on_scattered_points(dtype):
    on = Scattered(torch.tensor([[0.1], [0.2], [0.7]]))
    operator = LocalOperator(values(0, 1, 3).float(), 0.1)
    assert operator(Function(on, values(1, 3, 1).to(dtype))).values.dtype == dtype
