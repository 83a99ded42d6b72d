"""Transitions compose, and carry one marginal to the next, for any r < s < t."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from inftydiff import Function, Grid
from inftydiff.testing.strategies import grids, ordered_times, processes, seeds


@given(data=st.data(), times=ordered_times(3))
def test_the_numbers_of_the_transitions_compose(data, times: torch.Tensor):
    process = data.draw(processes(Grid((4,))))
    r, s, t = times.split(1)
    first, second, direct = (
        process.transition_coefficients(*pair) for pair in ((r, s), (s, t), (r, t))
    )
    torch.testing.assert_close(first.scale * second.scale, direct.scale, rtol=1e-12, atol=0)
    composed = (second.scale * first.std).square() + second.std.square()
    size = process.schedule.sigma(t).square()
    torch.testing.assert_close(composed / size, direct.std.square() / size, rtol=0, atol=1e-12)


@given(data=st.data(), grid=grids(most=9), times=ordered_times(3), seed=seeds())
def test_the_transitions_compose_as_measures(data, grid: Grid, times: torch.Tensor, seed: int):
    process = data.draw(processes(grid))
    r, s, t = times.split(1)
    x = function(grid, seed)
    first = process.transition(x, r, s)
    second = process.transition(first.mean, s, t)
    direct = process.transition(x, r, t)
    torch.testing.assert_close(second.mean.values, direct.mean.values, rtol=1e-10, atol=1e-12)
    scale = process.schedule.alpha(t) / process.schedule.alpha(s)
    carried = scale**2 * first.covariance(grid)
    close(carried + second.covariance(grid), direct.covariance(grid), process, grid, x, t)


@given(data=st.data(), grid=grids(most=9), times=ordered_times(2), seed=seeds())
def test_the_transition_carries_the_marginal(data, grid: Grid, times: torch.Tensor, seed: int):
    process = data.draw(processes(grid))
    s, t = times.split(1)
    x0 = function(grid, seed)
    earlier, later = process.marginal(x0, s), process.marginal(x0, t)
    step = process.transition(earlier.mean, s, t)
    torch.testing.assert_close(step.mean.values, later.mean.values, rtol=1e-10, atol=1e-12)
    scale = process.schedule.alpha(t) / process.schedule.alpha(s)
    carried = scale**2 * earlier.covariance(grid)
    close(carried + step.covariance(grid), later.covariance(grid), process, grid, x0, t)


@given(data=st.data(), time=st.floats(0.05, 1.0), seed=seeds())
def test_from_time_0_the_transition_is_the_marginal(data, time: float, seed: int):
    grid = Grid((5,))
    process = data.draw(processes(grid))
    start, t = torch.zeros(1, dtype=torch.float64), torch.tensor([time], dtype=torch.float64)
    x0 = function(grid, seed)
    law, marginal = process.transition(process.signal(x0), start, t), process.marginal(x0, t)
    torch.testing.assert_close(law.mean.values, marginal.mean.values, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(law.covariance(grid), marginal.covariance(grid), rtol=1e-9, atol=0)


def function(grid: Grid, seed: int) -> Function:
    generator = torch.Generator().manual_seed(seed)
    return Function(grid, torch.randn(1, grid.size, 1, generator=generator, dtype=torch.float64))


def close(found, expected, process, grid, x0, t):
    scale = process.marginal(x0, t).covariance(grid).abs().max().item()
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-11 * scale)
