r"""The cosine basis of a reflecting axis: zero slope at both ends.

.. math:: \varphi_0 = L^{-1/2}, \qquad \varphi_k(x) = (2/L)^{1/2}\cos(\pi k x/L), \qquad
          \omega_k = \pi k/L.

At the cell centres :math:`\varphi_N = 0`, :math:`\varphi_{2N-k} = -\varphi_k`,
:math:`\varphi_{2N} = -\sqrt2\,\varphi_0` and :math:`\varphi_{k+4N} = \varphi_k` for :math:`k > 0`.
The transforms are DCT-II and DCT-III.
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

__all__ = ["CosineBasis"]


@final
@dataclass(frozen=True)
class CosineBasis(AxisBasis):
    """The eigenfunctions with zero slope at both ends.

    Args:
        length: the length of the axis.

    Raises:
        TypeError: if the length is no number.
        ValueError: if it is not above zero and finite, or is too short or too long.

    Example:
        >>> CosineBasis(1.0).waves(3) / torch.pi
        tensor([0., 1., 2.], dtype=torch.float64)
    """

    length: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "length", length(self.length, "The length of an axis"))

    def waves(self, count: int, device: Device = None) -> Float[Tensor, "modes"]:
        return torch.arange(count, dtype=torch.float64, device=device) * (math.pi / self.length)

    def count(self, wave: float) -> int:
        return math.floor(wave * self.length / math.pi) + 1

    def modes(self, points: Float[Tensor, "*points"], count: int) -> Float[Tensor, "*points modes"]:
        k = torch.arange(count, dtype=points.dtype, device=points.device)
        values = torch.cos(points.unsqueeze(-1) * k * (math.pi / self.length))
        values = values * math.sqrt(2.0 / self.length)
        constant = torch.full_like(values[..., :1], math.sqrt(1.0 / self.length))
        return torch.cat([constant, values[..., 1:]], -1)

    def images(
        self, count: int, cells: int, device: Device = None
    ) -> tuple[Int[Tensor, "modes"], Float[Tensor, "modes"]]:
        k = torch.arange(count, device=device)
        period, rest = k // (2 * cells), k % (2 * cells)
        number = torch.where(rest > cells, 2 * cells - rest, rest) % cells
        factor = torch.where((period % 2 == 0) == (rest < cells), 1.0, -1.0).double()
        factor = torch.where(rest == cells, 0.0, factor)
        return number, torch.where((number == 0) & (k > 0), math.sqrt(2.0) * factor, factor)

    def transform(self, n: int, like: Tensor) -> FastTransform:
        return half_wave(n, like, sine=False)
