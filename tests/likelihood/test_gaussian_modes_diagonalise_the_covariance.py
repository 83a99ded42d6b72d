"""On a grid the covariance is diagonal in the eigenbasis, with the ``mode_variances``."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from inftydiff import GaussianMeasure, Grid, Identity, WhiteNoise, gaussian_mollifier
from inftydiff.operators.basis import eigenbasis
from inftydiff.operators.covariance import bessel, matern
from inftydiff.operators.domain import BOUNDARIES, Point
from inftydiff.testing.strategies import grids

FACTORS = {
    "white": Identity(),
    "heat": gaussian_mollifier(0.2),
    "bessel": bessel(1.0),
    "heat and a white part": 0.3 * Identity() - gaussian_mollifier(0.1),
}


@given(
    grid=grids(most=20, most_dim=2, boundaries=BOUNDARIES),
    name=st.sampled_from([*sorted(FACTORS), "matern"]),
    intensity=st.floats(0.1, 3.0),
)
def test_diagonal(grid: Grid, name: str, intensity: float):
    factor = matern(1.5, 0.5, dim=grid.dim) if name == "matern" else FACTORS[name]
    measure = GaussianMeasure(None, factor, WhiteNoise(intensity))
    covariance, basis = measure.covariance(grid), eigenbasis(grid.domain)
    half = basis.analysis(covariance.reshape(-1, *grid.shape)).reshape(grid.size, grid.size)
    modes = basis.analysis(half.mT.reshape(-1, *grid.shape)).reshape(grid.size, grid.size)
    expected = measure.mode_variances(grid).flatten().diag() / grid.cell_volume
    torch.testing.assert_close(modes, expected, rtol=0, atol=1e-10 * expected.max().item())


def test_one_scale_a_sample_gives_one_set_a_sample():
    scale = torch.tensor([2.0, 0.5])
    one = GaussianMeasure(None, FACTORS["heat"], WhiteNoise())
    each = GaussianMeasure(None, FACTORS["heat"] * scale, WhiteNoise())
    grid = Grid((3, 4))
    expected = scale.square()[:, None, None] * one.mode_variances(grid)
    torch.testing.assert_close(each.mode_variances(grid), expected, rtol=1e-6, atol=1e-12)


def test_a_vector_has_one_mode():
    measure = GaussianMeasure(None, 2.0 * Identity(), WhiteNoise(1.5))
    assert measure.mode_variances(Grid((), Point())).item() == 9.0
    assert measure.covariance(Grid((), Point())).tolist() == [[9.0]]
