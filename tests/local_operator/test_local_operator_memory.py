"""Memory is a few times the values, whatever the number of taps and of nodes of the grid.

Autograd keeps the values; and sums over pairs ask for little more than the image and the gradients,
as PyTorch's profiler records.
"""

from collections.abc import Callable, Sequence

import pytest
import torch
from functions import subset, values
from local_operators import backends, cell_of
from torch.autograd.graph import saved_tensors_hooks
from torch.profiler import ProfilerActivity, profile

from inftydiff.operators import Grid
from inftydiff.operators.local import _convolution as convolution
from inftydiff.operators.local import local_operator, neighbours
from inftydiff.operators.local.backend import Backend

MIB = 2**20


def kept(on, ratio: int, size: int, channels: int, backend: Backend | None = None) -> int:
    """Bytes that the graph of one application holds, each memory once."""
    grid = on if isinstance(on, Grid) else on.grid
    near = neighbours(on, size=size, cell=cell_of(grid, (ratio, ratio)), backend=backend)
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


@backends("torch", "numba")
@pytest.mark.parametrize("points", [50, 150, 600])
def test_a_subset_keeps_its_values_and_its_pairs(points, backend):
    on = subset(Grid((32, 32)), points, 0, 3)
    lists = neighbours(on, size=7, cell=1 / 32, backend=backend).form.pairs.lists(backend)
    expected = 8 * (3 * points * 16 + 16 * 49 + 3 * points) + sum(x.nbytes for x in lists)
    assert kept(on, 1, 7, 16, backend) <= expected + 8 * 16 * 49


def test_a_grid_keeps_its_values():
    nodes = 8 * 3 * 32 * 32 * 16
    assert kept(Grid((32, 32)), 1, 7, 16) <= 1.1 * nodes


def test_a_refined_grid_keeps_a_few_times_its_values():
    nodes = 8 * 3 * 32 * 32 * 16
    assert kept(Grid((32, 32)), 2, 7, 16) <= 6 * nodes


def beyond(compute: Callable[[], Sequence[torch.Tensor]]) -> int:
    """The most bytes that are held at once while tensors are computed, beyond the tensors."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record:
        results = compute()
    held = most = 0
    for event in record.profiler.kineto_results.events():
        if event.name() == "[memory]":
            held += event.nbytes()
            most = max(most, held)
    return most - sum(x.nbytes for x in results)


@pytest.mark.parametrize(
    ("compute", "expected"),
    [
        (lambda x: x.exp(), 0),
        (lambda x: x.exp().exp(), 4 * MIB),
        (lambda x: x.exp().exp().sum(), 8 * MIB),
        (lambda x: x.expand(3, -1).contiguous().sum(0), 12 * MIB),
    ],
)
def test_what_is_computed_on_the_way_is_recorded(compute, expected):
    x = torch.ones(MIB)
    assert beyond(lambda: [compute(x)]) == pytest.approx(expected, abs=1024)


def at_256(backend: Backend) -> int:
    """What both passes need of a quarter of 256² points, for 4 samples of 64 channels."""
    grid = Grid((256, 256))
    near = neighbours(subset(grid, 128**2, 0, 4), size=7, cell=1 / 256, backend=backend)
    generator = torch.Generator().manual_seed(0)
    v, along = torch.randn(2, 4, 128**2, 64, generator=generator).unbind()
    inputs = [v.requires_grad_(), torch.randn(64, 7, 7, generator=generator).requires_grad_()]
    _ = near.form.pairs.by_tap, near.form.pairs.by_row

    def both() -> list[torch.Tensor]:
        image = local_operator(*inputs, near)
        return [image.detach(), *torch.autograd.grad(image, inputs, along)]

    return beyond(both)


@backends("numba")
def test_compiled_sums_need_a_few_mebibytes(backend):
    assert 0 < at_256(backend) < 4 * MIB


@backends("torch")
def test_sums_tap_by_tap_need_a_few_times_the_values(backend):
    assert 0 < at_256(backend) < 90 * MIB


@pytest.mark.parametrize("images", [(), (2,)])
def test_many_taps_in_float64_are_laid_out_some_rows_at_a_time(images, monkeypatch):
    monkeypatch.setattr(convolution, "COLUMNS", 2**18)
    grid = Grid((40, 30))
    near = neighbours(grid, size=3, cell=(8.5 / 40, 8.5 / 30))
    v = values(0, 2, grid.size, 2).requires_grad_()
    weight = values(1, *images, 2, 3, 3).requires_grad_()

    def both() -> list[torch.Tensor]:
        image = local_operator(v, weight, near)
        return [image.detach(), *torch.autograd.grad(image.sum(), (v, weight))]

    assert beyond(both) < 5 * MIB
