"""The order in which a function's points are listed is that of the answer, and nothing more."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from networks import functions, grid_16, network, subset_of, times

from inftydiff import Function, Subset

NETWORK = network()


@given(size=st.integers(30, 256), seed=st.integers(0, 2**31))
def test_permuted_points_have_permuted_answers(size: int, seed: int):
    subset, t = subset_of(grid_16, size, seed), times()
    x = functions(subset, seed)
    order = torch.randperm(size, generator=torch.Generator().manual_seed(seed))
    permuted = Function(Subset(grid_16, subset.index[:, order]), x.values[:, order])
    torch.testing.assert_close(
        NETWORK(permuted, t).values, NETWORK(x, t).values[:, order], rtol=1e-9, atol=1e-9
    )
