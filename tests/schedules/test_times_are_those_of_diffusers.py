"""Spaced in Karras's way or in log-SNR, the ratios σ/α are the noise levels of diffusers."""

import math

import diffusers
import pytest
import torch

from inftydiff.processes.conversion import from_diffusers, to_diffusers
from inftydiff.processes.schedule import noise_ratio
from inftydiff.processes.schedules import CosineSchedule, LinearSchedule
from inftydiff.processes.times import timesteps

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")

OPTIONS = {"karras": ["use_karras_sigmas"], "log_snr": ["use_exponential_sigmas", "use_lu_lambdas"]}
PAIRS = [(spacing, option) for spacing, options in OPTIONS.items() for option in options]


@pytest.mark.parametrize("n", [2, 5, 20, 50])
@pytest.mark.parametrize("schedule", [LinearSchedule(), CosineSchedule()])
@pytest.mark.parametrize(("spacing", "option"), PAIRS)
def test_dpm_solver(spacing, option: str, schedule, n: int):
    """The default of the least ratio is their index 0, and the greatest is index 999."""
    scheduler = diffusers.DPMSolverMultistepScheduler(
        trained_betas=to_diffusers(schedule), algorithm_type="dpmsolver++", **{option: True}
    )
    scheduler.set_timesteps(n)
    times = timesteps(n, spacing=spacing, schedule=schedule, greatest_ratio=math.inf)
    found = noise_ratio(schedule, times)
    tolerance = 1e-3 if isinstance(schedule, CosineSchedule) else 2e-4
    torch.testing.assert_close(found, scheduler.sigmas.double(), rtol=tolerance, atol=0)


@pytest.mark.parametrize("n", [2, 5, 20, 50])
@pytest.mark.parametrize(("spacing", "theirs"), [("karras", "karras"), ("log_snr", "exponential")])
def test_edm(spacing, theirs: str, n: int):
    scheduler = diffusers.EDMEulerScheduler(sigma_schedule=theirs)
    schedule = from_diffusers(scheduler)
    scheduler.set_timesteps(n)
    times = timesteps(n, spacing=spacing, schedule=schedule, least_ratio=0.002)
    found = noise_ratio(schedule, times)
    torch.testing.assert_close(found, scheduler.sigmas.double(), rtol=1e-6, atol=0)


@pytest.mark.parametrize("n", [2, 10, 20, 50])
def test_the_formula_of_karras(n: int):
    """Eq. (5) of Karras et al. (2022), with ρ = 7."""
    schedule = LinearSchedule()
    ratios = noise_ratio(schedule, torch.tensor([1.0, 0.2], dtype=torch.float64))
    greatest, least = ratios.tolist()
    times = timesteps(n, spacing="karras", end=0.2, schedule=schedule)
    expected = [
        (greatest ** (1 / 7) + i / n * (least ** (1 / 7) - greatest ** (1 / 7))) ** 7
        for i in range(n + 1)
    ]
    assert noise_ratio(schedule, times).tolist() == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("n", [10, 25, 100])
def test_uniform_times_are_their_trailing_timesteps(n: int):
    scheduler = diffusers.DDIMScheduler(timestep_spacing="trailing")
    scheduler.set_timesteps(n)
    assert ((timesteps(n)[:-1] * 1000).round() - 1).tolist() == scheduler.timesteps.tolist()
