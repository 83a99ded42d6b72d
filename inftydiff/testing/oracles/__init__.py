"""Oracles: data of a known law, with the denoiser that no network can better."""

from inftydiff.testing.oracles.gaussian import GaussianDenoiser
from inftydiff.testing.oracles.mixture import MixtureDenoiser
from inftydiff.testing.oracles.model import PerfectModel

__all__ = ["GaussianDenoiser", "MixtureDenoiser", "PerfectModel"]
