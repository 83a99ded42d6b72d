r"""Models by name: the paper's, and smaller ones for a CPU, at the resolution that is trained on.

A preset is a function of the resolution. A cell of the training grid is the distance between the
nodes of the network's local kernels, and the noise has one unit in each cell.

The presets ``infty_diff_…`` are the paper's models: mollified data and noise, the cosine schedule,
a mollifier of one cell, the noise as what is predicted, estimates of the signal clipped to [−1, 1],
100 steps of DDIM and a Wiener filter with the ratio 0.05; latents from a perceptron of 10 layers of
2048 channels. What differs from the released code, besides the networks' differences that
:mod:`inftydiff.models.paper_networks` names:

- The noise is white noise on the domain, of one unit a cell of the training grid, whatever the grid
  that is sampled. Theirs has one unit a cell of any grid, so that its variance after the mollifier
  changes with the resolution.
- The Wiener filter keeps constants: theirs times :math:`1 + 0.05^2`.
- The prior's embedding of the time has 64 sines and cosines, as in diffusion autoencoders, and as
  many channels as the layers; the code's has 128, and as many as the latent. SiLU for GELU.
- Samples come by 50 steps of UniPC from the prior, where the code takes its 1000 ancestral steps.
"""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, final, get_args

from inftydiff._typing import MOST_CHANNELS, choice, positive, whole
from inftydiff.models import (
    LatentPriorConfig,
    MultiscaleConfig,
    faces_64,
    faces_128,
    infty_diff_64,
    infty_diff_128,
    infty_diff_256,
    tiny,
)
from inftydiff.operators import Box, gaussian_mollifier
from inftydiff.pipelines.config import MOST_CELLS, WIDEST, InftyDiffConfig
from inftydiff.processes import CosineSchedule, MollifiedProcess, NoisePrediction, WhiteNoise

__all__ = ["PRESETS", "PresetName", "preset"]

PresetName = Literal[
    "faces",
    "faces_64",
    "faces_128",
    "infty_diff_64",
    "infty_diff_128",
    "infty_diff_256",
    "tiny",
]

PRESETS: tuple[str, ...] = tuple(name for name in get_args(PresetName) if name != "faces")
"""The names of the presets; ``faces`` is another name of ``faces_64``."""


@final
@dataclass(frozen=True)
class _Preset:
    """A network, the resolution it is made for, and of the paper's models the latent."""

    network: Callable[[], MultiscaleConfig]
    resolution: int = 64
    latent: int | None = None


TABLE = {
    "faces_64": _Preset(faces_64),
    "faces_128": _Preset(faces_128, 128),
    "infty_diff_64": _Preset(infty_diff_64, 64, latent=256),
    "infty_diff_128": _Preset(infty_diff_128, 128, latent=256),
    "infty_diff_256": _Preset(infty_diff_256, 256, latent=1024),
    "tiny": _Preset(tiny),
}


def preset(
    name: str = "faces",
    *,
    channels: int = 3,
    resolution: int | None = None,
    mollifier_width: float | None = None,
    lengths: tuple[float, ...] = (1.0, 1.0),
) -> InftyDiffConfig:
    r"""A model for pictures of one size.

    Args:
        name: one of ``PRESETS``: ``"faces_64"`` (or ``"faces"``), two million parameters;
            ``"faces_128"``, three; ``"infty_diff_64"``, ``"infty_diff_128"``, ``"infty_diff_256"``,
            the paper's models; ``"tiny"``, some thousands for tests.
        channels: the number of channels of a picture.
        resolution: the cells along the longest side of the training grid; by default the number in
            the preset's name, or 64.
        mollifier_width: in units of the domain; by default one cell for the paper's models,
            three quarters of one for the others.
        lengths: the sides of the domain, rows first.

    Raises:
        ValueError: if there is no such preset, or a number is out of range.

    Example:
        >>> preset("faces", resolution=128).network.cell
        0.0078125
        >>> preset("infty_diff_256").steps
        100
    """
    choice(name, ("faces", *PRESETS), "The name of a preset")
    known = TABLE["faces_64" if name == "faces" else name]
    cells = known.resolution if resolution is None else resolution
    domain = Box(lengths)
    cell = max(domain.lengths) / whole(cells, "resolution", most=MOST_CELLS)
    channels = whole(channels, "channels", most=MOST_CHANNELS)
    if mollifier_width is not None:
        mollifier_width = positive(mollifier_width, "mollifier_width", most=WIDEST)
    network = dataclasses.replace(known.network(), cell=cell)
    if known.latent is not None:
        return _paper(network, mollifier_width, channels, domain, known.latent)
    return _small(network, mollifier_width, channels, domain)


def _process(cell: float, width: float) -> MollifiedProcess:
    """The paper's process: data and noise mollified, one unit of noise a cell."""
    return MollifiedProcess(gaussian_mollifier(width), CosineSchedule(), WhiteNoise(cell))


def _paper(
    network: MultiscaleConfig,
    width: float | None,
    channels: int,
    domain: Box,
    latent: int,
) -> InftyDiffConfig:
    """The paper's process, filters and prior."""
    cell = network.cell
    return InftyDiffConfig(
        network=network,
        process=_process(cell, cell if width is None else width),
        predict=NoisePrediction(),
        channels=channels,
        domain=domain,
        latent=latent,
        prior=LatentPriorConfig(width=2048, layers=10),
        steps=100,
    )


def _small(
    network: MultiscaleConfig, width: float | None, channels: int, domain: Box
) -> InftyDiffConfig:
    r"""What a short run on a CPU does best with.

    The network's scale is the standard deviation :math:`1/(2\sqrt\pi)` × cell / width that is left
    of the noise when it is mollified. What a network has not learnt yet is mostly of high
    frequency, so the filters of sampling are stronger than the paper's.
    """
    cell = network.cell
    width = 0.75 * cell if width is None else width
    return InftyDiffConfig(
        network=dataclasses.replace(network, scale=cell / (2.0 * math.sqrt(math.pi) * width)),
        process=_process(cell, width),
        channels=channels,
        domain=domain,
        range_floor=0.1,
        noise_to_signal=0.1,
    )
