"""At t = (i+1)/1000 both schedules are those of diffusers at index i."""

import diffusers
import pytest
import torch

from inftydiff import CosineSchedule, LinearSchedule

T = (torch.arange(1000, dtype=torch.float64) + 1) / 1000
NAMES = {"linear": LinearSchedule(), "squaredcos_cap_v2": CosineSchedule()}


def theirs(name: str) -> torch.Tensor:
    return diffusers.DDPMScheduler(1000, beta_schedule=name).alphas_cumprod.double()


@pytest.mark.parametrize("name", NAMES)
def test_the_amplitudes_are_those_of_diffusers(name: str):
    schedule, alpha_bar = NAMES[name], theirs(name)
    torch.testing.assert_close(schedule.alpha(T) ** 2, alpha_bar, rtol=0, atol=1e-6)
    torch.testing.assert_close(schedule.sigma(T) ** 2, 1 - alpha_bar, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_the_small_ones_agree_relatively(name: str):
    schedule, alpha_bar = NAMES[name], theirs(name)
    torch.testing.assert_close(schedule.alpha(T[-50:]) ** 2, alpha_bar[-50:], rtol=1e-4, atol=0)
    steps = diffusers.DDPMScheduler(1000, beta_schedule=name).betas.double()
    torch.testing.assert_close(schedule.sigma(T[:1]) ** 2, steps[:1], rtol=1e-3, atol=0)


def test_the_cosine_floor():
    end = torch.ones((), dtype=torch.float64)
    assert CosineSchedule().alpha(end).item() == pytest.approx(4.93e-5, rel=1e-3)
    assert CosineSchedule().alpha(end).item() > 0
    assert CosineSchedule().alpha(end).item() == CosineSchedule().alpha(end - 1e-7).item()
