"""Recomputing blocks leaves answers and gradients as they are, and keeps half as much or less."""

import pytest
import torch
from autoencoders import autoencoder, seeded
from networks import functions, grid_16, subset_of, times
from torch.autograd.graph import saved_tensors_hooks

from inftydiff import Function, Grid, random_subset
from inftydiff.models import MultiscaleNetwork, UNet, faces_64, recompute_blocks


def gradients(model, gradient_checkpointing: bool) -> list[torch.Tensor]:
    recompute_blocks(model, gradient_checkpointing)
    model.zero_grad()
    x0 = Function(grid_16, functions(grid_16).values.tanh())
    at, seen = subset_of(grid_16, 90), x0.restrict(subset_of(grid_16, 120, seed=1))
    loss = model.loss(x0, times(), at=at, seen=seen, generator=seeded())
    loss.sum().backward()
    trained = [*model.network.parameters(), *model.encoder.parameters()]
    return [loss.detach(), *(parameter.grad.clone() for parameter in trained)]


def test_the_gradients_of_encoder_and_decoder():
    model = autoencoder().train()
    for one, other in zip(gradients(model, True), gradients(model, False), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-14)


def test_dropout_is_drawn_again_as_it_was():
    torch.manual_seed(0)
    net = UNet(8, 4, channel_multipliers=(1, 2), head_dim=8, dropout=0.5).double().train()
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    found = []
    for gradient_checkpointing in (True, False):
        recompute_blocks(net, gradient_checkpointing)
        x = torch.ones(1, 8, 4, 4, dtype=torch.float64, requires_grad=True)
        torch.manual_seed(1)
        net(x, torch.ones(1, 4, dtype=torch.float64)).square().sum().backward()
        found.append(x.grad)
    torch.testing.assert_close(*found, rtol=1e-12, atol=1e-14)


def kept(network: MultiscaleNetwork, x: Function, gradient_checkpointing: bool) -> int:
    """Bytes that the graph of one pass holds, each memory once, the parameters apart."""
    recompute_blocks(network, gradient_checkpointing)
    storages = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        network(x, torch.tensor([0.3] * len(x.values)))
    owned = {p.untyped_storage().data_ptr() for p in network.parameters()}
    return sum(size for place, size in storages.items() if place not in owned)


@pytest.mark.parametrize("share", [1, 4])
def test_what_is_kept_is_at_least_halved(share: int):
    torch.manual_seed(0)
    network, grid = MultiscaleNetwork(faces_64(), 3).train(), Grid((64, 64))
    x = Function(grid, torch.randn(2, grid.size, 3))
    if share > 1:
        x = x.restrict(random_subset(grid, grid.size // share, generator=seeded()))
    assert kept(network, x, True) <= 0.5 * kept(network, x, False)


def test_nothing_is_recomputed_without_gradients():
    model = autoencoder()
    recompute_blocks(model)
    with torch.no_grad():
        x = model.sample(on=model.grid(8), batch=1, generator=seeded())
    assert x.values.isfinite().all()
