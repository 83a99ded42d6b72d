"""One or two of every kind of schedule that ships, by name."""

import torch

from inftydiff.processes.schedule import Schedule
from inftydiff.processes.schedules import (
    ConstantSchedule,
    CosineSchedule,
    FlowMatchingSchedule,
    LinearSchedule,
    ShiftedCosineSchedule,
    SigmoidSchedule,
    TabulatedSchedule,
    VarianceExplodingSchedule,
)

__all__ = ["EVERY", "PRESERVING"]

PRESERVING: dict[str, Schedule] = {
    "linear": LinearSchedule(),
    "constant": ConstantSchedule(),
    "cosine": CosineSchedule(),
    "cosine shifted down": ShiftedCosineSchedule(64 / 256),
    "cosine shifted up": ShiftedCosineSchedule(3.0),
    "sigmoid": SigmoidSchedule(),
    "half a sigmoid": SigmoidSchedule(0.0, 3.0, 0.3),
    "steep sigmoid": SigmoidSchedule(temperature=0.05),
    "preserving table": TabulatedSchedule.preserving(torch.linspace(0.99, 0.001, 20)),
}
"""Those with α² + σ² = 1."""

EVERY: dict[str, Schedule] = {
    **PRESERVING,
    "exploding": VarianceExplodingSchedule(),
    "exploding far": VarianceExplodingSchedule(1e-3, 1e3),
    "flow": FlowMatchingSchedule(),
    "shifted flow": FlowMatchingSchedule(3.0),
    "table with flat pieces": TabulatedSchedule(
        (0.0, 0.1, 0.4, 0.6, 0.8, 1.0),
        (1.0, 0.9, 0.9, 0.5, 0.25, 0.25),
        (0.0, 0.3, 0.3, 0.6, 0.3, 0.3),
    ),
}
"""All of them."""
