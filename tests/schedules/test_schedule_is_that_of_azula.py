"""A schedule of azula and its conversion have the same values, and azula samples with ours."""

import pytest
import torch
from every_schedule import EVERY

from inftydiff.processes.conversion import from_azula, to_azula
from inftydiff.processes.schedule import log_alpha_rate, noise_variance_rate
from inftydiff.testing import LawViolation, laws_for

noise = pytest.importorskip("azula.noise")

THEIRS = {
    "exploding": noise.VESchedule(1e-2, 1e2),
    "preserving": noise.VPSchedule(),
    "cosine": noise.CosineSchedule(),
    "rectified": noise.RectifiedSchedule(),
    "decay": noise.DecaySchedule(),
}
T = torch.linspace(0, 1, 1001, dtype=torch.float64)


@pytest.mark.parametrize("name", THEIRS)
def test_the_values_are_theirs(name: str):
    alpha, sigma = THEIRS[name](T)
    ours = from_azula(THEIRS[name])
    torch.testing.assert_close(ours.alpha(T), alpha, rtol=1e-12, atol=0)
    torch.testing.assert_close(ours.sigma(T), sigma, rtol=1e-12, atol=0)
    assert ours.sigma(T[:1]).item() > 0


@pytest.mark.parametrize("name", THEIRS)
def test_all_laws_but_the_one_about_the_start(name: str):
    broken = set()
    for law in laws_for(from_azula(THEIRS[name])):
        try:
            law()
        except LawViolation as violation:
            broken.add(violation.law)
    assert broken == {"starts_at_the_data"}


@pytest.mark.parametrize("name", THEIRS)
def test_they_have_rates(name: str):
    ours = from_azula(THEIRS[name])
    assert (log_alpha_rate(ours, T) <= 0).all()
    assert (noise_variance_rate(ours, T[1:]) > 0).all()


class OneSchedule(noise.Schedule):
    """A schedule of azula's own base class, with the values of one of ours."""

    def __init__(self, schedule) -> None:
        self.schedule = schedule

    def __call__(self, t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.schedule.alpha(t), self.schedule.sigma(t)


@pytest.mark.parametrize("name", EVERY)
def test_ours_are_called_as_theirs(name: str):
    for found, expected in zip(to_azula(EVERY[name])(T), OneSchedule(EVERY[name])(T), strict=True):
        assert torch.equal(found, expected)


def test_their_rectified_schedule_with_small_ends_is_the_straight_path():
    theirs = from_azula(noise.RectifiedSchedule(alpha_min=1e-9, sigma_min=1e-9))
    flow = EVERY["flow"]
    torch.testing.assert_close(theirs.alpha(T[:-1]), flow.alpha(T[:-1]), rtol=1e-5, atol=0)
    torch.testing.assert_close(theirs.sigma(T[1:]), flow.sigma(T[1:]), rtol=1e-5, atol=0)
