"""Latents converge: at second order as a grid is refined, at order ½ in the number of points."""

import math

import pytest
import torch
from encoders import encoder

from inftydiff import Function, Grid, random_subset


def smooth(n: int) -> Function:
    """Three waves on a grid of n² cells."""
    grid = Grid((n, n))
    x, y = grid.points.unbind(-1)
    waves = [torch.sin(3 * x + y), torch.cos(5 * x * y), torch.exp(-3 * (x - y) ** 2)]
    return Function(grid, 0.3 * torch.stack(waves, -1)[None])


@pytest.mark.thorough
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_under_refinement(seed: int):
    net = encoder(seed)
    with torch.no_grad():
        coarse, middle, fine = (net(smooth(n)).mean for n in (48, 144, 432))
    first, second = (middle - coarse).norm(), (fine - middle).norm()
    assert second < 1e-3 * fine.norm()
    assert 1.9 < math.log(first / second, 3) < 2.1


def test_with_the_number_of_points():
    net, x = encoder(), smooth(64)
    with torch.no_grad():
        truth = net(x).mean
        errors = []
        for size in (128, 512, 2048):
            generator = torch.Generator().manual_seed(size)
            few = random_subset(x.on, size, batch=40, generator=generator)
            values = Function(x.on, x.values.expand(40, -1, -1)).restrict(few)
            errors.append((net(values).mean - truth).square().mean().sqrt().item())
    for (coarse, fine), share in zip(
        [errors[:2], errors[1:]], [(128, 512), (512, 2048)], strict=True
    ):
        m, n = share
        expected = math.sqrt((1 / m - 1 / 4096) / (1 / n - 1 / 4096))
        assert 0.6 * expected < coarse / fine < 2.5 * expected
