"""What cannot be tiled is refused: other networks, other points, gradients, sizes below one."""

import jaxtyping
import pytest
import torch
from networks import functions, grid_16, network, subset_of, times
from torch import nn

from inftydiff import Box, Function, Grid
from inftydiff.models import functionalise, tiled


@pytest.fixture(autouse=True)
def _as_shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the run-time type checks of the tests, which refuse some of this themselves."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


@pytest.mark.parametrize("other", [functionalise(nn.Identity()), nn.Linear(3, 3)])
def test_networks_whose_answers_depend_on_every_point(other):
    with pytest.raises(TypeError, match="may depend on all the others"):
        tiled(other, 8)


@pytest.mark.parametrize("size", [0, -1, (4, 0), 2.5])
def test_sizes(size):
    with pytest.raises(ValueError, match="A tile's side must be a whole number"):
        tiled(network(), size)


def test_some_points_of_a_grid():
    with pytest.raises(ValueError, match="full Grid"):
        tiled(network(), 8)(functions(subset_of(grid_16, 20)), times())


def test_gradients():
    x = functions(grid_16)
    wanted = Function(x.on, x.values.requires_grad_())
    with pytest.raises(ValueError, match="No gradient"):
        tiled(network(), 8)(wanted, times())
    with torch.no_grad():
        assert not tiled(network(), 8)(wanted, times()).values.requires_grad


def test_what_the_network_refuses():
    net = tiled(network(latent=4), 8)
    with pytest.raises(TypeError, match="takes a latent"):
        net(functions(grid_16), times())
    with pytest.raises(ValueError, match="channels"):
        tiled(network(), 8)(functions(grid_16, channels=2), times())
    with pytest.raises(ValueError, match="reflecting"):
        tiled(network(), 8)(functions(Grid((16, 16), Box((1.0, 1.0), "periodic"))), times())
