"""Any pair of amplitudes called as azula's schedules are becomes one of ours, and back."""

import math

import pytest
import torch
from every_schedule import EVERY

from inftydiff.processes.conversion import AzulaSchedule, from_azula, to_azula
from inftydiff.processes.schedule import (
    Schedule,
    log_alpha_rate,
    noise_ratio,
    noise_variance_rate,
    time_at_ratio,
)
from inftydiff.testing import LawViolation, laws_for

T = torch.linspace(0, 1, 101, dtype=torch.float64)


class Rectified:
    """The rectified schedule of azula, written out from its documentation."""

    alpha_min = 1e-3
    sigma_min = 1e-2

    def __call__(self, t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.alpha(t), self.sigma(t)

    def alpha(self, t: torch.Tensor) -> torch.Tensor:
        return t * self.alpha_min + (1 - t)

    def sigma(self, t: torch.Tensor) -> torch.Tensor:
        return t + (1 - t) * self.sigma_min


def test_the_values_are_kept():
    theirs = Rectified()
    ours = from_azula(theirs)
    assert isinstance(ours, Schedule)
    assert torch.equal(ours.alpha(T), theirs.alpha(T))
    assert torch.equal(ours.sigma(T), theirs.sigma(T))
    assert ours.sigma(T[:1]).item() == 0.01


def test_the_work_is_in_float64():
    ours = from_azula(Rectified())
    t = torch.rand(100, generator=torch.Generator().manual_seed(0))
    assert ours.sigma(t).dtype == torch.float32
    assert torch.equal(ours.sigma(t), Rectified().sigma(t.double()).float())


def test_the_functions_of_schedules_apply():
    ours = from_azula(Rectified())
    t = torch.tensor(0.3, dtype=torch.float64)
    ratio = noise_ratio(ours, t)
    assert ratio.item() == pytest.approx(0.307 / 0.7003, rel=1e-14)
    assert time_at_ratio(ours, ratio).item() == pytest.approx(0.3, rel=1e-12)
    drift = -0.999 / 0.7003
    assert log_alpha_rate(ours, t).item() == pytest.approx(drift, rel=1e-12)
    expected = 2 * 0.307 * 0.99 - 2 * drift * 0.307**2
    assert noise_variance_rate(ours, t).item() == pytest.approx(expected, rel=1e-12)


def test_only_the_law_about_the_start_is_broken():
    broken = []
    for law in laws_for(from_azula(Rectified())):
        try:
            law()
        except LawViolation as violation:
            broken.append(violation.law)
    assert broken == ["starts_at_the_data"]


def test_a_ratio_below_its_start_is_refused():
    with pytest.raises(ValueError, match=r"runs from 0.01 to 1000; got 0.001 to 0.001"):
        time_at_ratio(from_azula(Rectified()), torch.tensor(0.001))


@pytest.mark.parametrize("name", EVERY)
def test_ours_are_called_as_theirs(name: str):
    theirs = to_azula(EVERY[name])
    assert isinstance(theirs, AzulaSchedule)
    alpha, sigma = theirs(T)
    assert torch.equal(alpha, EVERY[name].alpha(T))
    assert torch.equal(sigma, EVERY[name].sigma(T))
    assert torch.equal(theirs.alpha(T), alpha)
    assert torch.equal(theirs.sigma(T), sigma)


def test_there_and_back_is_the_schedule_itself():
    theirs = Rectified()
    assert to_azula(from_azula(theirs)) is theirs
    assert from_azula(to_azula(EVERY["flow"])) is EVERY["flow"]


def test_they_are_values():
    assert to_azula(EVERY["flow"]) == to_azula(EVERY["flow"])
    assert to_azula(EVERY["flow"]) != to_azula(EVERY["cosine"])
    assert math.isclose(to_azula(EVERY["flow"])(T[50])[0].item(), 0.5)
