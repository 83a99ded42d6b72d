"""A latent belongs to the function: to its points and values, however they are listed.

The subset of a grid, the same points without their grid, the points in another order, and a grid
and the subset of all its points have one latent each.
"""

import pytest
import torch
from encoders import encoder
from hypothesis import given
from hypothesis import strategies as st
from networks import functions, grid_16, subset_of

from inftydiff import Box, Function, Grid, Scattered, Subset

ENCODER = encoder()
VARIATIONAL = encoder(1, variational=True)
SIZES, SEEDS = st.integers(40, 256), st.integers(0, 2**31)


def same(net, a: Function, b: Function) -> None:
    with torch.no_grad():
        for one, other in zip(net(a), net(b), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("net", [ENCODER, VARIATIONAL], ids=["plain", "variational"])
@given(size=SIZES, seed=SEEDS)
def test_a_subset_and_its_points(net, size: int, seed: int):
    subset = subset_of(grid_16, size, seed)
    x = functions(subset, seed)
    same(net, x, Function(Scattered(subset.points, domain=grid_16.domain), x.values))


@given(size=SIZES, seed=SEEDS, scattered=st.booleans())
def test_points_in_another_order(size: int, seed: int, scattered: bool):
    subset = subset_of(grid_16, size, seed)
    x = functions(subset, seed)
    order = torch.randperm(size, generator=torch.Generator().manual_seed(seed))
    permuted = Subset(grid_16, subset.index[:, order])
    on = Scattered(permuted.points, domain=grid_16.domain) if scattered else permuted
    same(ENCODER, x, Function(on, x.values[:, order]))


@pytest.mark.parametrize(
    "grid", [Grid((16, 16)), Grid((48, 48)), Grid((16, 8), Box((1.0, 0.5)))], ids=str
)
def test_a_grid_and_all_its_points(grid: Grid):
    x = functions(grid)
    order = torch.randperm(grid.size, generator=torch.Generator().manual_seed(0))
    same(ENCODER, x, Function(Subset(grid, order), x.values[:, order]))


def test_the_latents_of_other_functions_are_others():
    with torch.no_grad():
        a, b = (ENCODER(functions(grid_16, seed)).mean for seed in (0, 1))
    assert (a - b).abs().min() > 1e-6
    assert a.dtype == torch.float64
