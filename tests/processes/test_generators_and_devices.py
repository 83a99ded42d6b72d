"""A seed is taken on any device; what is drawn on one device does not meet tensors of another.

The noise of one seed is one function on every device. The device that is not the CPU is ``meta``,
which has shapes and no values.
"""

from dataclasses import dataclass

import jaxtyping
import pytest
import torch

from inftydiff import (
    CosineSchedule,
    DiffusionProcess,
    Function,
    GaussianMeasure,
    Grid,
    NoisePrediction,
    Prediction,
    Subset,
    WhiteNoise,
    denoising_loss,
    gaussian_mollifier,
    log_likelihood,
    random_subset,
    timesteps,
    trajectory,
)
from inftydiff.processes import CallableDenoiser, as_denoiser, fresh_noise

GRID = Grid((4, 4))
T = gaussian_mollifier(0.2)
PROCESS = DiffusionProcess.mollified(CosineSchedule(), T)
ELSEWHERE = torch.device("meta")


@pytest.fixture(autouse=True)
def _as_shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the run-time type checks of the tests, which refuse some of this themselves."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


def zeros(device: torch.device | str) -> Function:
    return Function(GRID, torch.zeros(2, GRID.size, 1, device=device))


def test_a_draw_takes_as_much_from_its_generator_on_every_device():
    states = []
    for device in (None, "cpu", ELSEWHERE):
        g = torch.Generator().manual_seed(0)
        noise = PROCESS.draw_noise(GRID, batch=2, channels=1, generator=g, device=device)
        assert noise.values.device == torch.device("cpu" if device is None else device)
        states.append(g.get_state())
    assert torch.equal(states[0], states[1])
    assert torch.equal(states[0], states[2])


def test_samples_lie_where_the_mean_does(generator: torch.Generator):
    measure = GaussianMeasure(zeros(ELSEWHERE), T, WhiteNoise())
    x = measure.sample(GRID, batch=2, channels=1, generator=generator)
    assert x.values.device == ELSEWHERE


@dataclass(frozen=True)
class Fresh:
    """A solver that forgets the state."""

    def step(self, denoiser, x_t, t, s, *, generator):
        process = denoiser.process
        denoiser(x_t, t)
        return fresh_noise(process, x_t, generator)


def test_a_trajectory_stays_on_the_device_of_its_start(generator: torch.Generator):
    states = trajectory(
        Fresh(),
        CallableDenoiser(PROCESS, lambda x, t: Prediction(x, x)),
        on=GRID,
        times=timesteps(3),
        batch=2,
        channels=1,
        generator=generator,
        start=zeros(ELSEWHERE),
    )
    assert [state.x.values.device for state in states] == [ELSEWHERE] * 4


def test_a_random_subset_lives_on_the_device_of_its_generator(generator: torch.Generator):
    assert random_subset(GRID, 5, generator=generator).index.device == generator.device


def loss(x0: Function, t: torch.Tensor, at: Subset | None, generator: torch.Generator):
    predict = NoisePrediction()
    return denoising_loss(
        as_denoiser(PROCESS, lambda x, t: x, predict=predict), x0, t, at=at, generator=generator
    )


def test_a_loss_of_tensors_on_two_devices(generator: torch.Generator):
    before, t = generator.get_state(), torch.tensor([0.2, 0.8])
    at = Subset(GRID, torch.arange(5))
    with pytest.raises(ValueError, match=r"Times and clean functions lie .* meta and cpu\. Move"):
        loss(zeros("cpu"), t.to(ELSEWHERE), None, generator)
    with pytest.raises(ValueError, match=r"Times and clean functions .* got cpu and meta"):
        loss(zeros(ELSEWHERE), t, None, generator)
    with pytest.raises(ValueError, match=r"points to train on .* cpu and meta\. Draw the points"):
        loss(zeros(ELSEWHERE), t.to(ELSEWHERE), at, generator)
    assert torch.equal(generator.get_state(), before)


def test_probes_drawn_on_another_device_than_the_states(generator: torch.Generator):
    before = generator.get_state()
    with pytest.raises(ValueError, match=r"generator of the probes .* cpu and meta\. Pass torch"):
        log_likelihood(
            CallableDenoiser(PROCESS, lambda x, t: Prediction(x, x)),
            zeros(ELSEWHERE),
            time=0.5,
            probes=1,
            generator=generator,
        )
    assert torch.equal(generator.get_state(), before)


def test_functions_on_two_devices():
    for combine in (Function.__add__, Function.__sub__, Function.inner):
        with pytest.raises(ValueError, match=r"two functions lie on one device; got cpu and meta"):
            combine(zeros("cpu"), zeros(ELSEWHERE))
