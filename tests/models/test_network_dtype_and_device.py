"""A network answers in the dtype and on the device of its input; bfloat16 agrees with float32."""

import pytest
import torch
from networks import functions, grid_16, network, subset_of, times

from inftydiff import Function

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_answer_is_like_the_input(dtype: torch.dtype, device: str):
    net = network().to(device, dtype)
    x = functions(subset_of(grid_16, 80))
    out = net(Function(x.on, x.values.to(device, dtype)), times().to(device, dtype)).values
    assert (out.dtype, out.device.type) == (dtype, device)
    exact = network()(x, times()).values
    scale = exact.abs().max().item()
    tolerance = scale * (1e-4 if dtype == torch.float32 else 1e-9)
    torch.testing.assert_close(out.cpu().double(), exact, rtol=0.0, atol=tolerance)


def test_a_network_computes_in_the_precision_of_its_parameters():
    x, t = functions(subset_of(grid_16, 80)), times()
    single = network().float()
    out = single(x, t).values
    assert out.dtype == torch.float64
    same = single(Function(x.on, x.values.float()), t.float()).values
    assert (out.float() - same).norm() < 1e-4 * same.norm()


@pytest.mark.parametrize("sparse", [True, False])
def test_bfloat16_agrees_with_float32(sparse: bool):
    net = network().float()
    x = functions(subset_of(grid_16, 80) if sparse else grid_16)
    x, t = Function(x.on, x.values.float()), times().float()
    exact = net(x, t).values
    with torch.autocast("cpu", torch.bfloat16):
        half = net(x, t).values
    assert half.dtype == torch.float32
    assert not torch.equal(half, exact)
    assert (half - exact).norm() < 0.05 * exact.norm()
