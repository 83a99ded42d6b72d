"""Operators compile into one graph, transfers once applied, with equal values and gradients.

The type checks of the test suite cannot be compiled, so this runs in an interpreter of its own.
"""

import subprocess
import sys

import pytest

SCRIPT = """
import torch
from inftydiff.operators import KernelSmoother, Box, Function, Grid, Scattered
from inftydiff.operators import gaussian_mollifier, random_subset

generator = torch.Generator().manual_seed(0)
fine, nodes = Grid((8, 8)), Grid((4, 4))
subset = random_subset(fine, 16, batch=2, generator=generator)
points = Scattered(torch.rand(2, 20, 2, generator=generator))
mixed = Grid((5, 4, 3), Box((1.0, 1.0, 1.0), ("reflecting", "periodic", "absorbing")))
applied = [
    (subset, KernelSmoother(subset, nodes, 0.2).apply_values),
    (points, KernelSmoother(points, nodes, 0.2).apply_values),
    (mixed, lambda x: gaussian_mollifier(0.1)(Function(mixed, x)).values),
]
for on, operator in applied:
    x = torch.randn(2, on.size, 3, generator=generator).double().requires_grad_()

    def apply(x, operator=operator):
        return operator(x.sin()).cos()

    eager = apply(x)
    compiled = torch.compile(apply, backend="aot_eager", fullgraph=True)(x)
    torch.testing.assert_close(compiled, eager)
    (gradient,) = torch.autograd.grad(eager.sum(), x)
    torch.testing.assert_close(torch.autograd.grad(compiled.sum(), x)[0], gradient)
"""


@pytest.mark.thorough
def test_one_graph():
    run = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
