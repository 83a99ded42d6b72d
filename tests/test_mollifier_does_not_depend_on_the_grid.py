"""A band-limited function, mollified on grids of N and 3N cells, is the same at common points."""

import pytest
import torch
from functions import grid, values
from torch.testing import assert_close

from inftydiff.operators import Function, Grid, gaussian_mollifier
from inftydiff.operators.basis import cosine_modes


def series(on: Grid) -> Function:
    """One fixed sum of 5 × 4 modes, read on a grid."""
    first = cosine_modes(on.axis(0), 5, on.domain.lengths[0])
    second = cosine_modes(on.axis(1), 4, on.domain.lengths[1])
    return Function(
        on, torch.einsum("ik,jl,klc->ijc", first, second, values(0, 5, 4, 2)).flatten(0, 1)
    )


@pytest.mark.parametrize("width", [0.01, 0.1, 0.5])
def test_grids_with_common_points(width):
    coarse, fine = grid(7, 5), grid(21, 15)
    common = gaussian_mollifier(width)(series(fine)).to_image()[..., 1::3, 1::3]
    assert_close(common, gaussian_mollifier(width)(series(coarse)).to_image(), rtol=0, atol=1e-12)
