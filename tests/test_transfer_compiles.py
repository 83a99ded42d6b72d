"""A transfer that has been applied once compiles into one graph, with equal values and gradients.

The type checks of the test suite cannot be compiled, so this runs in an interpreter of its own.
"""

import subprocess
import sys

SCRIPT = """
import torch
from inftydiff.operators import Average, Grid, Scattered, random_subset

generator = torch.Generator().manual_seed(0)
fine, nodes = Grid((8, 8)), Grid((4, 4))
subset = random_subset(fine, 16, batch=2, generator=generator)
points = Scattered(torch.rand(2, 20, 2, generator=generator))
for A in (Average(subset, nodes, 0.2), Average(points, nodes, 0.2)):
    x = torch.randn(2, A.source.size, 3, generator=generator).double().requires_grad_()

    def apply(x, A=A):
        return A.apply_values(x.sin()).cos()

    eager = apply(x)
    compiled = torch.compile(apply, backend="aot_eager", fullgraph=True)(x)
    torch.testing.assert_close(compiled, eager)
    (gradient,) = torch.autograd.grad(eager.sum(), x)
    torch.testing.assert_close(torch.autograd.grad(compiled.sum(), x)[0], gradient)
"""


def test_one_graph():
    run = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
