"""An encoder refuses functions that it cannot read, and latents out of range."""

import pytest
import torch
from encoders import encoder
from networks import functions, grid_16

from inftydiff import Function, Grid
from inftydiff.models import Encoder, tiny


@pytest.mark.parametrize(
    "x",
    [
        functions(grid_16, channels=2),
        functions(Grid((256,))),
        Function(grid_16, functions(grid_16).values[0]),
    ],
    ids=["channels", "dimension", "batch"],
)
def test_functions_of_another_kind(x: Function):
    with pytest.raises(ValueError, match="takes functions in the plane with values of shape"):
        encoder()(x)


@pytest.mark.parametrize("latent", [0, -1, 2**17])
def test_a_latent_of_no_such_size(latent: int):
    with pytest.raises(ValueError, match="number of features of a latent must be"):
        Encoder(tiny(), 3, latent)


def test_half_precision_gives_latents_in_single():
    net = encoder().to(torch.bfloat16)
    with torch.no_grad():
        assert net(functions(grid_16)).mean.dtype == torch.float32
