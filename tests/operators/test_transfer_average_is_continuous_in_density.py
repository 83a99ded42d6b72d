"""The average has one limit: points come and go with their weight, and more points converge."""

import math

import pytest
import torch
from functions import function, grid, scattered
from torch.testing import assert_close

from inftydiff.operators import Function, Grid, KernelSmoother, Scattered, random_subset

NODES, FINE, WIDTH = Grid((8, 8)), Grid((64, 64)), 1 / 8


def smooth(points: torch.Tensor) -> torch.Tensor:
    return torch.cos(5 * points[..., :1]) + points[..., 1:] ** 2


def errors(size: int, generator: torch.Generator) -> torch.Tensor:
    """Root mean squares over 32 subsets of the distance to the average over all points."""
    taken = random_subset(FINE, size, batch=32, generator=generator)
    part = KernelSmoother(taken, NODES, WIDTH)(Function(taken, smooth(taken.points)))
    whole = KernelSmoother(FINE, NODES, WIDTH)(Function(FINE, smooth(FINE.points)))
    return (Function(NODES, part.values - whole.values).norm() ** 2).mean().sqrt()


@pytest.mark.parametrize("size", [128, 256, 512])
def test_random_subsets_converge_like_one_over_the_root_of_their_size(size, generator):
    rate = errors(size, generator) / errors(2 * size, generator)
    without_replacement = math.sqrt(2 * (1 - size / FINE.size) / (1 - 2 * size / FINE.size))
    assert abs(rate / without_replacement - 1) < 0.25


def test_grids_converge():
    finest = Grid((256, 256))
    limit = KernelSmoother(finest, NODES, WIDTH)(Function(finest, smooth(finest.points)))
    previous = math.inf
    for n in (16, 32, 64, 128):
        on = Grid((n, n))
        error = (
            (KernelSmoother(on, NODES, WIDTH)(Function(on, smooth(on.points))) - limit)
            .norm()
            .item()
        )
        assert error < previous / 3
        previous = error


def test_the_average_depends_on_a_weight_continuously():
    on = scattered(grid(3, 4).domain, 6, 0)
    f = function(on, 0)
    nodes = grid(2, 3)

    def average(weight: float) -> torch.Tensor:
        weights = torch.cat([torch.tensor([weight]).double(), on.weights[1:]])
        source = Scattered(on.points, weights, on.domain)
        return KernelSmoother(source, nodes, 0.2)(Function(source, f.values)).values

    without = Scattered(on.points[1:], on.weights[1:], on.domain)
    limit = KernelSmoother(without, nodes, 0.2)(Function(without, f.values[1:])).values
    assert_close(average(0.0), limit)
    for weight in (1e-2, 1e-4, 1e-6):
        assert 0 < (average(weight) - limit).abs().max() < 100 * weight


def test_a_point_given_twice_with_half_its_weight_is_one_point():
    on = scattered(grid(3, 4).domain, 6, 0)
    f = function(on, 0)
    twice = Scattered(on.points.repeat(2, 1), on.weights.repeat(2) / 2, on.domain)
    once = KernelSmoother(on, grid(2, 3), 0.2)(f).values
    assert_close(
        KernelSmoother(twice, grid(2, 3), 0.2)(Function(twice, f.values.repeat(2, 1))).values, once
    )
