r"""The Fourier basis of a periodic axis: the two ends are one point.

.. math:: L^{-1/2}, \quad (2/L)^{1/2}\sin(\omega_1 x), \quad (2/L)^{1/2}\cos(\omega_1 x), \quad
          (2/L)^{1/2}\sin(\omega_2 x), \quad …, \qquad \omega_k = 2\pi k/L.

At the cell centres the wave :math:`N - k` has the sine of the wave :math:`k`, and minus its cosine;
the wave :math:`k + N` has minus both. Of the wave :math:`N` the sine vanishes, and the cosine is
:math:`-\sqrt2` times the constant; of the wave :math:`N/2`, for even :math:`N`, the cosine vanishes
and the sine alternates, with the discrete norm :math:`\sqrt2`. That is why the sine comes first.
The transforms are real FFTs.
"""

import math
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from inftydiff._typing import length
from inftydiff.operators.basis._fast import FastTransform, as_complex, turns
from inftydiff.operators.basis.axis import AxisBasis, Device

__all__ = ["FourierBasis"]


@final
@dataclass(frozen=True)
class FourierBasis(AxisBasis):
    """The eigenfunctions of period ``length``: the constant, then a sine and a cosine a wave.

    Args:
        length: the length of the axis.

    Raises:
        TypeError: if the length is no number.
        ValueError: if it is not above zero and finite, or is too short or too long.

    Example:
        >>> FourierBasis(1.0).waves(5) / (2 * torch.pi)
        tensor([0., 1., 1., 2., 2.], dtype=torch.float64)
    """

    length: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "length", length(self.length, "The length of an axis"))

    def waves(self, count: int, device: Device = None) -> Float[Tensor, "modes"]:
        k = (torch.arange(count, device=device) + 1) // 2
        return k.double() * (2.0 * math.pi / self.length)

    def count(self, wave: float) -> int:
        return 2 * math.floor(wave * self.length / (2.0 * math.pi)) + 1

    def modes(self, points: Float[Tensor, "*points"], count: int) -> Float[Tensor, "*points modes"]:
        k = torch.arange(count // 2 + 1, dtype=points.dtype, device=points.device)
        angle = points.unsqueeze(-1) * k * (2.0 * math.pi / self.length)
        pairs = torch.stack([torch.sin(angle), torch.cos(angle)], -1).flatten(-2)
        values = pairs[..., 1 : count + 1] * math.sqrt(2.0 / self.length)
        constant = torch.full_like(values[..., :1], math.sqrt(1.0 / self.length))
        return torch.cat([constant[..., :count], values[..., 1:]], -1)

    def images(
        self, count: int, cells: int, device: Device = None
    ) -> tuple[Int[Tensor, "modes"], Float[Tensor, "modes"]]:
        mode = torch.arange(count, device=device)
        k, cosine = (mode + 1) // 2, mode % 2 == 0
        period, rest = k // cells, k % cells
        mirrored = 2 * rest > cells
        wave = torch.where(mirrored, cells - rest, rest)
        factor = torch.where((period % 2 == 0) == ~(mirrored & cosine), 1.0, -1.0).double()
        alternating, constant = 2 * wave == cells, (wave == 0) & (k > 0)
        factor = torch.where(alternating | constant, math.sqrt(2.0) * factor, factor)
        nothing = (alternating & cosine) | (constant & ~cosine)
        number = torch.where(cosine, 2 * wave, 2 * wave - 1).clamp(0, cells - 1)
        return number, torch.where(nothing, 0.0, factor)

    def transform(self, n: int, like: Tensor) -> FastTransform:
        factors = turns(n, -math.pi / n, math.sqrt(2.0 / n)) * 1j
        factors[0] *= math.sqrt(0.5)
        if n % 2 == 0:
            factors[-1] = math.sqrt(1.0 / n)
        places = torch.arange(1, n + 1, device=like.device)
        return FastTransform(places, as_complex(factors, like), as_complex(1.0 / factors, like))
