"""A noise-to-signal ratio that falls where it is small is found, however large it is at the end."""

from dataclasses import dataclass

import pytest
import torch

from inftydiff import CosineSchedule
from inftydiff.processes import FlowMatchingSchedule, VarianceExplodingSchedule
from inftydiff.testing import LawViolation, laws_for


@dataclass(frozen=True)
class Wavering:
    """The cosine schedule, but early its noise, of 10⁻⁹, comes and goes."""

    depth: float

    def alpha(self, t: torch.Tensor) -> torch.Tensor:
        return CosineSchedule().alpha(t)

    def sigma(self, t: torch.Tensor) -> torch.Tensor:
        early = 1e-9 * t * (1.0 + self.depth * torch.sin(1e3 * t))
        return torch.where(t < 0.2, early, CosineSchedule().sigma(t))


def test_where_it_is_small():
    (law,) = (law for law in laws_for(Wavering(0.5)) if "noise_falls" in law.__name__)
    with pytest.raises(LawViolation, match="σ"):
        law()
    for other in laws_for(Wavering(0.0)):
        other()


@pytest.mark.parametrize(
    "schedule",
    [CosineSchedule(), FlowMatchingSchedule(), VarianceExplodingSchedule(sigma_max=1e6)],
)
def test_rounding_is_none(schedule):
    for law in laws_for(schedule):
        law()
