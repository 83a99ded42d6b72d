"""The posterior is the conditional of the joint Gaussian law of two states, always."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inftydiff import (
    CosineSchedule,
    DiffusionProcess,
    Function,
    GaussianMeasure,
    Grid,
    LinearSchedule,
    Subset,
    WhiteNoise,
    gaussian_mollifier,
)
from inftydiff.testing import matrix_of
from inftydiff.testing.strategies import grids, ordered_times, processes, seeds

TINY = 1e-300
"""Below it products of float64 numbers underflow, as they do at the times next to zero."""


def normal(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def conditional(process, grid, x0, s, t, x_t):
    """Mean and covariance of x_s given x_t, by the Schur complement of their joint covariance.

    The joint covariance is that of (x_s, x_t) as linear images of two independent draws of N ξ.
    """
    C = GaussianMeasure(None, process.noise_factor, process.noise).covariance(grid)
    alpha, sigma = process.schedule.alpha, process.schedule.sigma
    first = torch.stack([sigma(s), sigma(s) * alpha(t) / alpha(s)])
    added = sigma(t) ** 2 - (sigma(s) * alpha(t) / alpha(s)) ** 2
    joint = torch.kron(torch.outer(first, first), C)
    n = grid.size
    joint[n:, n:] += added * C
    signal = matrix_of(process.signal, grid)[0] @ x0
    gain = torch.linalg.solve(joint[n:, n:], joint[n:, :n]).mT
    mean = alpha(s) * signal + gain @ (x_t - alpha(t) * signal)
    return mean, joint[:n, :n] - gain @ joint[n:, :n]


@given(data=st.data(), grid=grids(most=10), times=ordered_times(2), seed=seeds())
def test_the_posterior_is_the_schur_complement(data, grid: Grid, times: torch.Tensor, seed: int):
    process = data.draw(processes(grid, cells=(0.2, 0.6)))
    s, t = times
    x0 = normal(grid.size, seed=seed)
    C = GaussianMeasure(None, process.noise_factor, process.noise).covariance(grid)
    x_t = process.schedule.sigma(t) * (torch.linalg.cholesky(C) @ normal(grid.size, seed=seed + 1))
    x_t = x_t + process.schedule.alpha(t) * (matrix_of(process.signal, grid)[0] @ x0)
    mean, covariance = conditional(process, grid, x0, s, t, x_t)

    state, clean = (Function(grid, values[None, :, None]) for values in (x_t, x0))
    law = process.posterior(state, clean, t[None], s[None])
    scale = x_t.abs().max().item() + mean.abs().max().item()
    torch.testing.assert_close(law.mean.values[0, :, 0], mean, rtol=0, atol=1e-6 * scale)
    scale = process.schedule.sigma(s).item() ** 2 * C.abs().max().item()
    close = {"rtol": 0, "atol": 1e-7 * scale + TINY}
    torch.testing.assert_close(law.covariance(grid)[0], covariance, **close)


@pytest.mark.parametrize("schedule", [CosineSchedule(), LinearSchedule()])
@pytest.mark.parametrize("kind", ["white", "mollified", "noise_only"])
@pytest.mark.parametrize(("s", "t"), [(0.999, 1.0), (0.0, 0.3), (0.1, 0.9), (0.5, 0.501)])
def test_the_three_processes_at_the_ends_of_time(schedule, kind: str, s: float, t: float):
    grid, noise = Grid((4, 3)), WhiteNoise(0.4)
    process = {
        "white": lambda: DiffusionProcess.white(schedule, noise=noise),
        "mollified": lambda: DiffusionProcess.mollified(
            schedule, gaussian_mollifier(0.1), noise=noise
        ),
        "noise_only": lambda: DiffusionProcess.noise_only(
            schedule, gaussian_mollifier(0.1), noise=noise
        ),
    }[kind]()
    s, t = torch.tensor(s, dtype=torch.float64), torch.tensor(t, dtype=torch.float64)
    x0, x_t = normal(grid.size, seed=0), normal(grid.size, seed=1)
    mean, covariance = conditional(process, grid, x0, s, t, x_t)
    state, clean = (Function(grid, values[None, :, None]) for values in (x_t, x0))
    law = process.posterior(state, clean, t[None], s[None])
    torch.testing.assert_close(law.mean.values[0, :, 0], mean, rtol=1e-7, atol=1e-7)
    torch.testing.assert_close(law.covariance(grid)[0], covariance, rtol=1e-7, atol=1e-9)


@given(seed=seeds())
def test_on_a_subset_the_posterior_is_the_restricted_one(seed: int):
    grid = Grid((5, 4))
    process = DiffusionProcess.mollified(CosineSchedule(), gaussian_mollifier(0.1))
    generator = torch.Generator().manual_seed(seed)
    subset = Subset(grid, torch.rand(2, grid.size, generator=generator).argsort(-1)[:, :7])
    x_t, x0 = (Function(grid, normal(2, grid.size, 3, seed=seed + k)) for k in (1, 2))
    t, s = torch.tensor([0.7, 0.9]), torch.tensor([0.2, 0.8])
    whole = process.posterior(x_t, x0, t, s)
    part = process.posterior(x_t.restrict(subset), x0, t, s)
    torch.testing.assert_close(part.mean.values, whole.mean.restrict(subset).values)
    everywhere = whole.covariance(grid)
    for b, index in enumerate(subset.index):
        torch.testing.assert_close(
            part.covariance(Subset(grid, index))[b], everywhere[b][index][:, index]
        )
