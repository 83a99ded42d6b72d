"""The network's answer at points depends on where they are, and not on how they are given."""

import pytest
import torch
from torch.testing import assert_close

from inftydiff import Function, Grid, Scattered, random_subset
from inftydiff.models import MultiscaleNetwork, tiny


def network() -> MultiscaleNetwork:
    torch.manual_seed(0)
    model = MultiscaleNetwork(tiny(), 3).double()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return model


@pytest.mark.parametrize("batch", [None, 2])
def test_a_subset_and_its_points(generator, batch):
    subset = random_subset(Grid((16, 16)), 60, batch=batch, generator=generator)
    values = torch.randn(2, 60, 3, generator=generator, dtype=torch.float64)
    t, model = torch.tensor([0.2, 0.7], dtype=torch.float64), network()
    answer = model(Function(subset, values), t)
    scattered = Scattered(subset.points, subset.weights)
    assert_close(model(Function(scattered, values), t).values, answer.values, rtol=1e-9, atol=1e-12)


def test_points_of_weight_zero_are_not_there(generator):
    subset = random_subset(Grid((16, 16)), 60, generator=generator)
    values = torch.randn(1, 60, 3, generator=generator, dtype=torch.float64)
    weights = torch.cat([torch.ones(40), torch.zeros(20)]).double() / 40
    t, model = torch.tensor([0.4], dtype=torch.float64), network()
    some = Scattered(subset.points[:40], weights[:40])
    answer = model(Function(Scattered(subset.points, weights), values), t)
    alone = model(Function(some, values[:, :40]), t)
    assert_close(answer.values[:, :40], alone.values, rtol=1e-9, atol=1e-12)
