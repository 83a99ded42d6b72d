"""float32 agrees with float64; half precision is float32 rounded once; autocast changes nothing."""

import pytest
import torch
from functions import values
from hypothesis import given
from local_operators import Case, cases, coarse, every_backend, whole
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
    Case((8, 9), (1, 1), 7, 64, (2,), None, None, 0),
    Case((8, 9), (1, 1), 7, 64, (2,), 30, 2, 0),
    Case((8, 9), (1, 1), 3, 64, (2,), 30, None, 0, None, True),
]
FEW = {
    "depthwise": Case((4, 5), (1, 1), 3, 3, (2,), 8, 2, 0),
    "mixing": Case((4, 5), (1, 1), 3, 3, (2,), 8, 2, 0, 4),
    "points": Case((4, 5), (1, 1), 3, 3, (2,), 8, None, 0, None, True),
    "64 channels": Case((6, 6), (1, 1), 3, 64, (2,), 12, 2, 0),
}


def near_and_arguments(name, backend, *dtypes):
    """The map, values and table; on the lattice, if the backend knows nothing else."""
    case = FEW["depthwise" if backend == "dense" and name == "points" else name]
    near = case.map_by(backend)
    arguments = zip((case.values, case.weight), dtypes, strict=True)
    return near, [x.to(near.mass.device, dtype).requires_grad_() for x, dtype in arguments]


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


@every_backend
@half
@pytest.mark.parametrize("name", FEW)
def test_half_precision_on_every_backend(name, dtype, backend):
    near, (v, weight) = near_and_arguments(name, backend, dtype, torch.float32)
    image = local_operator(v, weight, near)
    single = [x.detach().float().requires_grad_() for x in (v, weight)]
    expected = local_operator(*single, near)
    assert image.dtype == dtype
    assert torch.equal(image, expected.to(dtype))
    along = values(1, *image.shape).to(image)
    gradients = torch.autograd.grad(image, (v, weight), along)
    d_values, d_weight = torch.autograd.grad(expected, single, along.float())
    assert torch.equal(gradients[0], d_values.to(dtype))
    assert torch.equal(gradients[1], d_weight)


@every_backend
@pytest.mark.parametrize(
    "dtypes", [(torch.float64, torch.float32), (torch.float32, torch.float64)], ids=str
)
@pytest.mark.parametrize("name", FEW)
def test_the_table_takes_the_dtype_of_the_values(name, dtypes, backend):
    near, (v, weight) = near_and_arguments(name, backend, *dtypes)
    image = local_operator(v, weight, near)
    gradients = torch.autograd.grad(image.sum(), (v, weight))
    assert (image.dtype, *(g.dtype for g in gradients)) == (dtypes[0], *dtypes)
    assert torch.equal(image, local_operator(v, weight.to(v), near))


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


@pytest.mark.thorough
@every_backend
@pytest.mark.parametrize("name", FEW)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_autocast(dtype, name, backend):
    near, inputs = near_and_arguments(name, backend, dtype, torch.float32)
    expected = local_operator(*inputs, near)
    with torch.autocast(near.mass.device.type, torch.bfloat16):
        image = local_operator(*inputs, near)
    assert image.dtype == dtype
    assert torch.equal(image, expected)
    gradients = [torch.autograd.grad(f.sum(), inputs) for f in (image, expected)]
    assert all(map(torch.equal, *gradients))


@every_backend
@pytest.mark.parametrize("name", FEW)
def test_a_backward_pass_inside_autocast(name, backend):
    near, inputs = near_and_arguments(name, backend, torch.float32, torch.float32)
    image = local_operator(*inputs, near)
    expected = torch.autograd.grad(image.sum(), inputs, retain_graph=True)
    with torch.autocast(near.mass.device.type, torch.bfloat16):
        gradients = torch.autograd.grad(image.sum(), inputs)
    assert all(map(torch.equal, gradients, expected))


@pytest.mark.parametrize("case", CASES)
def test_autocast_where_no_backend_is_named(case):
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
