"""At fixed points it converges: at second order on refined grids, as m^(−1/2) on random points.

The random points are some of a grid's, or anywhere in the domain.
"""

import math

import pytest
import torch
from functions import values
from torch import Tensor

from inftydiff.operators import Box, Function, Grid, LocalOperator, Scattered, Subset


def smooth(points: Tensor) -> Tensor:
    x, y = points[..., 0], points[..., -1]
    return torch.stack([torch.sin(3 * x) * torch.exp(y), torch.cos(4 * x * y) + x], -1)


@pytest.mark.parametrize("size", [1, 3])
def test_grids_refined_by_whole_factors(size):
    operator = LocalOperator(values(0, 2, size, size), 1 / 5)
    levels = []
    for refinement in (3, 9, 27):
        grid = Grid((5 * refinement, 4 * refinement), Box((1.0, 0.8)))
        image = operator(Function(grid, smooth(grid.points))).to_image()
        every = slice(refinement // 6, None, refinement // 3)
        levels.append(image[:, every, every])
    coarse, middle, fine = levels
    order = math.log(float((coarse - middle).norm() / (middle - fine).norm()), 3)
    assert order == pytest.approx(2, abs=0.15)


@pytest.mark.parametrize("side", [math.pi / 40, 1 / math.e])
def test_grids_of_any_ratio(side):
    operator = LocalOperator(values(0, 2, 3), side)
    images = []
    for cells in (15, 45, 135, 405, 1215):
        grid = Grid((cells,))
        image = operator(Function(grid, smooth(grid.points))).values
        images.append(image[cells // 30 :: cells // 15])
    *levels, limit = images
    errors = [float((image - limit).norm()) for image in levels]
    slope = math.log(errors[0] / errors[-1], 3) / (len(errors) - 1)
    assert slope == pytest.approx(2, abs=0.3)


def test_random_points():
    grid = Grid((1024,))
    operator = LocalOperator(values(0, 2, 5), 1 / 16)
    f = Function(grid, smooth(grid.points))
    asked = torch.tensor([100, 480, 840])
    others = torch.ones(grid.size).index_fill(0, asked, 0.0)
    limit = operator(f).values[asked]
    generator = torch.Generator().manual_seed(0)
    errors = []
    for size in (80, 320):
        drawn = torch.multinomial(others.expand(600, -1), size, generator=generator)
        subset = Subset(grid, torch.cat([asked.expand(600, -1), drawn], 1))
        error = operator(f.restrict(subset)).values[:, : len(asked)] - limit
        without_replacement = math.sqrt(1 - size / grid.size)
        errors.append(float(error.square().mean().sqrt()) / without_replacement)
    assert errors[0] / errors[1] == pytest.approx(2, abs=0.3)


@pytest.mark.thorough
def test_scattered_points():
    box = Box((1.0, 0.8))
    fine = Grid((200, 160), box)
    operator = LocalOperator(values(0, 2, 3, 3), 1 / 10)
    asked = torch.tensor([[0.5, 0.4], [0.1, 0.7], [0.99, 0.3]], dtype=torch.float64)
    places = (asked / torch.tensor(fine.spacing)).long()
    asked = (places + 0.5) * torch.tensor(fine.spacing, dtype=torch.float64)
    image = operator(Function(fine, smooth(fine.points))).values
    limit = image[places[:, 0] * fine.shape[1] + places[:, 1]]
    generator = torch.Generator().manual_seed(0)
    errors = []
    for size in (100, 400):
        squares = []
        for _ in range(8):
            drawn = torch.rand(50, size, 2, generator=generator, dtype=torch.float64)
            points = torch.cat([asked.expand(50, -1, -1), drawn * torch.tensor(box.lengths)], 1)
            weights = torch.cat([torch.zeros(50, 3), torch.ones(50, size)], 1)
            on = Scattered(points, weights, box)
            error = operator(Function(on, smooth(points))).values[:, :3] - limit
            squares.append(error.square().mean())
        errors.append(float(torch.stack(squares).mean().sqrt()))
    assert errors[0] / errors[1] == pytest.approx(2, abs=0.25)
