r"""Variance-preserving schedules given by :math:`\beta_i`, the noise of each of 1000 steps.

.. math:: \alpha(t)^2 = \prod_{j ≤ i} (1 - \beta_j) \quad\text{at } t = \frac{i+1}{1000}, \qquad
          \sigma(t)^2 = 1 - \alpha(t)^2,

with :math:`\log\alpha^2` linear between these times.
"""

import math
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._components import component
from inftydiff._typing import Real, floating, number, store

__all__ = ["STEPS", "ConstantSchedule", "LinearSchedule"]

STEPS = 1000
"""The number of steps that the β of the literature are given for."""

LINEAR_BETAS = (1e-4, 0.02)


@component("schedule", "linear")
@final
@dataclass(frozen=True)
class LinearSchedule:
    r"""The linear-β schedule of DDPM, :math:`\beta_i` from 10⁻⁴ to 0.02 over 1000 steps.

    :math:`\log\alpha(t)^2` is piecewise linear through :math:`\sum_{j≤i}\log(1-\beta_j)` at
    :math:`t = (i+1)/1000`, and 0 at :math:`t = 0`. At the end :math:`\alpha(1) = 6.35·10^{-3}`.

    Example:
        >>> LinearSchedule().alpha(torch.tensor([0.001], dtype=torch.float64)).square().tolist()
        [0.9999]

    References:
        Ho, Jain and Abbeel, "Denoising diffusion probabilistic models", NeurIPS 2020.
    """

    def alpha(self, t: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        """The amplitude of the signal, shaped like ``t``."""
        floating(t, "Times")
        return (0.5 * self._log_square(t)).exp().to(t.dtype)

    def sigma(self, t: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        """The amplitude of the noise, shaped like ``t``."""
        floating(t, "Times")
        return torch.expm1(self._log_square(t)).abs().sqrt().to(t.dtype)

    def _log_square(self, t: Tensor) -> Tensor:
        betas = torch.linspace(*LINEAR_BETAS, STEPS, dtype=torch.float64, device=t.device)
        nodes = torch.nn.functional.pad(torch.log1p(-betas).cumsum(0), (1, 0))
        place = t.double() * STEPS
        below = place.nan_to_num().floor().clamp(0, STEPS - 1).long()
        return torch.lerp(nodes[below], nodes[below + 1], place - below)


@component("schedule", "constant")
@final
@dataclass(frozen=True)
class ConstantSchedule:
    r"""A constant β, :math:`\alpha(t)^2 = (1 - \beta)^{1000 t}`.

    The default is that of the latent prior of diffusion autoencoders, which the paper takes over.
    It ends at :math:`\alpha(1) = 0.018`.

    Args:
        beta: the variance β of the noise that each of 1000 steps adds, between 0 and 1.

    Raises:
        TypeError: if β is no number.
        ValueError: unless 0 < β < 1.

    Example:
        >>> t = torch.tensor([0.0, 0.001, 1.0], dtype=torch.float64)
        >>> ConstantSchedule().alpha(t).square().tolist()
        [1.0, 0.992, 0.00032...]

    References:
        Preechakul et al., "Diffusion autoencoders", CVPR 2022.
    """

    beta: Real = 0.008

    def __post_init__(self) -> None:
        store(self, number, "beta", subject="A constant schedule's ")
        if not 0.0 < self.beta < 1.0:
            raise ValueError(f"A constant β lies between 0 and 1; got {self.beta}.")

    def alpha(self, t: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        """The amplitude of the signal, shaped like ``t``."""
        floating(t, "Times")
        return (0.5 * self._log_square(t)).exp().to(t.dtype)

    def sigma(self, t: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        """The amplitude of the noise, shaped like ``t``."""
        floating(t, "Times")
        return torch.expm1(self._log_square(t)).abs().sqrt().to(t.dtype)

    def _log_square(self, t: Tensor) -> Tensor:
        return STEPS * math.log1p(-self.beta) * t.double()
