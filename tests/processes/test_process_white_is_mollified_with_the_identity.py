"""White and noise-only diffusion are mollified diffusion with identities in the place of T."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inftydiff import DiffusionProcess, Function, Grid, Identity, WhiteNoise, gaussian_mollifier
from inftydiff.testing.strategies import ordered_times, schedules, seeds


@pytest.mark.thorough
@given(schedule=schedules(), times=ordered_times(2), seed=seeds(), data=st.data())
def test_white_is_mollified_with_the_identity(schedule, times, seed: int, data):
    grid, noise = Grid((4, 5)), WhiteNoise(data.draw(st.floats(0.1, 2.0)))
    white = DiffusionProcess.white(schedule, noise=noise)
    mollified = DiffusionProcess.mollified(schedule, Identity(), noise=noise)
    noise_only = DiffusionProcess.noise_only(schedule, Identity(), noise=noise)
    s, t = times.split(1)
    x0, x_t = (function(grid, seed + k) for k in (0, 1))
    for process in (mollified, noise_only):
        for law in (
            lambda p: p.marginal(x0, t),
            lambda p: p.transition(x0, s, t),
            lambda p: p.posterior(x_t, x0, t, s),
        ):
            torch.testing.assert_close(law(process).mean.values, law(white).mean.values)
            torch.testing.assert_close(law(process).covariance(grid), law(white).covariance(grid))
        torch.testing.assert_close(process.prior.covariance(grid), white.prior.covariance(grid))


@given(schedule=schedules(), width=st.floats(0.05, 0.3), time=st.floats(0.01, 1.0), seed=seeds())
def test_noise_only_differs_from_mollified_in_the_signal_alone(schedule, width, time, seed: int):
    grid, T = Grid((6,)), gaussian_mollifier(width)
    mollified = DiffusionProcess.mollified(schedule, T)
    noise_only = DiffusionProcess.noise_only(schedule, T)
    x0, t = function(grid, seed), torch.tensor([time], dtype=torch.float64)
    first, second = mollified.marginal(x0, t), noise_only.marginal(T(x0), t)
    torch.testing.assert_close(first.mean.values, second.mean.values)
    torch.testing.assert_close(first.covariance(grid), second.covariance(grid))


def function(grid: Grid, seed: int) -> Function:
    generator = torch.Generator().manual_seed(seed)
    return Function(grid, torch.randn(1, grid.size, 2, generator=generator, dtype=torch.float64))
