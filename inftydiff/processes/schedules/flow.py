r"""The path of flow matching, a straight line from data to noise."""

from dataclasses import dataclass
from typing import final

from jaxtyping import Float
from torch import Tensor

from inftydiff._components import component
from inftydiff._typing import Real, floating, positive

__all__ = ["FlowMatchingSchedule"]

LEAST_ALPHA = 1e-4
"""The floor of α."""


@component("schedule", "flow_matching")
@final
@dataclass(frozen=True)
class FlowMatchingSchedule:
    r"""The straight path :math:`x_t = (1-u)\,S x_0 + u\,N\xi`, and its shift in time.

    .. math:: \sigma(t) = u, \qquad \alpha(t) = \max(1 - u,\ 10^{-4}), \qquad
              u = \frac{s\,t}{1 + (s - 1)\,t},

    so that :math:`\sigma/\alpha = s\,t/(1-t)`. The floor keeps α above zero, which every division
    by it needs; it is reached within 10⁻⁴ of the end where :math:`s = 1`.

    Args:
        shift: :math:`s`. One is the straight line in time; larger numbers spend more of the time at
            high noise, as shifted cosine schedules with :math:`1/s` do.

    Raises:
        ValueError: if the shift is not a finite number above zero.

    Example:
        >>> import torch
        >>> t = torch.tensor([0.25], dtype=torch.float64)
        >>> schedule = FlowMatchingSchedule()
        >>> schedule.alpha(t).tolist(), schedule.sigma(t).tolist()
        ([0.75], [0.25])

    References:
        Lipman et al., "Flow matching for generative modeling", ICLR 2023; Liu, Gong and Liu, "Flow
        straight and fast", ICLR 2023; for the shift Esser et al., "Scaling rectified flow
        transformers", ICML 2024, section 5.3.2.
    """

    shift: Real = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "shift", positive(self.shift, "A shift"))

    def alpha(self, t: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        """The amplitude of the signal, shaped like ``t``."""
        floating(t, "Times")
        time = t.double()
        return ((1.0 - time) / self._total(time)).clamp(min=LEAST_ALPHA).to(t.dtype)

    def sigma(self, t: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        """The amplitude of the noise, shaped like ``t``."""
        floating(t, "Times")
        time = t.double()
        return (self.shift * time / self._total(time)).to(t.dtype)

    def _total(self, t: Tensor) -> Tensor:
        return 1.0 + (self.shift - 1.0) * t
