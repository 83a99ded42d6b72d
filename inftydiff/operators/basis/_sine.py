r"""The sine basis of an absorbing axis: zero value at both ends.

.. math:: \varphi_k(x) = (2/L)^{1/2}\sin(\pi k x/L), \qquad \omega_k = \pi k/L, \qquad k = 1, 2, …

At the cell centres :math:`\varphi_{2N-k} = \varphi_k`, :math:`\varphi_{2N} = 0` and
:math:`\varphi_{k+2N} = -\varphi_k`; the alternating mode :math:`\varphi_N` has the discrete norm
:math:`\sqrt2`. The transforms are DST-II and DST-III.
"""

import math
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from inftydiff._typing import length
from inftydiff.operators.basis._fast import FastTransform, half_wave
from inftydiff.operators.basis.axis import AxisBasis, Device

__all__ = ["SineBasis"]


@final
@dataclass(frozen=True)
class SineBasis(AxisBasis):
    """The eigenfunctions that vanish at both ends; the first is number 1.

    Args:
        length: the length of the axis.

    Raises:
        TypeError: if the length is no number.
        ValueError: if it is not above zero and finite, or is too short or too long.

    Example:
        >>> SineBasis(1.0).waves(2) / torch.pi
        tensor([1., 2.], dtype=torch.float64)
    """

    length: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "length", length(self.length, "The length of an axis"))

    def waves(self, count: int, device: Device = None) -> Float[Tensor, "modes"]:
        k = torch.arange(1, count + 1, dtype=torch.float64, device=device)
        return k * (math.pi / self.length)

    def count(self, wave: float) -> int:
        return math.floor(wave * self.length / math.pi)

    def modes(self, points: Float[Tensor, "*points"], count: int) -> Float[Tensor, "*points modes"]:
        k = torch.arange(1, count + 1, dtype=points.dtype, device=points.device)
        angle = points.unsqueeze(-1) * k * (math.pi / self.length)
        return torch.sin(angle) * math.sqrt(2.0 / self.length)

    def images(
        self, count: int, cells: int, device: Device = None
    ) -> tuple[Int[Tensor, "modes"], Float[Tensor, "modes"]]:
        k = torch.arange(1, count + 1, device=device)
        period, rest = k // (2 * cells), k % (2 * cells)
        number = torch.where(rest > cells, 2 * cells - rest, rest)
        factor = torch.where(period % 2 == 0, 1.0, -1.0).double()
        factor = torch.where(number == cells, math.sqrt(2.0) * factor, factor)
        return (number - 1).clamp(min=0), torch.where(rest == 0, 0.0, factor)

    def transform(self, n: int, like: Tensor) -> FastTransform:
        return half_wave(n, like, sine=True)
