"""Small encoders with random parameters, in float64."""

from dataclasses import replace

from networks import randomised

from inftydiff.models import Encoder, tiny

__all__ = ["encoder"]


def encoder(seed: int = 0, *, variational: bool = False, **changes: object) -> Encoder:
    """A tiny encoder with five features."""
    config = replace(tiny(), latent=5, **changes)
    return randomised(Encoder(config, variational=variational), seed)
