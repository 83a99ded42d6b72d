"""Pictures that a formula makes, and where the models of version 1 lie."""

import math
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import Dataset

VERSION_1 = Path(__file__).parent / "fixtures" / "version_1"
"""Models, a run that stopped half-way and their answers, by the code that wrote version 1."""


class Waves(Dataset[Tensor]):
    """Pictures of waves, in [-1, 1]."""

    def __init__(self, pictures: Tensor) -> None:
        self.pictures = pictures

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> Tensor:
        return self.pictures[index]


def pictures(count: int, channels: int, size: tuple[int, int] = (16, 16)) -> Waves:
    """So many pictures of one wave in each channel, in float32."""
    y, x = (torch.linspace(0.0, 1.0, n, dtype=torch.float64) for n in size)
    number = torch.arange(count, dtype=torch.float64)[:, None, None, None]
    channel = torch.arange(channels, dtype=torch.float64)[:, None, None]
    phase = number + 2.0 * channel
    wave = torch.sin(math.pi * (1.0 + number % 3) * y[:, None] + (1.0 + channel) * 3.0 * x + phase)
    return Waves(0.9 * wave.float())
