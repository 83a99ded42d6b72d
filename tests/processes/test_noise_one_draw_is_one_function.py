"""One draw is one function: grids that share points, subsets and scattered points agree on it."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from inftydiff import (
    Box,
    Grid,
    Identity,
    RandomField,
    Scattered,
    WhiteNoise,
    gaussian_mollifier,
    wiener_inverse,
)
from inftydiff.operators.basis import eigenbasis
from inftydiff.operators.domain import BOUNDARIES
from inftydiff.testing.probe import refined
from inftydiff.testing.strategies import boxes, grids, seeds, subsets

CLOSE = {"rtol": 0, "atol": 1e-9}


def draw(domain: Box, seed: int, batch: int = 2, channels: int = 2) -> RandomField:
    generator = torch.Generator().manual_seed(seed)
    return WhiteNoise(0.5).draw(domain, batch=batch, channels=channels, generator=generator)


def read(field: RandomField, on) -> torch.Tensor:
    return field(on, dtype=torch.float64).values


@given(
    grid=grids(most=30, most_dim=3, boundaries=BOUNDARIES), cells=st.floats(0.3, 3.0), seed=seeds()
)
def test_a_mollified_draw_agrees_at_the_shared_points_of_grids_n_and_3n(
    grid: Grid, cells: float, seed: int
):
    width = max(cells * min(grid.spacing), 0.05)
    field = gaussian_mollifier(width)(draw(grid.domain, seed))
    fine, shared = refined(grid, 3)
    torch.testing.assert_close(read(field, fine)[:, shared], read(field, grid), **CLOSE)


def test_the_paper_s_mollifier_on_grids_32_96_and_288():
    field = gaussian_mollifier(1 / 64)(draw(Box((1.0, 1.0)), seed=5))
    grid = Grid((32, 32))
    coarse = read(field, grid)
    for factor in (3, 9):
        fine, shared = refined(grid, factor)
        torch.testing.assert_close(read(field, fine)[:, shared], coarse, **CLOSE)


def test_grids_with_an_odd_ratio_on_one_axis_only():
    field = gaussian_mollifier(0.1)(draw(Box((1.0, 2.0)), seed=0))
    narrow, wide = Grid((5, 4), field.domain), Grid((15, 4), field.domain)
    coarse, fine = (field(g, dtype=torch.float64).to_image() for g in (narrow, wide))
    torch.testing.assert_close(fine[:, :, 1::3], coarse, **CLOSE)


@given(data=st.data(), grid=grids(most=16, most_dim=3, boundaries=BOUNDARIES), seed=seeds())
def test_scattered_points_and_subsets_agree_with_the_grid(data, grid: Grid, seed: int):
    field = gaussian_mollifier(max(0.7 * min(grid.spacing), 0.1))(draw(grid.domain, seed))
    values = read(field, grid)
    subset = data.draw(subsets(grid))
    torch.testing.assert_close(read(field, subset), values[:, subset.index], **CLOSE)
    scattered = Scattered(subset.points, domain=grid.domain)
    torch.testing.assert_close(read(field, scattered), values[:, subset.index], **CLOSE)
    batched = data.draw(subsets(grid, batch=2))
    part = torch.stack([values[b, batched.index[b]] for b in range(2)])
    torch.testing.assert_close(read(field, batched), part, **CLOSE)
    points = Scattered(batched.points, domain=grid.domain)
    torch.testing.assert_close(read(field, points), part, **CLOSE)


@given(domain=boxes(most_dim=3, boundaries=BOUNDARIES), data=st.data(), seed=seeds())
def test_a_white_draw_has_the_same_low_modes_on_every_grid(domain: Box, data, seed: int):
    shapes = [tuple(data.draw(st.integers(1, 9)) for _ in range(domain.dim)) for _ in range(2)]
    field = draw(domain, seed)
    modes = []
    for shape in shapes:
        grid = Grid(shape, domain)
        image = field(grid, dtype=torch.float64).to_image()
        modes.append(eigenbasis(domain).analysis(image) * grid.cell_volume**0.5)
    common = tuple(slice(0, min(pair)) for pair in zip(*shapes, strict=True))
    first, second = (m[(..., *common)] for m in modes)
    torch.testing.assert_close(first, second, rtol=0, atol=1e-12)


def test_a_white_draw_reads_as_the_same_low_pass_picture():
    field = draw(Box((1.0, 1.0)), seed=2)
    blur = gaussian_mollifier(0.2)
    coarse, fine = Grid((16, 16)), Grid((48, 48))
    _, shared = refined(coarse, 3)
    first = blur(field(coarse, dtype=torch.float64)).values
    second = blur(field(fine, dtype=torch.float64)).values[:, shared]
    torch.testing.assert_close(first, second, rtol=0, atol=1e-8)
    assert not torch.allclose(read(field, coarse), read(field, fine)[:, shared], atol=0.1)


@given(seed=seeds())
def test_reading_twice_or_in_another_order_changes_nothing(seed: int):
    grid, finer = Grid((5, 6)), Grid((7, 3))
    field = wiener_inverse(gaussian_mollifier(0.1))(draw(grid.domain, seed))
    first = read(field, grid)
    read(field, finer)
    assert torch.equal(read(field, grid), first)
    white = Identity()(draw(grid.domain, seed))
    assert torch.equal(read(white, grid), read(draw(grid.domain, seed), grid))


def test_values_come_in_the_dtype_asked_for_from_coefficients_in_float64():
    grid = Grid((6, 6))
    field = gaussian_mollifier(0.1)(draw(grid.domain, seed=0))
    double = read(field, grid)
    assert field(grid).values.dtype == torch.get_default_dtype()
    single = field(grid, dtype=torch.float32).values
    assert single.dtype == torch.float32
    assert torch.equal(single, double.float())
