"""With a perfect network and moment matching a task's samples are those of the exact posterior."""

import math

import pytest
import torch
from task_models import DATA, exact_model, seeded, smooth_pictures

from inftydiff import Function, MomentMatching, Scattered, UniPC, point_values, timesteps
from inftydiff.pipelines import tasks
from inftydiff.pipelines.tasks._grids import known_cells
from inftydiff.processes import Observation
from inftydiff.testing import exact_posterior

MODEL = exact_model()
GRID = MODEL.grid(16)
HOW = tasks.Sampling(
    solver=UniPC(3),
    times=timesteps(20, spacing="log_snr", schedule=MODEL.process.schedule),
    points=1 << 20,
)
SAMPLES, NOISE = 64, 0.1
BIAS = 0.03
"""What the solver leaves, as a part of the norm of the mean; and twice of the variance."""


def solve(task: str) -> tuple[tasks.TaskResult, Observation]:
    """A task's answer, and the observation that it should have made."""
    common = {
        "on": GRID,
        "generator": seeded(1),
        "samples": SAMPLES,
        "noise_std": NOISE,
        "guide": MomentMatching(),
        "how": HOW,
    }
    x = smooth_pictures(MODEL, 16)
    if task == "inpaint":
        mask = ((GRID.points < 0.25) | (GRID.points > 0.75)).any(-1)
        result = tasks.inpaint(MODEL, x, mask, composite=False, **common)
        return result, Observation(known_cells(mask, of=GRID, on=GRID), x.values[0][mask])
    if task == "super_resolve":
        coarse = smooth_pictures(MODEL, 4)
        result = tasks.super_resolve(MODEL, coarse, composite=False, **common)
        return result, Observation(known_cells(None, of=coarse.on, on=GRID), coarse.values[0])
    points = Scattered(torch.rand(20, 2, generator=seeded(3), dtype=torch.float64))
    errors = NOISE * torch.randn(1, 20, 3, generator=seeded(4), dtype=torch.float64)
    readings = Function(points, point_values(points, on=GRID)(x) + errors)
    result = tasks.from_sensors(MODEL, readings, **common)
    return result, Observation(point_values(points, on=GRID), readings.values[0])


@pytest.mark.thorough
@pytest.mark.parametrize("task", ["inpaint", "super_resolve", "from_sensors"])
def test_mean_and_spread_are_the_exact_ones(task: str):
    result, seen = solve(task)
    assert tuple(result.samples.values.shape) == (1, SAMPLES, GRID.size, 3)
    errors, ratios = [], []
    for channel in range(3):
        alone = Observation(seen.reads, seen.values[:, channel : channel + 1], NOISE)
        truth = exact_posterior(DATA, alone)
        deviation = truth.variance.sqrt()
        error = (result.mean.values[0, :, channel] - truth.mean) / deviation
        assert error.abs().max() < 5.0 / math.sqrt(SAMPLES) + 0.1
        errors.append(error)
        ratios.append(result.std.values[0, :, channel] ** 2 / truth.variance)
    assert abs(torch.stack(ratios).mean().item() - 1.0) < 2 * BIAS + 5.0 * math.sqrt(
        2 / SAMPLES / 3
    )


@pytest.mark.thorough
def test_the_misfit_is_that_of_the_errors():
    result, _ = solve("from_sensors")
    assert result.misfit.shape == (1, SAMPLES)
    assert (result.misfit < 2.0 * NOISE).all()
    assert (result.misfit > 0.5 * NOISE).all()
    assert result.observed.values.shape == (1, 20, 3)
