"""What a network answers to one sample does not depend on the others of its batch."""

import pytest
import torch
from networks import functions, grid_16, network, subset_of, times

from inftydiff import Function, Subset


@pytest.mark.parametrize("size", [64, 256])
def test_a_sample_alone_has_the_same_answer(size: int):
    net, t = network(), times(3)
    subset = subset_of(grid_16, size, batch=3)
    x = functions(subset, batch=3)
    together = net(x, t).values
    for i in range(3):
        alone = Function(Subset(grid_16, subset.index[i : i + 1]), x.values[i : i + 1])
        torch.testing.assert_close(
            net(alone, t[i : i + 1]).values[0], together[i], rtol=1e-10, atol=1e-10
        )


def test_a_sample_on_a_grid_alone_has_the_same_answer():
    net, t, x = network(), times(3), functions(grid_16, batch=3)
    together = net(x, t).values
    for i in range(3):
        alone = net(Function(grid_16, x.values[i : i + 1]), t[i : i + 1]).values
        torch.testing.assert_close(alone[0], together[i], rtol=1e-10, atol=1e-10)


def test_a_shared_subset_is_a_subset_for_each_sample():
    net, t = network(), times(2)
    shared = subset_of(grid_16, 100, batch=None)
    each = Subset(grid_16, shared.index.expand(2, -1).clone())
    x = functions(shared)
    torch.testing.assert_close(
        net(x, t).values, net(Function(each, x.values), t).values, rtol=1e-10, atol=1e-10
    )
