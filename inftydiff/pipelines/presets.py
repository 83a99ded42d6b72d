"""Models that are known to work, scaled to the resolution that they are trained at."""

import dataclasses
import math

from inftydiff._typing import whole
from inftydiff.models import MultiscaleConfig, faces_64, tiny
from inftydiff.pipelines.config import InftyDiffConfig

__all__ = ["PRESETS", "preset"]

NETWORKS = {"faces": faces_64, "tiny": tiny}

PRESETS = tuple(NETWORKS)
"""The names of the presets."""


def preset(
    name: str = "faces",
    *,
    channels: int = 3,
    resolution: int = 64,
    mollifier_width: float | None = None,
    lengths: tuple[float, float] = (1.0, 1.0),
) -> InftyDiffConfig:
    r"""A model for pictures of one size.

    A cell of the training grid is the distance between the nodes of the network's local kernels,
    and the noise has one unit in each cell. The network's scale is the standard deviation
    :math:`1/(2\sqrt\pi)` × cell / width that is left of it when it is mollified.
    What a network has not learnt yet is mostly of high frequency, so the filters of sampling are
    stronger than the paper's.

    Args:
        name: ``"faces"``, two million parameters, or ``"tiny"``, some thousands for tests.
        channels: the number of channels of a picture.
        resolution: the cells along the longest side of the training grid.
        mollifier_width: in units of the longest side; by default three quarters of a cell.
        lengths: the sides of the domain, the longest of them 1.

    Raises:
        ValueError: if there is no such preset, or a number is out of range.

    Example:
        >>> preset("faces", resolution=128).mollifier_width
        0.005859375
    """
    if name not in NETWORKS:
        raise ValueError(f"The presets are {', '.join(PRESETS)}; got {name!r}.")
    cell = 1 / whole(resolution, "resolution")
    width = 0.75 * cell if mollifier_width is None else mollifier_width
    network: MultiscaleConfig = NETWORKS[name](channels)
    return InftyDiffConfig(
        network=dataclasses.replace(
            network, cell=cell, scale=cell / (2.0 * math.sqrt(math.pi) * width)
        ),
        mollifier_width=width,
        range_floor=0.1,
        noise_to_signal=0.1,
        noise_intensity=cell,
        lengths=lengths,
    )
