r"""Noise schedules: the amplitudes in :math:`x_t = \alpha(t)\,S x_0 + \sigma(t)\,N\xi`.

A schedule is any object with ``alpha(t)`` and ``sigma(t)`` for :math:`t \in [0, 1]`, shaped like
:math:`t`. Both schedules here are variance preserving, :math:`\alpha^2 + \sigma^2 = 1`, in the
paper's notation :math:`\bar\alpha_t = \alpha^2`. Index :math:`i` of a library with 1000 steps is
:math:`t = (i+1)/1000`. Everything is computed in float64 and returned in the dtype of :math:`t`.
"""

import math
from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["CosineSchedule", "LinearSchedule", "Schedule"]

OFFSET = 0.008
LARGEST_BETA = 0.999
BETAS = (1e-4, 0.02)
STEPS = 1000


@runtime_checkable
class Schedule(Protocol):
    """What a process asks of a schedule."""

    def alpha(self, t: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        """The amplitude of the signal, shaped like ``t``."""

    def sigma(self, t: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        """The amplitude of the noise, shaped like ``t``."""


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
        return self._exact(t).clamp(min=_cosine_floor()).to(t.dtype)

    def sigma(self, t: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        r"""The amplitude of the noise, shaped like ``t``.

        Without cancellation, by :math:`\cos^2a - \cos^2b = \sin(b-a)\sin(b+a)`.
        """
        start = _cosine_angle(torch.zeros((), dtype=torch.float64, device=t.device))
        angle = _cosine_angle(t.double())
        variance = torch.sin(angle - start) * torch.sin(angle + start) / torch.cos(start) ** 2
        return variance.clamp(min=0.0, max=1.0 - _cosine_floor() ** 2).sqrt().to(t.dtype)

    def _exact(self, t: Tensor) -> Tensor:
        start = _cosine_angle(torch.zeros((), dtype=torch.float64, device=t.device))
        return torch.cos(_cosine_angle(t.double())) / torch.cos(start)


@final
@dataclass(frozen=True)
class LinearSchedule:
    r"""The linear-β schedule of DDPM, :math:`\beta_i` from 10⁻⁴ to 0.02 over 1000 steps.

    :math:`\log\alpha(t)^2` is piecewise linear through :math:`\sum_{j≤i}\log(1-\beta_j)` at
    :math:`t = (i+1)/1000`, and 0 at :math:`t = 0`.

    Example:
        >>> LinearSchedule().alpha(torch.tensor([0.001], dtype=torch.float64)).square().tolist()
        [0.9999]

    References:
        Ho, Jain and Abbeel, "Denoising diffusion probabilistic models", NeurIPS 2020.
    """

    def alpha(self, t: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        """The amplitude of the signal, shaped like ``t``."""
        return (0.5 * self._log_square(t)).exp().to(t.dtype)

    def sigma(self, t: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        """The amplitude of the noise, shaped like ``t``."""
        return (-torch.expm1(self._log_square(t))).sqrt().to(t.dtype)

    def _log_square(self, t: Tensor) -> Tensor:
        betas = torch.linspace(*BETAS, STEPS, dtype=torch.float64, device=t.device)
        nodes = torch.nn.functional.pad(torch.log1p(-betas).cumsum(0), (1, 0))
        place = t.double() * STEPS
        below = place.floor().clamp(0, STEPS - 1).long()
        return torch.lerp(nodes[below], nodes[below + 1], place - below)


def _cosine_angle(t: Tensor) -> Tensor:
    return 0.5 * math.pi * (t + OFFSET) / (1.0 + OFFSET)


def _cosine_floor() -> float:
    last = math.cos(0.5 * math.pi * (1.0 - 1.0 / STEPS + OFFSET) / (1.0 + OFFSET))
    return math.sqrt(1.0 - LARGEST_BETA) * last / math.cos(0.5 * math.pi * OFFSET / (1.0 + OFFSET))
