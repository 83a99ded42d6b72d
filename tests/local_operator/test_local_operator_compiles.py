"""Compiled into one graph, the local operator has the same values and gradients.

Without gradients, which the graph is first compiled for, it has the same values.

The type checks of the test suite cannot be compiled, so this runs in an interpreter of its own.
"""

import os
import shutil
import subprocess
import sys

import pytest
import torch

from inftydiff.operators.local.backend import installed_backends

SCRIPT = """
import sys
import torch
from inftydiff.operators import Grid, Scattered, random_subset
from inftydiff.operators.local import local_operator, neighbours

compiler, cells, *backends = sys.argv[1:]
generator = torch.Generator().manual_seed(0)
grid = Grid((5, 4))
subset = random_subset(grid, 6, batch=2, generator=generator)
points = Scattered(torch.rand(6, 2, generator=generator))


def check(function, on, weight, *rest):
    inputs = [x.to(near.mass.device) for x in (drawn(2, on.size, 3), drawn(*weight, 3, 3))]
    torch.compiler.reset()
    compiled = torch.compile(function, backend=compiler, fullgraph=True)
    with torch.no_grad():
        torch.testing.assert_close(compiled(*inputs, *rest), function(*inputs, *rest))
    results = []
    for f in (compiled, function):
        leaves = [x.requires_grad_() for x in inputs]
        image = f(*leaves, *rest)
        results.append([image, *torch.autograd.grad(image.square().sum(), leaves)])
    torch.testing.assert_close(*results)


def drawn(*shape):
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


for backend, device in zip(backends[::2], backends[1::2]):
    if cells == "spacing":
        on = points if backend in ("torch", "triton") else subset
        near = neighbours(on, size=3, cell=grid.spacing, device=device, backend=backend)
        check(lambda v, w: local_operator(v.sin(), w, near).cos(), on, (3,))
        if backend in ("dense", "torch"):
            check(lambda v, w: local_operator(v.sin(), w, near).cos(), on, (2, 3))
    on = grid if backend == "dense" else points if backend == "numba" else subset
    spacings = [grid.spacing] if backend == "numba" else []
    others = [0.25, (0.4, 0.5)] if on is grid else [0.25]
    for cell in spacings if cells == "spacing" else others:
        near = neighbours(on, size=3, cell=cell, device=device, backend=backend)
        check(lambda v, w, near: local_operator(v, w, near), on, (3,), near)
"""


@pytest.mark.thorough
@pytest.mark.parametrize("cell", ["spacing", "other"])
def test_one_graph(cell):
    compiles("aot_eager", cell)


@pytest.mark.slow
@pytest.mark.skipif(
    not (shutil.which(os.environ.get("CXX", "g++")) or torch.cuda.is_available()),
    reason="there is no compiler",
)
@pytest.mark.parametrize("cell", ["spacing", "other"])
def test_code_that_is_generated(cell):
    compiles("inductor", cell)


def compiles(compiler: str, cell: str) -> None:
    where = {"dense": "cpu", "torch": "cpu", "numba": "cpu"}
    where["triton"] = "cuda" if torch.cuda.is_available() else "cpu"
    installed = [x for b, d in where.items() if b in installed_backends() for x in (b, d)]
    # The generator of code imports what torch itself has deprecated.
    warnings = ["-W", "error", "-W", "ignore:`torch.jit.script:DeprecationWarning"]
    command = [sys.executable, *warnings, "-c", SCRIPT, compiler, cell, *installed]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
