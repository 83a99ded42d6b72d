"""Small encoders with random parameters, in float64."""

from dataclasses import replace

from networks import randomised

from inftydiff.models import Encoder, tiny

__all__ = ["encoder"]


def encoder(seed: int = 0, *, variational: bool = False, **changes: object) -> Encoder:
    """A tiny encoder with five features."""
    own = {"channels": changes.pop("channels", 3), "latent": changes.pop("latent", 5)}
    return randomised(Encoder(replace(tiny(), **changes), **own, variational=variational), seed)
