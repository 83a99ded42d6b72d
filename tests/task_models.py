"""Models whose network is exact: the pipeline around an oracle of Gaussian data."""

import dataclasses

import torch

from inftydiff import (
    CosineSchedule,
    Function,
    GaussianMeasure,
    SignalPrediction,
    WhiteNoise,
    gaussian_mollifier,
    matern,
)
from inftydiff.pipelines import InftyDiff, InftyDiffConfig, preset
from inftydiff.processes import NoiseOnlyProcess
from inftydiff.testing import GaussianDenoiser

__all__ = ["DATA", "exact_model", "seeded", "smooth_pictures"]

DATA = GaussianMeasure(None, matern(2.5, 0.5, dim=2), WhiteNoise())
"""The law of each channel."""


class Exact(torch.nn.Module):
    """What a perfect network says, with a parameter for its dtype."""

    def __init__(self, config: InftyDiffConfig) -> None:
        super().__init__()
        process = config.process.build(config.domain)
        self.model = GaussianDenoiser(process, DATA).as_model(SignalPrediction())
        self.unused = torch.nn.Parameter(torch.zeros((), dtype=torch.float64))

    def forward(self, x: Function, t: torch.Tensor, *, latent: None = None) -> Function:
        return self.model(x, t)


def exact_model(**changes: object) -> InftyDiff:
    """A model of functions with the law ``DATA`` in each of three channels, float64."""
    base = dataclasses.replace(
        preset("tiny", resolution=16),
        process=NoiseOnlyProcess(gaussian_mollifier(1 / 16), CosineSchedule(), WhiteNoise(1 / 16)),
        predict=SignalPrediction(),
        clip=None,
        range_floor=None,
        training_resolution=None,
        steps=10,
    )
    model = InftyDiff(dataclasses.replace(base, **changes))
    model.network = Exact(model.config)  # type: ignore[assignment]
    return model.eval()


def seeded(seed: int = 0) -> torch.Generator:
    """A new generator."""
    return torch.Generator().manual_seed(seed)


def smooth_pictures(model: InftyDiff, size: int, count: int = 1, seed: int = 5) -> Function:
    """Functions of the law, on a grid of a size: the same functions on all."""
    on = model.grid(size)
    field = DATA.draw(on.domain, batch=count, channels=3, generator=seeded(seed))
    return field(on, dtype=torch.float64)
