r"""On a grid the covariance is Φ diag(m²) Φᵀ with *all* modes, those above the grid's folded in."""

import math

import torch
from hypothesis import given
from hypothesis import strategies as st

from inftydiff import (
    GaussianMeasure,
    Grid,
    Identity,
    Scattered,
    Subset,
    WhiteNoise,
    gaussian_mollifier,
)
from inftydiff.testing.strategies import grids, seeds, subsets


def along(x: torch.Tensor, length: float, width: float) -> torch.Tensor:
    """One axis of the covariance, by cosines: sum over k of m_k² φ_k(x) φ_k(y)."""
    count = math.ceil(9.0 * length / (math.pi * width)) + 2
    k = torch.arange(count, dtype=torch.float64)
    modes = math.sqrt(2 / length) * torch.cos(math.pi * k * x[:, None] / length)
    modes[:, 0] = math.sqrt(1 / length)
    return (modes * torch.exp(-((width * math.pi * k / length) ** 2))) @ modes.T


def dense(grid: Grid, width: float) -> torch.Tensor:
    covariance = torch.ones(1, 1, dtype=torch.float64)
    for axis in range(grid.dim):
        part = along(grid.axis(axis), grid.domain.lengths[axis], width)
        covariance = torch.kron(covariance, part)
    return covariance


@given(grid=grids(most=25, most_dim=3), cells=st.floats(0.25, 3.0), intensity=st.floats(0.1, 3.0))
def test_the_covariance_has_all_modes(grid: Grid, cells: float, intensity: float):
    width = max(cells * min(grid.spacing), 0.03)
    measure = GaussianMeasure(None, gaussian_mollifier(width), WhiteNoise(intensity))
    expected = intensity**2 * dense(grid, width)
    torch.testing.assert_close(
        measure.covariance(grid), expected, rtol=0, atol=1e-9 * expected.max().item()
    )


def test_without_the_modes_above_the_grid_a_twentieth_is_missing():
    grid, width = Grid((32,)), 1 / 64
    all_modes = dense(grid, width).diagonal().mean()
    k = torch.arange(32, dtype=torch.float64)
    own_modes = torch.exp(-((width * math.pi * k) ** 2)).sum()
    assert 0.02 < 1 - own_modes / all_modes < 0.08


@given(data=st.data(), grid=grids(most=16), seed=seeds())
def test_on_subsets_and_scattered_points_it_is_the_part_of_the_grid(data, grid: Grid, seed: int):
    width = 0.8 * min(grid.spacing)
    measure = GaussianMeasure(None, gaussian_mollifier(width), WhiteNoise(0.5))
    subset = data.draw(subsets(grid))
    everywhere = measure.covariance(grid)
    part = everywhere[subset.index][:, subset.index]
    tolerance = {"rtol": 0, "atol": 1e-9 * everywhere.max().item()}
    torch.testing.assert_close(measure.covariance(subset), part, **tolerance)
    scattered = Scattered(subset.points, domain=grid.domain)
    torch.testing.assert_close(measure.covariance(scattered), part, **tolerance)
    batched = data.draw(subsets(grid, batch=3))
    stacked = torch.stack([everywhere[index][:, index] for index in batched.index])
    torch.testing.assert_close(measure.covariance(batched), stacked, **tolerance)
    points = Scattered(batched.points, domain=grid.domain)
    torch.testing.assert_close(measure.covariance(points), stacked, **tolerance)


@given(grid=grids(most=20, most_dim=3), intensity=st.floats(0.1, 3.0))
def test_white_noise_has_independent_cells(grid: Grid, intensity: float):
    measure = GaussianMeasure(None, Identity(), WhiteNoise(intensity))
    expected = intensity**2 / grid.cell_volume * torch.eye(grid.size, dtype=torch.float64)
    torch.testing.assert_close(
        measure.covariance(grid), expected, rtol=0, atol=1e-11 * expected.max().item()
    )


@given(data=st.data(), grid=grids(most=20))
def test_the_cell_volume_of_noise_on_a_subset_is_the_grids(data, grid: Grid):
    subset: Subset = data.draw(subsets(grid))
    covariance = GaussianMeasure(None, Identity(), WhiteNoise(0.5)).covariance(subset)
    expected = 0.25 / grid.cell_volume * torch.eye(subset.size, dtype=torch.float64)
    torch.testing.assert_close(covariance, expected, rtol=0, atol=1e-11 * expected.max().item())


@given(grid=grids(most=9), scales=st.tuples(st.floats(-2, 2), st.floats(0.1, 2)))
def test_one_scale_a_sample_scales_each_covariance(grid: Grid, scales):
    factor = gaussian_mollifier(0.5 * min(grid.spacing))
    scale = torch.tensor(scales, dtype=torch.float64)
    unit = GaussianMeasure(None, factor, WhiteNoise()).covariance(grid)
    scaled = GaussianMeasure(None, factor * scale, WhiteNoise()).covariance(grid)
    expected = scale.square()[:, None, None] * unit
    torch.testing.assert_close(scaled, expected, rtol=0, atol=1e-8 * unit.max().item())
