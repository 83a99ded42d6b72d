"""With white noise, DDPM and DDIM steps are those of diffusers, for every prediction."""

import diffusers
import pytest
import torch
from diffusers.schedulers import scheduling_ddpm
from hypothesis import given
from hypothesis import strategies as st

from inftydiff import (
    DDIM,
    DDPM,
    CleanPrediction,
    CosineSchedule,
    DiffusionProcess,
    Function,
    Grid,
    LinearSchedule,
    NoisePrediction,
    SignalPrediction,
    VelocityPrediction,
    WhiteNoise,
    as_denoiser,
    sample,
    trajectory,
)
from inftydiff.testing.strategies import seeds

GRID = Grid((6, 4))
NOISE = WhiteNoise(GRID.cell_volume**0.5)
PREDICTIONS = {
    "epsilon": [NoisePrediction()],
    "sample": [SignalPrediction(), CleanPrediction()],
    "v_prediction": [VelocityPrediction()],
}
PAIRS = [(name, predict) for name, kinds in PREDICTIONS.items() for predict in kinds]
SCHEDULES = [CosineSchedule(), LinearSchedule()]
CLIPS = [None, (-0.8, 0.8)]


def time(index: int) -> torch.Tensor:
    return torch.full((2,), (index + 1) / 1000, dtype=torch.float64)


def theirs(kind, schedule, prediction: str, clip, **options):
    """A scheduler of diffusers in float64, with our schedule's numbers."""
    scheduler = kind(
        1000,
        prediction_type=prediction,
        clip_sample=clip is not None,
        clip_sample_range=1.0 if clip is None else clip[1],
        **options,
    )
    t = (torch.arange(1000, dtype=torch.float64) + 1) / 1000
    scheduler.alphas_cumprod = schedule.alpha(t) ** 2
    scheduler.one = torch.ones((), dtype=torch.float64)
    if kind is diffusers.DDIMScheduler:
        scheduler.final_alpha_cumprod = scheduler.one
    return scheduler


def network(x: Function, t: torch.Tensor) -> Function:
    """Something that depends on state and time."""
    mixed = x.values @ torch.tensor([[0.5, 0.2], [-0.4, 0.6]], dtype=torch.float64)
    return Function(x.on, torch.tanh(mixed) + t[:, None, None] * x.values.mean(1, keepdim=True))


def normal(seed: int) -> Function:
    generator = torch.Generator().manual_seed(seed)
    return Function(GRID, torch.randn(2, GRID.size, 2, generator=generator, dtype=torch.float64))


def fresh(process: DiffusionProcess, generator: torch.Generator) -> torch.Tensor:
    noise = process.draw_noise(GRID, batch=2, channels=2, generator=generator, dtype=torch.float64)
    return noise.to_image()


def close(found: Function, expected: torch.Tensor) -> None:
    scale = max(1.0, expected.abs().max().item())
    torch.testing.assert_close(found.to_image(), expected, rtol=0, atol=1e-6 * scale)


@pytest.mark.thorough
@pytest.mark.parametrize("clip", CLIPS, ids=["free", "clipped"])
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("variance", ["posterior", "transition"])
@pytest.mark.parametrize(("name", "predict"), PAIRS)
def test_ddpm(name, predict, variance, schedule, clip, monkeypatch: pytest.MonkeyPatch):
    process = DiffusionProcess.white(schedule, noise=NOISE)
    denoiser = as_denoiser(process, network, predict=predict, clip=clip)
    kind = {"posterior": "fixed_small", "transition": "fixed_large"}[variance]
    scheduler = theirs(diffusers.DDPMScheduler, schedule, name, clip, variance_type=kind)
    for index in (0, 1, 2, 57, 500, 998, 999):
        x_t = normal(index)
        noise = fresh(process, torch.Generator().manual_seed(index))
        monkeypatch.setattr(scheduling_ddpm, "randn_tensor", lambda *a, noise=noise, **k: noise)
        output = network(x_t, time(index))
        expected = scheduler.step(output.to_image(), index, x_t.to_image()).prev_sample
        ours = DDPM(variance).step(
            denoiser,
            x_t,
            time(index),
            time(index - 1),
            generator=torch.Generator().manual_seed(index),
        )
        close(ours, expected)


@pytest.mark.thorough
@pytest.mark.parametrize("clip", CLIPS, ids=["free", "clipped"])
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
@pytest.mark.parametrize(("name", "predict"), PAIRS)
def test_ddim(name, predict, eta, schedule, clip):
    process = DiffusionProcess.white(schedule, noise=NOISE)
    denoiser = as_denoiser(process, network, predict=predict, clip=clip)
    scheduler = theirs(diffusers.DDIMScheduler, schedule, name, clip)
    for calls in (1000, 50, 3):
        stride = 1000 // calls
        scheduler.set_timesteps(calls)
        for index in (0, stride, (calls // 2) * stride, 999 if calls == 1000 else stride):
            x_t = normal(index)
            generator = torch.Generator().manual_seed(index)
            expected = scheduler.step(
                network(x_t, time(index)).to_image(),
                index,
                x_t.to_image(),
                eta=eta,
                use_clipped_model_output=clip is not None,
                variance_noise=fresh(process, torch.Generator().manual_seed(index)),
            ).prev_sample
            s = time(max(index - stride, -1))
            ours = DDIM(eta).step(denoiser, x_t, time(index), s, generator=generator)
            close(ours, expected)


@pytest.mark.thorough
@pytest.mark.parametrize("eta", [0.0, 0.7])
@given(
    schedule=st.sampled_from(SCHEDULES),
    clip=st.sampled_from([None, (-1.0, 1.0)]),
    calls=st.sampled_from([1, 4, 10, 25]),
    seed=seeds(),
)
def test_a_whole_ddim_trajectory(eta: float, schedule, clip, calls: int, seed: int):
    process = DiffusionProcess.white(schedule, noise=NOISE)
    denoiser = as_denoiser(process, network, predict=VelocityPrediction(), clip=clip)
    scheduler = theirs(diffusers.DDIMScheduler, schedule, "v_prediction", clip)
    scheduler.set_timesteps(calls)
    start, generator = normal(seed % 1000), torch.Generator().manual_seed(seed)
    x = start.to_image()
    states = [x]
    for index in scheduler.timesteps.tolist():
        f = Function(GRID, x.flatten(2).mT)
        x = scheduler.step(
            network(f, time(index)).to_image(),
            index,
            x,
            eta=eta,
            use_clipped_model_output=clip is not None,
            variance_noise=fresh(process, generator) if eta else None,
        ).prev_sample
        states.append(x)
    arguments = {
        "on": GRID,
        "times": torch.cat([(scheduler.timesteps + 1).double() / 1000, torch.zeros(1)]).double(),
        "batch": 2,
        "channels": 2,
        "start": start,
    }
    generator = torch.Generator().manual_seed(seed)
    ours = trajectory(DDIM(eta), denoiser, generator=generator, **arguments)
    for state, expected in zip(ours, states, strict=True):
        close(state.x, expected)
    generator = torch.Generator().manual_seed(seed)
    close(sample(DDIM(eta), denoiser, generator=generator, **arguments), x)
