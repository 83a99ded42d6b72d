"""``compute_dtype`` changes what network and encoder compute in, and no dtype outside of them."""

import pytest
import torch
from autoencoders import autoencoder, seeded
from networks import functions, grid_16, times
from torch import nn

from inftydiff import Function


def model():
    return autoencoder().float()


def single(x: Function) -> Function:
    return Function(x.on, x.values.float())


def seen_by(part: nn.Module) -> list[torch.dtype]:
    """The dtypes that the linear maps of a part answer with, as they are called."""
    found: list[torch.dtype] = []
    for layer in part.modules():
        if isinstance(layer, nn.Linear):
            layer.register_forward_hook(lambda _, inputs, out: found.append(out.dtype))
    return found


@pytest.mark.parametrize("dtype", [None, torch.bfloat16])
def test_linear_maps_compute_in_it(dtype):
    pipeline = model()
    pipeline.compute_dtype = dtype
    network = seen_by(pipeline.network)
    encoder = seen_by(pipeline.encoder)
    loss = pipeline.loss(single(functions(grid_16)), times().float(), generator=seeded())
    expected = torch.float32 if dtype is None else dtype
    assert set(network) == set(encoder) == {expected}
    assert loss.dtype == torch.float32
    loss.sum().backward()
    assert all(p.grad.dtype == torch.float32 for p in pipeline.network.parameters())


def test_what_comes_out_is_of_the_dtype_that_goes_in():
    pipeline = model()
    pipeline.compute_dtype = torch.bfloat16
    x = single(functions(grid_16))
    z = pipeline.encode(x)
    assert z.dtype == torch.float32
    with torch.no_grad():
        assert pipeline(x, times().float(), latent=z).values.dtype == torch.float32
    assert pipeline.sample(on=grid_16, batch=1, generator=seeded()).values.dtype == torch.float32


def test_it_is_near_the_precision_of_the_parameters():
    pipeline, x = model(), single(functions(grid_16))
    exact = pipeline.encode(x)
    pipeline.compute_dtype = torch.bfloat16
    rough = pipeline.encode(x)
    assert not torch.equal(rough, exact)
    assert (rough - exact).norm() < 0.05 * exact.norm()


def test_the_prior_stays_in_single_precision():
    pipeline = model()
    before = pipeline.draw_latents(batch=2, generator=seeded())
    pipeline.compute_dtype = torch.bfloat16
    assert torch.equal(pipeline.draw_latents(batch=2, generator=seeded()), before)
