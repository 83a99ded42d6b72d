"""A batch of four samples is the first half of a batch of eight, with every solver."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inftydiff import (
    DDIM,
    DDPM,
    Blurring,
    CosineSchedule,
    DiffusionProcess,
    DPMSolverPP,
    EulerMaruyama,
    Function,
    Grid,
    Heun,
    NoisePrediction,
    ProbabilityFlow,
    UniPC,
    WhiteNoise,
    as_denoiser,
    gaussian_mollifier,
    sample,
    timesteps,
)
from inftydiff.testing.strategies import seeds

GRID = Grid((5, 4))
T = gaussian_mollifier(0.2)
SCHEDULE, NOISE = CosineSchedule(), WhiteNoise(0.3)
PROCESSES = {
    "white": DiffusionProcess.white(SCHEDULE, noise=NOISE),
    "mollified": DiffusionProcess.mollified(SCHEDULE, T, noise=NOISE),
    "noise only": DiffusionProcess.noise_only(SCHEDULE, T, noise=NOISE),
    "blurring": DiffusionProcess.blurring(SCHEDULE, Blurring(0.2, 0.1), noise=NOISE),
}


def network(x: Function, t: torch.Tensor) -> Function:
    return Function(x.on, torch.tanh(x.values + t[:, None, None] * x.values.mean(1, keepdim=True)))


def draw(
    solver, process: DiffusionProcess, seed: int, batch: int, channels: int = 2
) -> torch.Tensor:
    return sample(
        solver,
        as_denoiser(process, network, predict=NoisePrediction(), clip=(-1.0, 1.0)),
        on=GRID,
        times=timesteps(4),
        batch=batch,
        channels=channels,
        generator=torch.Generator().manual_seed(seed),
    ).values


SOLVERS = st.sampled_from(
    [
        DDPM(),
        DDPM("transition"),
        DDIM(),
        DDIM(0.5),
        DDIM(1.0),
        EulerMaruyama(),
        Heun(),
        Heun("ratio"),
        DPMSolverPP(2),
        DPMSolverPP(3),
        DPMSolverPP(2, stochastic=True),
        UniPC(2),
        UniPC(3),
    ]
)


@pytest.mark.thorough
@given(kind=st.sampled_from(sorted(PROCESSES)), solver=SOLVERS, seed=seeds())
def test_batch_four_is_the_first_half_of_batch_eight(kind: str, solver, seed: int):
    four, eight = (draw(solver, PROCESSES[kind], seed, batch) for batch in (4, 8))
    torch.testing.assert_close(eight[:4], four, rtol=0, atol=1e-6)
    assert (eight[4:] - four).abs().max() > 1e-3


@pytest.mark.thorough
@given(solver=SOLVERS, seed=seeds())
def test_one_channel_is_the_first_of_three(solver, seed: int):
    one, three = (draw(solver, PROCESSES["mollified"], seed, 2, channels) for channels in (1, 3))
    torch.testing.assert_close(three[..., :1], one, rtol=0, atol=1e-6)


@pytest.mark.thorough
def test_samples_of_the_adaptive_flow_agree_to_its_tolerance():
    solver, process = ProbabilityFlow(rtol=1e-4, atol=1e-4), PROCESSES["mollified"]
    denoiser = as_denoiser(process, network, predict=NoisePrediction(), clip=(-1.0, 1.0))
    ends = []
    for batch in (4, 8):
        generator = torch.Generator().manual_seed(0)
        x = process.draw_noise(GRID, batch=batch, channels=1, generator=generator)
        t, s = (torch.full((batch,), time, dtype=torch.float64) for time in (0.7, 0.5))
        ends.append(solver.step(denoiser, x, t, s, generator=generator).values)
    torch.testing.assert_close(ends[1][:4], ends[0], rtol=0, atol=1e-3)


@pytest.mark.parametrize("kind", PROCESSES)
def test_samples_of_one_run_differ(kind: str):
    samples = draw(DDIM(), PROCESSES[kind], 0, 5).flatten(1)
    assert torch.pdist(samples).min() > 1e-3
