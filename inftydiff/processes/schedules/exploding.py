r"""The variance-exploding schedule, which leaves the signal as it is, :math:`\alpha = 1`."""

import math
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._components import component
from inftydiff._typing import Real, floating, positive

__all__ = ["VarianceExplodingSchedule"]


LARGEST = 1e100
"""The largest amplitude, and the largest ratio of two, whose squares float64 holds."""


@component("schedule", "variance_exploding")
@final
@dataclass(frozen=True)
class VarianceExplodingSchedule:
    r"""The variance-exploding schedule, a geometric σ less what it starts from.

    .. math:: \alpha(t) = 1, \qquad \sigma(t)^2 = \sigma_{\min}^2
              \left(\left(\frac{\sigma_{\max}}{\sigma_{\min}}\right)^{2t} - 1\right),

    which is what the usual sequence :math:`\sigma_{\min}(\sigma_{\max}/\sigma_{\min})^t` has added
    to its start, so that :math:`\sigma(0) = 0`. The equation :math:`dx = g\,dw` is that of both.

    Args:
        sigma_min: :math:`\sigma_{\min}`, in units of the noise's amplitude.
        sigma_max: :math:`\sigma_{\max}`, larger than any distance between data.

    Raises:
        TypeError: if either is no number.
        ValueError: unless 0 < σ_min < σ_max, and σ_max and the ratio of both are at most 10¹⁰⁰.

    Example:
        >>> t = torch.tensor([0.0, 1.0], dtype=torch.float64)
        >>> VarianceExplodingSchedule(3.0, 5.0).sigma(t).tolist()
        [0.0, 4.0]

    References:
        Song et al., "Score-based generative modeling through stochastic differential equations",
        ICLR 2021, appendix C.
    """

    sigma_min: Real = 0.01
    sigma_max: Real = 50.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "sigma_min", positive(self.sigma_min, "σ_min"))
        object.__setattr__(self, "sigma_max", positive(self.sigma_max, "σ_max", most=LARGEST))
        if not self.sigma_min < self.sigma_max <= LARGEST * self.sigma_min:
            raise ValueError(
                f"σ_max must be above σ_min, at most {LARGEST:g} times; got {self.sigma_max} "
                f"and {self.sigma_min}."
            )

    def alpha(self, t: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        """The amplitude of the signal, shaped like ``t``."""
        floating(t, "Times")
        return torch.ones_like(t)

    def sigma(self, t: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        """The amplitude of the noise, shaped like ``t``."""
        floating(t, "Times")
        growth = 2.0 * math.log(self.sigma_max / self.sigma_min)
        return (self.sigma_min * torch.expm1(growth * t.double()).sqrt()).to(t.dtype)
