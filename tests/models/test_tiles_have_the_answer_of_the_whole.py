"""A tiled network answers as the untiled one, to rounding, whatever the tiles and the grid."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import functions, network, randomised, times

from inftydiff import Box, Function, Grid
from inftydiff.models import MultiscaleNetwork, tiled, tiny

WIDE = Box((1.0, 0.5))


def answers(net, x: Function, size, latent=None) -> tuple[torch.Tensor, torch.Tensor]:
    t = times(x.batch[0])
    with torch.no_grad():
        whole = net(x, t, latent=latent).values
        parts = tiled(net, size)(x, t, latent=latent).values
    assert parts.dtype == whole.dtype
    return parts, whole


@settings(deadline=None, max_examples=12)
@given(
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    size=st.tuples(st.integers(8, 50), st.integers(8, 50)),
    seed=st.integers(0, 2**20),
)
def test_any_shape_and_any_tile(shape, size, seed):
    domain = Box(tuple(n / 16 for n in shape))
    x = functions(Grid(shape, domain), seed, batch=1)
    parts, whole = answers(network(seed), x, size)
    torch.testing.assert_close(parts, whole, rtol=1e-11, atol=1e-11)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("grid", "size"),
    [
        (Grid((16, 16)), 5),  # smaller than the halo
        (Grid((32, 32)), 16),  # two cells of the grid a cell of the kernels
        (Grid((40, 24), Box((1.0, 0.6))), (17, 40)),  # no whole number of them, and strips
        (Grid((48, 24), WIDE), 48),  # one tile
        (Grid((48, 24), WIDE), 13),
        (Grid((6, 5)), 2),  # coarser than the kernels' cell
    ],
    ids=str,
)
@pytest.mark.parametrize("latent", [None, 4])
def test_refined_grids_with_and_without_latents(grid: Grid, size, latent):
    codes = None if latent is None else functions(Grid((1, 2)), channels=2).values.flatten(1)
    parts, whole = answers(network(latent=latent), functions(grid), size, codes)
    torch.testing.assert_close(parts, whole, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("blocks", [1, 3])
def test_any_number_of_blocks_and_other_channels(blocks: int):
    net = network(local_blocks=blocks, kernel_size=5, out_channels=2, position=False)
    parts, whole = answers(net, functions(Grid((33, 20)), batch=1), 10)
    assert parts.shape[-1] == 2
    torch.testing.assert_close(parts, whole, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_other_precisions(dtype: torch.dtype):
    net = randomised(MultiscaleNetwork(replace(tiny(), local_blocks=1), 3)).float()
    x = functions(Grid((32, 32)))
    parts, whole = answers(net, Function(x.on, x.values.to(dtype)), 12)
    torch.testing.assert_close(parts, whole, rtol=1e-4, atol=1e-5)


def test_mixed_precision():
    net, x = network(local_blocks=1).float(), functions(Grid((32, 32)))
    with torch.autocast("cpu", torch.bfloat16):
        parts, whole = answers(net, Function(x.on, x.values.float()), 12)
    error = (parts - whole).norm() / whole.norm()
    assert error < 0.02  # bfloat16 keeps three digits, and sums are taken in other orders


def test_a_halo_less_is_not_enough():
    net, x, t = network(), functions(Grid((32, 32)), batch=1), times(1)
    seen = []
    with torch.no_grad():
        whole = net(x, t).values
        for side in (16, 17):
            part = Function(Grid((side, 32), Box((side / 32, 1.0))), x.values[:, : side * 32])
            seen.append(net(part, t).values[:, : 16 * 32] - whole[:, : 16 * 32])
    assert all(difference.abs().max() > 1e-3 for difference in seen)
