"""Small diffusion autoencoders with random parameters, in float64."""

import dataclasses

import torch
from networks import randomised

from inftydiff.models import LatentPriorConfig
from inftydiff.pipelines import InftyDiff, InftyDiffConfig, preset

__all__ = ["LATENT", "autoencoder", "autoencoder_config", "seeded"]

LATENT = 5


def autoencoder_config(**changes: object) -> InftyDiffConfig:
    """The tiny preset with a latent and a prior."""
    small = preset("tiny", resolution=16)
    base = dataclasses.replace(
        small, latent=LATENT, prior=LatentPriorConfig(width=12, layers=3), steps=3
    )
    return dataclasses.replace(base, **changes)


def autoencoder(seed: int = 0, *, fitted: bool = True, **changes: object) -> InftyDiff:
    """A model with every parameter random, and a prior that knows a spread of latents."""
    model = randomised(InftyDiff(autoencoder_config(**changes)), seed)
    if model.prior is not None and fitted:
        model.prior.fit(torch.randn(20, LATENT, generator=seeded(seed)).double() * 2.0 + 1.0)
    return model


def seeded(seed: int = 0) -> torch.Generator:
    """A new generator."""
    return torch.Generator().manual_seed(seed)
