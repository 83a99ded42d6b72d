"""``recommended_timesteps`` are the steps in the spacing that the solver's class names."""

from dataclasses import dataclass
from typing import ClassVar, get_args

import pytest
import torch

from inftydiff.processes.schedules import CosineSchedule, FlowMatchingSchedule
from inftydiff.processes.times import Spaced, Spacing, recommended_timesteps, timesteps


@dataclass(frozen=True)
class Rule:
    """A solver that names a spacing for all its instances."""

    eta: float = 0.0
    spacing: ClassVar[Spacing] = "karras"


@dataclass(frozen=True)
class Chosen:
    """A solver with a spacing of its own."""

    spacing: Spacing


def test_a_class_attribute():
    solver: Spaced = Rule()
    found = recommended_timesteps(9, solver, CosineSchedule())
    assert torch.equal(found, timesteps(9, spacing="karras", schedule=CosineSchedule()))


@pytest.mark.parametrize("spacing", get_args(Spacing))
def test_every_spacing(spacing: Spacing):
    schedule = FlowMatchingSchedule()
    found = recommended_timesteps(7, Chosen(spacing), schedule, start=0.9, end=0.01)
    expected = timesteps(7, spacing=spacing, start=0.9, end=0.01, schedule=schedule)
    assert torch.equal(found, expected)


def test_n_counts_steps():
    assert recommended_timesteps(5, Rule(), CosineSchedule()).shape == (6,)
