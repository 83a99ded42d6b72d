"""Autograd keeps a few times the values, whatever the number of taps and of nodes of the grid."""

import pytest
import torch
from functions import subset, values
from local_operators import cell_of
from torch.autograd.graph import saved_tensors_hooks

from inftydiff.operators import Grid
from inftydiff.operators.local import local_operator, neighbours


def kept(on, ratio: int, size: int, channels: int) -> int:
    """Bytes that the graph of one application holds, each memory once."""
    grid = on if isinstance(on, Grid) else on.grid
    near = neighbours(on, size=size, cell=cell_of(grid, (ratio, ratio)))
    v = values(0, 3, on.size, channels).requires_grad_()
    weight = values(1, channels, size, size).requires_grad_()
    storages = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        local_operator(v, weight, near)
    return sum(storages.values())


@pytest.mark.parametrize("points", [50, 150, 600])
def test_a_subset_keeps_its_values(points):
    on = subset(Grid((32, 32)), points, 0, 3)
    expected = 8 * (3 * points * 16 + 16 * 49 + 3 * points)
    assert kept(on, 1, 7, 16) <= expected + 8 * 16 * 49


def test_a_grid_keeps_its_values():
    nodes = 8 * 3 * 32 * 32 * 16
    assert kept(Grid((32, 32)), 1, 7, 16) <= 1.1 * nodes


def test_a_refined_grid_keeps_a_few_times_its_values():
    nodes = 8 * 3 * 32 * 32 * 16
    assert kept(Grid((32, 32)), 2, 7, 16) <= 6 * nodes
