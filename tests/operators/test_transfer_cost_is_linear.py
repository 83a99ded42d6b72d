"""Transfers from scattered points take memory and work linear in the points and in the nodes."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from functions import scattered
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from inftydiff.operators import Box, Grid, Interpolation, KernelSmoother, NearestNeighbours

KINDS = {
    "average": lambda on, nodes: KernelSmoother(on, nodes, nodes.spacing[0]),
    "neighbours": lambda on, nodes: NearestNeighbours(on, nodes),
    "interpolation": lambda on, nodes: Interpolation(nodes, on),
}


class Bytes(TorchDispatchMode):
    """Adds up the bytes of every tensor made, and remembers the largest."""

    def __init__(self):
        super().__init__()
        self.total = self.largest = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        given = {t.untyped_storage().data_ptr() for t in tree_leaves(args) if torch.is_tensor(t)}
        for tensor in tree_leaves(result):
            if torch.is_tensor(tensor) and tensor.untyped_storage().data_ptr() not in given:
                size = tensor.untyped_storage().nbytes()
                self.total, self.largest = self.total + size, max(self.largest, size)
        return result


def cost(kind: str, points: int, side: int) -> Bytes:
    on, nodes = scattered(Box((1.0, 1.0)), points, 0), Grid((side, side))
    with Bytes() as count:
        A = KINDS[kind](on, nodes)
        A.transpose_values(A.apply_values(torch.ones(A.source.size, 4)))
    return count


@pytest.mark.parametrize("kind", KINDS)
def test_four_times_the_points_and_nodes(kind):
    small, large = cost(kind, 4000, 64), cost(kind, 16000, 128)
    assert large.total < 5 * small.total
    assert large.largest < 5 * small.largest


@pytest.mark.parametrize("kind", KINDS)
def test_four_times_the_points(kind):
    few, many = cost(kind, 16000, 64), cost(kind, 64000, 64)
    assert many.total < 5 * few.total
    assert many.largest < 5 * few.largest


@pytest.mark.parametrize("kind", KINDS)
def test_no_tensor_of_points_by_nodes(kind):
    points, side = 100_000, 128
    assert cost(kind, points, side).largest < 4 * points * side**2 / 100


PEAK = """
import re, torch
from pathlib import Path
from inftydiff.operators import KernelSmoother, Grid, Interpolation, NearestNeighbours, Scattered

def kilobytes(name):
    return int(re.search(name + r":\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])

torch.set_num_threads(1)
p = torch.rand(100_000, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
on, nodes = Scattered(p), Grid((128, 128))
before = kilobytes("VmRSS")
maps = KernelSmoother(on, nodes, 1 / 128), NearestNeighbours(on, nodes), Interpolation(nodes, on)
for A in maps:
    x = torch.ones(A.source.size, 8, requires_grad=True)
    torch.autograd.grad(A.apply_values(x).sum(), x)
print(kilobytes("VmHWM") - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks Linux for the peak")
def test_a_hundred_thousand_points_onto_a_grid_of_128():
    command = [sys.executable, "-c", PEAK]
    kilobytes = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert 1000 < kilobytes < 600_000
