"""Small training runs for tests: seconds at most, the same at every call."""

import dataclasses
from pathlib import Path

import torch
from torch.utils.data import Dataset

from inftydiff.data import Images
from inftydiff.pipelines import InftyDiff, InftyDiffConfig, preset
from inftydiff.training import TrainConfig, train

__all__ = ["SETTINGS", "held_out", "model", "pictures", "run", "same"]

SETTINGS = TrainConfig(max_steps=6, batch_size=4, precision="float32", keep=10)


def pictures(count: int = 14, channels: int = 3, shape: tuple[int, int] = (16, 16)) -> Images:
    """Blobs of one colour on another."""
    g = torch.Generator().manual_seed(7)
    rows, columns = torch.meshgrid(*(torch.linspace(-1, 1, n) for n in shape), indexing="ij")
    colours = torch.rand(2, count, channels, 1, 1, generator=g) * 2 - 1
    centres = torch.rand(2, count, 1, 1, 1, generator=g) - 0.5
    inside = torch.sigmoid(20 * (0.3 - (rows - centres[0]) ** 2 - (columns - centres[1]) ** 2))
    values = colours[0] * inside + colours[1] * (1 - inside)
    return Images(((values + 1) * 127.5).to(torch.uint8))


def held_out() -> Images:
    """Pictures to estimate losses on."""
    return Images(pictures(4).pixels.flip(-1))


def model(**changes) -> InftyDiffConfig:
    """The tiny preset with changes."""
    return dataclasses.replace(preset("tiny", resolution=16), **changes)


def run(
    out: Path,
    *,
    resume: bool = False,
    data: Dataset | None = None,
    latent: int | None = None,
    **changes,
) -> InftyDiff:
    """Train the tiny model with settings that differ from ``SETTINGS`` as said."""
    config = dataclasses.replace(SETTINGS, **changes)
    data = pictures() if data is None else data
    return train(model(latent=latent), data, held_out(), config, out, resume=resume, progress=False)


def same(a: torch.nn.Module, b: torch.nn.Module) -> bool:
    """Whether two modules have the same weights, bit for bit."""
    one, other = a.state_dict(), b.state_dict()
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)
