"""No tensor in the mollifier, or in its gradient, has more than two numbers for each value."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from inftydiff import Box, Function, Grid, gaussian_mollifier
from inftydiff.operators.domain import BOUNDARIES

CHANNELS = 3
MOST = 2.0
"""How many numbers a tensor may have for each value."""

GRIDS = [(32, 32), (128, 96), (125, 127), (4096,), (16, 16, 16)]


class Largest(TorchDispatchMode):
    """The most real numbers that a tensor of any operation holds."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor):
                storage = tensor.untyped_storage().nbytes() // 8
                self.numbers = max(self.numbers, storage)
        return result


def largest(shape: tuple[int, ...], boundary: str) -> float:
    """The most float64 numbers that one tensor holds in forward and backward, a value."""
    grid = Grid(shape, Box((1.0,) * len(shape), boundary))
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(1, grid.size, CHANNELS, generator=generator, dtype=torch.float64)
    values.requires_grad_()
    with Largest() as seen:
        image = gaussian_mollifier(1 / 16)(Function(grid, values))
        image.values.square().sum().backward()
    assert values.grad is not None
    return seen.numbers / values.numel()


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("shape", GRIDS, ids=str)
def test_no_tensor_is_larger_than_two_functions(shape: tuple[int, ...], boundary: str):
    assert 1.0 <= largest(shape, boundary) <= MOST


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_the_largest_tensor_grows_as_the_points_do(boundary: str):
    coarse, fine = (largest((side, side), boundary) for side in (32, 256))
    assert fine <= 1.05 * coarse


def test_a_matrix_of_all_points_would_be_seen():
    with Largest() as seen:
        torch.eye(1024, dtype=torch.float64)
    assert seen.numbers == 1024**2
