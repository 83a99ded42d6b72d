"""RePaint keeps what is known, samples the posterior of independent parts, and asks as it says."""

import pytest
import torch
from functions import function

from inftydiff import (
    DDPM,
    CosineSchedule,
    DiffusionProcess,
    Function,
    GaussianMeasure,
    Grid,
    Identity,
    Observation,
    RePaint,
    WhiteNoise,
    gaussian_mollifier,
    known_signal,
    sample,
    timesteps,
)
from inftydiff.operators import Integrals
from inftydiff.processes import CallableDenoiser
from inftydiff.testing import GaussianDenoiser, output_law

GRID = Grid((10,))
MASK = torch.arange(10) < 5
WHITE = DiffusionProcess.white(CosineSchedule(), noise=WhiteNoise(0.3))


def run(solver, process, data, n: int, batch: int) -> Function:
    return sample(
        solver,
        GaussianDenoiser(process, data),
        on=GRID,
        times=timesteps(n, spacing="log_snr", schedule=process.schedule),
        batch=batch,
        channels=1,
        generator=torch.Generator().manual_seed(0),
        start=None,
    )


def test_what_is_known_is_kept():
    data = GaussianMeasure(None, gaussian_mollifier(0.1), WhiteNoise())
    known = known_signal(WHITE, function(GRID, 0, channels=1), MASK)
    x = run(RePaint(known, jump_length=2, resamplings=2), WHITE, data, 6, 3)
    torch.testing.assert_close(
        x.values[:, MASK].double(), known.values.expand(3, -1, -1), rtol=1e-5, atol=1e-5
    )


def test_what_is_hidden_and_independent_has_the_sampler_s_own_law():
    data = GaussianMeasure(None, Identity(), WhiteNoise(0.5))
    known = known_signal(WHITE, function(GRID, 0, channels=1), MASK)
    hidden = run(RePaint(known, resamplings=1), WHITE, data, 20, 2000).values[:, ~MASK]
    times = timesteps(20, spacing="log_snr", schedule=WHITE.schedule)
    law = output_law(DDPM(), WHITE, data, on=GRID, times=times)
    variance = law.variances.mean().item() / GRID.cell_volume
    assert hidden.mean().abs() < 5 * (variance / 10000) ** 0.5
    assert hidden.var() / variance == pytest.approx(1.0, abs=5 * (2 / 10000) ** 0.5)


@pytest.mark.thorough
def test_resampling_brings_the_hidden_part_to_the_known():
    """Nearly constant functions: the hidden part is the known one, the more it is resampled."""
    data = GaussianMeasure(None, gaussian_mollifier(2.0), WhiteNoise())
    known = known_signal(WHITE, Function(GRID, torch.full((10, 1), 2.0)), MASK)
    errors = [
        (run(RePaint(known, resamplings=r), WHITE, data, 20, 200).values[:, ~MASK] - 2.0)
        .abs()
        .mean()
        for r in (1, 10)
    ]
    assert errors[1] < 0.5 * errors[0]


def test_the_denoiser_is_asked_for_every_small_step():
    data = GaussianMeasure(None, gaussian_mollifier(0.1), WhiteNoise())
    oracle, asked = GaussianDenoiser(WHITE, data), []

    def counting(x_t, t):
        asked.append(t[0].item())
        return oracle(x_t, t)

    known = known_signal(WHITE, function(GRID, 0, channels=1), MASK)
    sample(
        RePaint(known, jump_length=3, resamplings=4),
        CallableDenoiser(WHITE, counting),
        on=GRID,
        times=timesteps(5),
        batch=1,
        channels=1,
        generator=torch.Generator().manual_seed(0),
    )
    assert len(asked) == 5 * 3 * 4
    assert min(asked) > 0.0


def test_bad_input_is_refused():
    known = known_signal(WHITE, function(GRID, 0, channels=1), MASK)
    for wrong in ({"jump_length": 0}, {"resamplings": 0}):
        with pytest.raises(ValueError, match="whole number of at least 1"):
            RePaint(known, **wrong)
    mean = Integrals(GRID, torch.ones(1, 10, dtype=torch.float64))
    with pytest.raises(ValueError, match="pastes values at points of the grid"):
        RePaint(Observation(mean, torch.zeros(1, 1, dtype=torch.float64)))
