r"""Cosine schedules, which are variance preserving, :math:`\alpha^2 + \sigma^2 = 1`."""

import math
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._components import component
from inftydiff._typing import Real, floating, positive
from inftydiff.processes.schedules.beta import STEPS

__all__ = ["CosineSchedule", "ShiftedCosineSchedule"]

OFFSET = 0.008
LARGEST_BETA = 0.999
LEAST_ALPHA = 1e-4
"""The floor of the shifted schedule."""


@component("schedule", "cosine")
@final
@dataclass(frozen=True)
class CosineSchedule:
    r"""The cosine schedule of improved DDPM.

    .. math:: \alpha(t) = \max\left(\frac{\cos(\frac\pi2\frac{t + .008}{1.008})}
              {\cos(\frac\pi2\frac{.008}{1.008})},\ \alpha(1)\right), \qquad
              \alpha(1) = 4.93·10^{-5},

    where the floor is what capping β at 0.999 leaves in the last of 1000 steps.

    Example:
        >>> CosineSchedule().alpha(torch.tensor([0.0, 0.5], dtype=torch.float64)).tolist()
        [1.0, 0.70274...]

    References:
        Nichol and Dhariwal, "Improved denoising diffusion probabilistic models", ICML 2021.
    """

    def alpha(self, t: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        """The amplitude of the signal, shaped like ``t``."""
        floating(t, "Times")
        return self._exact(t).clamp(min=_cosine_floor()).to(t.dtype)

    def sigma(self, t: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        r"""The amplitude of the noise, shaped like ``t``.

        Without cancellation, by :math:`\cos^2a - \cos^2b = \sin(b-a)\sin(b+a)`.
        """
        floating(t, "Times")
        passed = 0.5 * math.pi * t.double() / (1.0 + OFFSET)
        start = 0.5 * math.pi * OFFSET / (1.0 + OFFSET)
        variance = torch.sin(passed) * torch.sin(passed + 2.0 * start) / math.cos(start) ** 2
        return variance.clamp(min=0.0, max=1.0 - _cosine_floor() ** 2).sqrt().to(t.dtype)

    def _exact(self, t: Tensor) -> Tensor:
        start = _cosine_angle(torch.zeros((), dtype=torch.float64, device=t.device))
        return torch.cos(_cosine_angle(t.double())) / torch.cos(start)


@component("schedule", "shifted_cosine")
@final
@dataclass(frozen=True)
class ShiftedCosineSchedule:
    r"""The cosine schedule of simple diffusion, its log-SNR shifted by :math:`2\log s`.

    .. math:: \frac{\sigma(t)}{\alpha(t)} = \frac{\tan(\frac\pi2 t)}{s}, \qquad
              \log\frac{\alpha^2}{\sigma^2} = -2\log\tan(\tfrac\pi2 t) + 2\log s,

    where α stops falling, and σ rising, at :math:`\alpha = 10^{-4}`. There is no offset .008, so
    that a shift of one is near, but not, :class:`CosineSchedule`.

    Args:
        shift: :math:`s`. For unit noise in each pixel of a picture of side :math:`d`,
            :math:`s = 64/d` gives every mode the log-SNR that it has at side 64 unshifted.

    Raises:
        ValueError: if the shift is not a finite number above zero.

    Example:
        >>> half = torch.tensor([0.5], dtype=torch.float64)
        >>> schedule = ShiftedCosineSchedule(64 / 256)
        >>> (schedule.sigma(half) / schedule.alpha(half)).round(decimals=12).tolist()
        [4.0]

    References:
        Hoogeboom, Heek and Salimans, "Simple diffusion", ICML 2023, section 3.1.
    """

    shift: Real

    def __post_init__(self) -> None:
        object.__setattr__(self, "shift", positive(self.shift, "A shift"))

    def alpha(self, t: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        """The amplitude of the signal, shaped like ``t``."""
        floating(t, "Times")
        signal, noise = self._legs(t)
        return (signal / torch.hypot(signal, noise)).clamp(min=LEAST_ALPHA).to(t.dtype)

    def sigma(self, t: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        """The amplitude of the noise, shaped like ``t``."""
        floating(t, "Times")
        signal, noise = self._legs(t)
        largest = math.sqrt(1.0 - LEAST_ALPHA**2)
        return (noise / torch.hypot(signal, noise)).clamp(max=largest).to(t.dtype)

    def _legs(self, t: Tensor) -> tuple[Tensor, Tensor]:
        angle = 0.5 * math.pi * t.double()
        return self.shift * torch.cos(angle), torch.sin(angle)


def _cosine_angle(t: Tensor) -> Tensor:
    return 0.5 * math.pi * (t + OFFSET) / (1.0 + OFFSET)


def _cosine_floor() -> float:
    last = math.cos(0.5 * math.pi * (1.0 - 1.0 / STEPS + OFFSET) / (1.0 + OFFSET))
    return math.sqrt(1.0 - LARGEST_BETA) * last / math.cos(0.5 * math.pi * OFFSET / (1.0 + OFFSET))
