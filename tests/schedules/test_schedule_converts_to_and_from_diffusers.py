"""Schedules taken from diffusers have its values, and diffusers' schedulers made of ours have ours.

Index i is t = (i+1)/n.
"""

import math
from types import SimpleNamespace

import diffusers
import numpy as np
import pytest
import torch
from every_schedule import EVERY, PRESERVING

from inftydiff.processes.conversion import from_diffusers, to_diffusers
from inftydiff.processes.schedule import noise_ratio
from inftydiff.processes.schedules import (
    FlowMatchingSchedule,
    LinearSchedule,
)
from inftydiff.testing import laws_for


def times(n: int = 1000) -> torch.Tensor:
    return torch.arange(1, n + 1, dtype=torch.float64) / n


SCHEDULERS = {
    "DDPM linear": diffusers.DDPMScheduler(),
    "DDPM of 200": diffusers.DDPMScheduler(200),
    "DDPM sigmoid": diffusers.DDPMScheduler(beta_schedule="sigmoid"),
    "DDPM cosine": diffusers.DDPMScheduler(beta_schedule="squaredcos_cap_v2"),
    "DDPM laplace": diffusers.DDPMScheduler(beta_schedule="laplace"),
    "DDIM scaled": diffusers.DDIMScheduler(
        beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012
    ),
    "DPM-Solver": diffusers.DPMSolverMultistepScheduler(beta_schedule="squaredcos_cap_v2"),
    "UniPC": diffusers.UniPCMultistepScheduler(),
    "Euler": diffusers.EulerDiscreteScheduler(),
}


@pytest.mark.parametrize("name", SCHEDULERS)
def test_betas_of_theirs(name: str):
    scheduler = SCHEDULERS[name]
    schedule, t = from_diffusers(scheduler), times(len(scheduler.alphas_cumprod))
    alpha_bar = scheduler.alphas_cumprod.double()
    torch.testing.assert_close(schedule.alpha(t) ** 2, alpha_bar, rtol=1e-12, atol=0)
    torch.testing.assert_close(schedule.sigma(t) ** 2, 1 - alpha_bar, rtol=1e-12, atol=0)


@pytest.mark.parametrize("name", SCHEDULERS)
def test_what_is_taken_over_keeps_the_laws(name: str):
    for law in laws_for(from_diffusers(SCHEDULERS[name])):
        law()


def test_theirs_is_ours_where_it_has_a_name():
    taken = from_diffusers(SCHEDULERS["DDPM linear"])
    t = torch.linspace(0, 1, 3001, dtype=torch.float64)
    torch.testing.assert_close(taken.alpha(t), LinearSchedule().alpha(t), rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("shift", [1.0, 3.0, 0.5])
@pytest.mark.parametrize(
    "make",
    [
        lambda shift: diffusers.FlowMatchEulerDiscreteScheduler(shift=shift),
        lambda shift: diffusers.FlowMatchHeunDiscreteScheduler(shift=shift),
    ],
    ids=["Euler", "Heun"],
)
def test_flow_matching(make, shift: float):
    scheduler = make(shift)
    levels = scheduler.sigmas.double().flip(0)
    schedule = from_diffusers(scheduler)
    assert schedule == FlowMatchingSchedule(shift)
    torch.testing.assert_close(schedule.sigma(times()), levels, rtol=1e-6, atol=0)
    torch.testing.assert_close(schedule.alpha(times())[:-1], 1 - levels[:-1], rtol=0, atol=1e-6)
    scheduler.set_timesteps(7)
    assert from_diffusers(scheduler) == schedule


@pytest.mark.filterwarnings("ignore:__array__ implementation")
def test_flow_sigmas_of_a_solver():
    scheduler = diffusers.DPMSolverMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0
    )
    schedule = from_diffusers(scheduler)
    scheduler.set_timesteps(20)
    for level, index in zip(scheduler.sigmas[:-1], scheduler.timesteps, strict=True):
        alpha, sigma = scheduler._sigma_to_alpha_sigma_t(level)
        shifted = index.double() / 1000
        t = shifted / (3.0 - 2.0 * shifted)
        assert schedule.alpha(t).item() == pytest.approx(alpha.item(), abs=1e-3)
        assert schedule.sigma(t).item() == pytest.approx(sigma.item(), abs=1e-3)


@pytest.mark.parametrize("ends", ["zero", "sigma_min"])
@pytest.mark.parametrize("spacing", ["karras", "exponential"])
def test_noise_levels_of_edm(spacing: str, ends: str):
    scheduler = diffusers.EDMEulerScheduler(sigma_schedule=spacing, final_sigmas_type=ends)
    schedule = from_diffusers(scheduler)
    t, levels = times(1001), scheduler.sigmas[:-1].double().flip(0)
    assert torch.equal(schedule.alpha(t), torch.ones_like(t))
    torch.testing.assert_close(schedule.sigma(t), levels, rtol=1e-12, atol=0)
    for law in laws_for(schedule):
        law()


@pytest.mark.parametrize("name", PRESERVING)
def test_our_betas_in_their_schedulers(name: str):
    betas = to_diffusers(PRESERVING[name])
    exact = np.cumprod(1 - betas)
    alpha, sigma = PRESERVING[name].alpha(times()), PRESERVING[name].sigma(times())
    np.testing.assert_allclose(exact, alpha**2, rtol=1e-9, atol=0)
    np.testing.assert_allclose(-np.expm1(np.log1p(-betas).cumsum()), sigma**2, rtol=1e-9, atol=0)
    for kind in (diffusers.DDPMScheduler, diffusers.DPMSolverMultistepScheduler):
        scheduler = kind(len(betas), trained_betas=betas)
        found = scheduler.alphas_cumprod.double()
        torch.testing.assert_close(found, alpha**2, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", EVERY)
def test_their_noise_to_signal_ratio_is_ours(name: str):
    schedule = EVERY[name]
    expected = noise_ratio(schedule, times())
    found = np.sqrt(np.expm1(-np.log1p(-to_diffusers(schedule)).cumsum()))
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=0)


@pytest.mark.parametrize("name", SCHEDULERS)
def test_there_and_back(name: str):
    scheduler = SCHEDULERS[name]
    n = len(scheduler.alphas_cumprod)
    betas = to_diffusers(from_diffusers(scheduler), n)
    np.testing.assert_allclose(betas, scheduler.betas.double(), rtol=2e-3, atol=1e-6)


@pytest.mark.parametrize("n", [1, 10, 1000])
def test_the_number_of_betas(n: int):
    betas = to_diffusers(EVERY["flow"], n)
    assert betas.shape == (n,)
    assert betas.dtype == np.float64
    assert (betas > 0).all()
    assert (betas < 1).all()


def test_flat_pieces_have_no_beta():
    betas = to_diffusers(EVERY["table with flat pieces"], 20)
    assert (betas[4:6] == 0).all()
    assert (betas[16:] == 0).all()
    assert (betas[8:12] > 0).all()


def test_a_schedule_without_signal_at_the_end_is_refused():
    scheduler = diffusers.DDIMScheduler(rescale_betas_zero_snr=True)
    with pytest.raises(ValueError, match=r"ᾱ lies between 0 and 1; got 0 to .*a small floor"):
        from_diffusers(scheduler)


def test_a_shift_that_depends_on_the_picture_is_refused():
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True)
    with pytest.raises(ValueError, match=r"depends on the size of the picture.*e\^mu"):
        from_diffusers(scheduler)


def test_the_shift_for_mu_is_its_exponential():
    """What the refusal above advises."""
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True)
    scheduler.set_timesteps(10, mu=0.7)
    t = torch.linspace(1, 1e-3, 10, dtype=torch.float64)
    found = FlowMatchingSchedule(math.exp(0.7)).sigma(t)
    torch.testing.assert_close(scheduler.sigmas[:-1].double(), found, rtol=1e-5, atol=0)


@pytest.mark.parametrize("thing", [None, 3, LinearSchedule(), SimpleNamespace(config=[1])])
def test_what_is_no_scheduler_is_refused(thing):
    with pytest.raises(TypeError, match=rf"alphas_cumprod.*got {type(thing).__name__}"):
        from_diffusers(thing)


@pytest.mark.parametrize("n", [0, -1, 2.5])
def test_a_number_of_betas_that_is_not_whole(n, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("jaxtyping.config.jaxtyping_disable", True)
    with pytest.raises(ValueError, match="The number of steps must be a whole number"):
        to_diffusers(LinearSchedule(), n)
