r"""The local operator on a refined grid, in time linear in its points.

On a grid refined by whole factors :math:`f` the nodes of the kernel's table lie on the lattice, and

.. math::
   \sum_y \kappa(c - y)\, v(y) = \sum_j \kappa_j\, s(c - j f), \qquad
   s(z) = \sum_y \Lambda((z - y) / f)\, v(y),

exactly, in units of the lattice's spacing: a separable smoothing by hats of :math:`2f - 1` taps an
axis, and then the nodes as taps :math:`f` cells apart. The smoothed values are kept on a margin,
where hats reach beyond the domain.

Taps :math:`f` cells apart join cells of the same phase :math:`c \bmod f`. In memory the axes are
:math:`(q_0 f_0)(q_1 f_1) … C`, and the same memory read as
:math:`q_0\,(f_0 q_1)\,…\,(f_{d-1} C)` has cells of one phase side by side: the second sum is an
ordinary convolution, without a copy. The margin keeps the rows of two phases apart.
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from inftydiff.operators.local._convolution import convolve, depthwise, mix
from inftydiff.operators.local._dense import lattices
from inftydiff.operators.local._implementation import Form, is_depthwise
from inftydiff.operators.local.definition import hat_matrix

__all__ = ["FactorisedForm", "extent", "hats_of"]


@final
@dataclass(frozen=True, eq=False)
class FactorisedForm(Form):
    """The operator on a refined grid: hats, then taps one reference cell apart.

    Args:
        shape: the grid's number of cells along each axis.
        factors: the reference cell's side in spacings of the grid, a whole number along each axis.
        hats: one hat on the lattice along each axis, from ``hats_of``.
    """

    shape: tuple[int, ...]
    factors: tuple[int, ...]
    hats: tuple[Float[Tensor, "_"], ...]

    def __call__(
        self,
        values: Float[Tensor, "*batch points channels"],
        weight: Float[Tensor, "images *window"],
        scale: Float[Tensor, "points"],
    ) -> Float[Tensor, "*batch points images"]:
        """Smooth, convolve the phases, and scale."""
        margins = _margins(self.factors, weight.shape[-1])
        smoothed = self._smooth(lattices(values, self.shape), margins).contiguous()
        *extent, channels = smoothed.shape[1:]
        phases = smoothed.view(len(smoothed), *_interleave(extent, self.factors, channels))
        table = weight.repeat(self.factors[-1], *[1] * (weight.ndim - 1))
        if is_depthwise(weight, len(self.shape)):
            image = depthwise(phases, table)
        else:
            image = mix(phases, table, (0,) * len(self.shape), groups=self.factors[-1])
        image = image.reshape(*smoothed.shape[:-1], len(weight))
        for axis, (margin, count) in enumerate(zip(margins, self.shape, strict=True), 1):
            image = image.narrow(axis, margin, count)
        image = image * scale.view(*self.shape, 1)
        return image.reshape(*values.shape[:-1], len(weight))

    def _smooth(self, lattice: Tensor, margins: tuple[int, ...]) -> Tensor:
        """The hats' sums, on whole reference cells and a margin around them."""
        short = [-cells % factor for cells, factor in zip(self.shape, self.factors, strict=True)]
        if any(short):
            lattice = F.pad(lattice, [0, 0, *(side for end in short[::-1] for side in (0, end))])
        for axis, (hat, margin) in enumerate(zip(self.hats, margins, strict=True)):
            window = [len(hat) if a == axis else 1 for a in range(len(margins))]
            table = hat.to(lattice).view(window).expand(lattice.shape[-1], *window)
            beyond = tuple(margin if a == axis else 0 for a in range(len(margins)))
            lattice = convolve(lattice, table, beyond)
        return lattice


def extent(shape: tuple[int, ...], factors: tuple[int, ...], size: int) -> int:
    """Count the nodes of the grid with its margins, in whole reference cells."""
    wide = zip(shape, factors, _margins(factors, size), strict=True)
    return math.prod(cells + -cells % factor + 2 * margin for cells, factor, margin in wide)


def _margins(factors: tuple[int, ...], size: int) -> tuple[int, ...]:
    radius = size // 2
    cells = radius and 1 + radius // 2
    return tuple(factor * cells for factor in factors)


def hats_of(factors: tuple[int, ...], device: torch.device) -> tuple[Float[Tensor, "_"], ...]:
    """One hat on a lattice refined by whole factors, along each axis, float64."""
    return tuple(hat_matrix(1, Fraction(f), f).squeeze(-1).to(device) for f in factors)


def _interleave(extent: list[int], factors: tuple[int, ...], channels: int) -> list[int]:
    """The lattice's shape read with each axis's phases as part of the next axis."""
    phases = (1, *factors)
    sizes = [
        phase * cells // factor
        for phase, cells, factor in zip(phases, extent, factors, strict=False)
    ]
    return [*sizes, factors[-1] * channels]
