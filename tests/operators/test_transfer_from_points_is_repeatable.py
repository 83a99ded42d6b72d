"""Transfers from and to the same points give the same bits each time, gradients too."""

import pytest
import torch
from functions import grid, scattered, values

from inftydiff.operators import Interpolation, KernelSmoother, NearestNeighbours, Scattered

NODES = grid(40, 44)


def results(batch: int | None, dtype: torch.dtype) -> list[torch.Tensor]:
    on = scattered(NODES.domain, 2000, 0, batch)
    squeezed = Scattered(on.points / 2, on.weights, on.domain)
    found = []
    for A in (
        KernelSmoother(on, NODES, 0.02),
        KernelSmoother(squeezed, NODES, 0.1),
        NearestNeighbours(on, NODES),
        Interpolation(NODES, on),
    ):
        x = values(0, 2, A.source.size, 5).to(dtype).requires_grad_()
        y = A.apply_values(x)
        found += [y, *torch.autograd.grad(y.square().sum(), x)]
    return found


@pytest.mark.parametrize("batch", [None, 2])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_same_bits(batch, dtype):
    first = results(batch, dtype)
    for _ in range(3):
        assert all(torch.equal(a, b) for a, b in zip(results(batch, dtype), first, strict=True))
