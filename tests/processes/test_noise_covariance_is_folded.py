r"""On a grid the covariance is Φ diag(m²) Φᵀ with *all* modes, those above the grid's folded in.

Elsewhere, and between any two discretisations, it is the same sum.
"""

import math

import torch
from hypothesis import given
from hypothesis import strategies as st

from inftydiff import (
    Box,
    GaussianMeasure,
    Grid,
    Identity,
    RandomField,
    Scattered,
    Subset,
    WhiteNoise,
    gaussian_mollifier,
)
from inftydiff.operators.basis import eigenbasis
from inftydiff.operators.domain import BOUNDARIES
from inftydiff.processes import random_field
from inftydiff.testing.strategies import grids, seeds, subsets


def along(x: torch.Tensor, y: torch.Tensor, length: float, boundary: str, width: float):
    """One axis of the covariance, by its waves: sum over k of m_k² φ_k(x) φ_k(y)."""
    count = math.ceil(9.0 * length / (math.pi * width)) + 2
    k = torch.arange(1, count, dtype=torch.float64) * math.pi / length
    k = 2 * k if boundary == "periodic" else k
    x, y = x[:, None, None], y[None, :, None]
    waves = {
        "reflecting": torch.cos(k * x) * torch.cos(k * y),
        "absorbing": torch.sin(k * x) * torch.sin(k * y),
        "periodic": torch.cos(k * (x - y)),
    }[boundary]
    constant = 0.0 if boundary == "absorbing" else 1.0
    return (constant + 2 * waves @ torch.exp(-((width * k) ** 2))) / length


def dense(points: torch.Tensor, others: torch.Tensor, box: Box, width: float) -> torch.Tensor:
    """The covariance between points of shape (points, dim) and others."""
    covariance = torch.ones(len(points), len(others), dtype=torch.float64)
    for a, (length, boundary) in enumerate(zip(box.lengths, box.boundaries, strict=True)):
        covariance *= along(points[:, a], others[:, a], length, boundary, width)
    return covariance


any_grid = grids(most=25, most_dim=3, boundaries=BOUNDARIES)


@given(grid=any_grid, cells=st.floats(0.25, 3.0), intensity=st.floats(0.1, 3.0))
def test_the_covariance_has_all_modes(grid: Grid, cells: float, intensity: float):
    width = max(cells * min(grid.spacing), 0.03)
    measure = GaussianMeasure(None, gaussian_mollifier(width), WhiteNoise(intensity))
    expected = intensity**2 * dense(grid.points, grid.points, grid.domain, width)
    torch.testing.assert_close(
        measure.covariance(grid), expected, rtol=0, atol=1e-9 * expected.max().item()
    )


def test_without_the_modes_above_the_grid_a_twentieth_is_missing():
    grid, width = Grid((32,)), 1 / 64
    all_modes = dense(grid.points, grid.points, grid.domain, width).diagonal().mean()
    k = torch.arange(32, dtype=torch.float64)
    own_modes = torch.exp(-((width * math.pi * k) ** 2)).sum()
    assert 0.02 < 1 - own_modes / all_modes < 0.08


@given(grid=any_grid, cells=st.floats(0.25, 3.0), scale=st.floats(0.1, 3.0))
def test_the_coefficients_on_a_grid_have_the_mode_variances(grid: Grid, cells: float, scale: float):
    field = unit(grid.domain, max(cells * min(grid.spacing), 0.03)) * scale
    covariance = field.covariance(Scattered(grid.points, domain=grid.domain))
    analysis = eigenbasis(grid.domain).analysis
    half = analysis(covariance.reshape(-1, *grid.shape)).flatten(1).mT
    both = analysis(half.reshape(-1, *grid.shape)).flatten(1) * grid.cell_volume
    expected = field.mode_variances(grid)
    assert expected.shape == grid.shape
    torch.testing.assert_close(
        both, expected.flatten().diag(), rtol=0, atol=1e-9 * expected.max().item()
    )


def test_one_scale_a_sample_gives_each_its_mode_variances():
    grid, scale = Grid((3, 4)), torch.tensor([1.0, -2.0, 0.5])
    field = unit(grid.domain, 0.2)
    expected = scale.double().square()[:, None, None] * field.mode_variances(grid)
    torch.testing.assert_close((field * scale).mode_variances(grid), expected)


def unit(domain: Box, width: float) -> RandomField:
    generator = torch.Generator().manual_seed(0)
    draw = WhiteNoise().draw(domain, batch=1, channels=1, generator=generator)
    return gaussian_mollifier(width)(draw)


@given(data=st.data(), grid=grids(most=12, most_dim=3, boundaries=BOUNDARIES), seed=seeds())
def test_between_any_two_discretisations(data, grid: Grid, seed: int):
    width = max(0.8 * min(grid.spacing), 0.1)
    field, domain = unit(grid.domain, width), grid.domain
    generator = torch.Generator().manual_seed(seed)
    anywhere = torch.rand(5, grid.dim, generator=generator, dtype=torch.float64)
    places = [
        grid,
        data.draw(subsets(grid)),
        Grid(tuple(n + 1 for n in grid.shape), domain),
        Scattered(anywhere * torch.tensor(domain.lengths, dtype=torch.float64), domain=domain),
    ]
    scale = field.covariance(grid).abs().max().item()
    for on in places:
        for other in places:
            expected = dense(on.points, other.points, domain, width)
            found = field.covariance(on, other)
            torch.testing.assert_close(found, expected, rtol=0, atol=1e-9 * scale)


def test_between_the_subsets_of_each_sample_and_points():
    grid, points = Grid((4, 3)), Scattered(torch.rand(5, 2, generator=torch.Generator()))
    field = unit(grid.domain, 0.2)
    some = Subset(grid, torch.tensor([[0, 5], [7, 2], [1, 3]]))
    expected = torch.stack([dense(p, points.points, grid.domain, 0.2) for p in some.points])
    torch.testing.assert_close(field.covariance(some, points), expected, rtol=0, atol=1e-9)
    torch.testing.assert_close(field.covariance(points, some), expected.mT, rtol=0, atol=1e-9)
    assert field.covariance(some, grid).shape == (3, 2, 12)


def test_in_pieces_it_is_the_same(monkeypatch):
    grid = Grid((4, 3))
    field, points = unit(grid.domain, 0.1), Scattered(grid.points * 0.9)
    whole, read = field.covariance(points), field(points, dtype=torch.float64).values
    monkeypatch.setattr(random_field, "CHUNK", 100)
    torch.testing.assert_close(field.covariance(points), whole, rtol=0, atol=1e-12)
    torch.testing.assert_close(field(points, dtype=torch.float64).values, read, rtol=0, atol=1e-12)


@given(data=st.data(), grid=grids(most=16, boundaries=BOUNDARIES), seed=seeds())
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


@given(grid=grids(most=20, most_dim=3, boundaries=BOUNDARIES), intensity=st.floats(0.1, 3.0))
def test_white_noise_has_independent_cells(grid: Grid, intensity: float):
    measure = GaussianMeasure(None, Identity(), WhiteNoise(intensity))
    expected = intensity**2 / grid.cell_volume * torch.eye(grid.size, dtype=torch.float64)
    torch.testing.assert_close(
        measure.covariance(grid), expected, rtol=0, atol=1e-11 * expected.max().item()
    )


@given(data=st.data(), shape=st.tuples(st.integers(1, 5), st.integers(1, 5)), seed=seeds())
def test_white_noise_on_two_grids_shares_the_modes_of_both(data, shape, seed: int):
    boundary = data.draw(st.tuples(*[st.sampled_from(BOUNDARIES)] * 2))
    box = Box((1.0, 0.7), boundary)
    grids = Grid((4, 3), box), Grid(shape, box)
    field = WhiteNoise(2.0).draw(box, batch=1, channels=1, generator=torch.Generator())
    one, other = (
        eigenbasis(box).analysis(torch.eye(g.size).double().reshape(-1, *g.shape)) for g in grids
    )
    common = tuple(slice(min(pair)) for pair in zip((4, 3), shape, strict=True))
    first, second = (modes[(..., *common)].flatten(1) for modes in (one, other))
    expected = 4.0 * first @ second.mT / (grids[0].cell_volume * grids[1].cell_volume) ** 0.5
    torch.testing.assert_close(field.covariance(*grids), expected, rtol=0, atol=1e-11)
    subset = data.draw(subsets(grids[1]))
    found = field.covariance(grids[0], subset)
    torch.testing.assert_close(found, expected[:, subset.index], rtol=0, atol=1e-11)


@given(data=st.data(), grid=grids(most=20, boundaries=BOUNDARIES))
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
