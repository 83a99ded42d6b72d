"""White-noise diffusion of functions, eqs. (9) and (10), the latter with the weight it lacks."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from paper import NOISE, Paper, close, mean_of_step, normal, variances
from torch import Generator, Tensor

from inftydiff import (
    CosineSchedule,
    DiffusionProcess,
    Function,
    Grid,
    LinearSchedule,
    NoisePrediction,
    Subset,
    as_denoiser,
)
from inftydiff.testing.strategies import grids, ordered_times, seeds

PROCESSES = [
    DiffusionProcess.white(schedule, noise=NOISE)
    for schedule in (CosineSchedule(), LinearSchedule())
]

processes = st.sampled_from(PROCESSES)


def averages(grid: Grid, factor: int) -> Tensor:
    """The matrix that averages a refined grid's cells over those of the grid."""
    along = [
        torch.eye(n, dtype=torch.float64).repeat_interleave(factor, 1) / factor for n in grid.shape
    ]
    matrix = along[0]
    for other in along[1:]:
        matrix = torch.kron(matrix, other)
    return matrix


@given(processes, grids(most=9), st.sampled_from([2, 3]), ordered_times(2), seeds())
def test_equation_9_the_transition_has_the_covariance_of_a_delta(
    process, grid: Grid, factor: int, times: Tensor, seed: int
):
    """Its projections on cells are independent, of variance β τ² / volume, on every grid alike."""
    s, t = times.split(1)
    paper = Paper.at(process.schedule, t, s)
    fine = Grid(tuple(factor * n for n in grid.shape), grid.domain)
    matrix = averages(grid, factor)
    x_s = normal(Generator().manual_seed(seed), fine)
    refined = process.transition(Function(fine, x_s), s, t)
    close(refined.mean.values, (1 - paper.beta).sqrt() * x_s)
    projected = matrix @ refined.covariance(fine)[0] @ matrix.mT
    unit = torch.eye(grid.size, dtype=torch.float64) * NOISE.intensity**2 / grid.cell_volume
    close(projected, paper.beta * unit)
    law = process.transition(Function(grid, matrix @ x_s), s, t)
    close(law.mean.values, matrix @ refined.mean.values)
    close(law.covariance(grid)[0], projected)


@pytest.mark.thorough
@given(processes, st.integers(2, 1000), st.integers(1, 4), variances, seeds())
def test_equation_10_corrected_over_subsets_of_the_coordinates(
    process, index: int, size: int, variance: str, seed: int
):
    """With 1/(2σ_t²) its mean over all subsets is the divergence of posterior from step."""
    grid = Grid((5,))
    t, s = (torch.tensor([i / 1000], dtype=torch.float64) for i in (index, index - 1))
    paper = Paper.at(process.schedule, t, s)
    g = Generator().manual_seed(seed)
    x0, x_t = Function(grid, normal(g, grid)), Function(grid, normal(g, grid))

    def network(x: Function, time: Tensor) -> Function:
        return Function(x.on, x.values.sin() + time)

    denoiser = as_denoiser(process, network, predict=NoisePrediction())
    weight = 1 / (2 * paper.variance(variance) * NOISE.intensity**2)
    losses = []
    for chosen in itertools.combinations(range(5), size):
        on = Subset(grid, torch.tensor(chosen))
        there = x_t.restrict(on)
        exact = process.posterior(there, x0.restrict(on), t, s).mean
        model = Function(on, mean_of_step(denoiser, there, paper, variance))
        losses.append(weight * (exact - model).norm() ** 2)

    noise = paper.beta / (1 - paper.alpha_bar).sqrt() * network(x_t, t).values
    means = (
        paper.signal * x0.values + paper.state * x_t.values,
        (x_t.values - noise) / paper.alpha.sqrt(),
    )
    std = (paper.variance(variance) / grid.cell_volume).sqrt() * NOISE.intensity
    laws = [torch.distributions.Normal(mean, std) for mean in means]
    close(torch.stack(losses).mean(), torch.distributions.kl_divergence(*laws).sum())
