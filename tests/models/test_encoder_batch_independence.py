"""The latent of a function does not depend on the others of its batch."""

import torch
from encoders import encoder
from hypothesis import given
from hypothesis import strategies as st
from networks import functions, grid_16, subset_of

from inftydiff import Function, Subset

ENCODER = encoder(variational=True)


@given(size=st.integers(40, 256), batch=st.integers(2, 4), seed=st.integers(0, 2**31))
def test_a_function_alone_has_the_same_latent(size: int, batch: int, seed: int):
    subset = subset_of(grid_16, size, seed, batch=batch)
    x = functions(subset, seed, batch=batch)
    with torch.no_grad():
        together = ENCODER(x)
        for i in range(batch):
            alone = ENCODER(Function(Subset(grid_16, subset.index[i : i + 1]), x.values[i : i + 1]))
            for one, all_ in zip(alone, together, strict=True):
                torch.testing.assert_close(one[0], all_[i], rtol=1e-10, atol=1e-10)
