"""The schedules that ship: each a frozen value with ``alpha(t)`` and ``sigma(t)``."""

from inftydiff.processes.schedules.beta import ConstantSchedule, LinearSchedule
from inftydiff.processes.schedules.cosine import CosineSchedule, ShiftedCosineSchedule
from inftydiff.processes.schedules.exploding import VarianceExplodingSchedule
from inftydiff.processes.schedules.flow import FlowMatchingSchedule
from inftydiff.processes.schedules.sigmoid import SigmoidSchedule
from inftydiff.processes.schedules.tabulated import TabulatedSchedule

__all__ = [
    "ConstantSchedule",
    "CosineSchedule",
    "FlowMatchingSchedule",
    "LinearSchedule",
    "ShiftedCosineSchedule",
    "SigmoidSchedule",
    "TabulatedSchedule",
    "VarianceExplodingSchedule",
]
