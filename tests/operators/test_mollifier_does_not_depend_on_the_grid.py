"""A band-limited function, mollified on grids of N and 3N cells, is the same at common points."""

import pytest
from functions import grid, values
from torch.testing import assert_close

from inftydiff.operators import Function, Grid, gaussian_mollifier
from inftydiff.operators.basis import eigenbasis
from inftydiff.operators.domain import BOUNDARIES


def series(on: Grid) -> Function:
    """One fixed sum of 5 × 4 modes, read on a grid."""
    return Function(on, eigenbasis(on.domain).modes(on.points, (5, 4)) @ values(0, 20, 2))


@pytest.mark.parametrize("first", BOUNDARIES)
@pytest.mark.parametrize("second", BOUNDARIES)
@pytest.mark.parametrize("width", [0.01, 0.1, 0.5])
def test_grids_with_common_points(width, first, second):
    coarse, fine = (grid(*shape, boundary=(first, second)) for shape in ((7, 5), (21, 15)))
    common = gaussian_mollifier(width)(series(fine)).to_image()[..., 1::3, 1::3]
    assert_close(common, gaussian_mollifier(width)(series(coarse)).to_image(), rtol=0, atol=1e-12)
