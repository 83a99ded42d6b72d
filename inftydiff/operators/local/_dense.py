r"""The local operator on a whole grid: a depthwise convolution with the table read on the lattice.

On a lattice of spacing :math:`h/\rho` the offsets are :math:`n h/\rho`, and

.. math:: T_n = \kappa(n h / \rho) = \sum_j \kappa_j \prod_a R^{(a)}_{n_a j_a},
   \qquad R_{nj} = \Lambda(n / \rho - j),

so that the numerator is the convolution of the values with :math:`T`, and zero outside the domain.
At :math:`\rho = 1` :math:`R` is the identity. The normaliser is the convolution of the indicator of
the points with :math:`\chi`, a product of one window an axis.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff.operators.local._convolution import depthwise, mix
from inftydiff.operators.local._implementation import Form, is_depthwise
from inftydiff.operators.local.definition import hat_matrix

__all__ = [
    "DirectForm",
    "lattice_hats",
    "lattice_mass",
    "lattice_window",
    "lattices",
    "resample",
]


@final
@dataclass(frozen=True, eq=False)
class DirectForm(Form):
    """The operator on a grid as one convolution.

    Args:
        shape: the grid's number of cells along each axis.
        hats: what reads the table at the grid's offsets, from ``lattice_hats``.
    """

    shape: tuple[int, ...]
    hats: tuple[Float[Tensor, "_ _"] | None, ...]

    def __call__(
        self,
        values: Float[Tensor, "*batch points channels"],
        weight: Float[Tensor, "images *window"],
        scale: Float[Tensor, "points"],
    ) -> Float[Tensor, "*batch points images"]:
        """Convolve, and scale."""
        table = resample(weight, self.hats)
        lattice = lattices(values, self.shape)
        if is_depthwise(weight, len(self.shape)):
            image = depthwise(lattice, table, scale.view(self.shape))
        else:
            image = mix(lattice, table, (0,) * len(self.shape), groups=1)
            image = image * scale.view(*self.shape, 1)
        return image.reshape(*values.shape[:-1], len(weight))


def lattices(
    values: Float[Tensor, "*batch points channels"], shape: tuple[int, ...]
) -> Float[Tensor, "copies *shape channels"]:
    """The values as lattices of such a shape, one after the other."""
    return values.reshape(values.shape[:-2].numel(), *shape, values.shape[-1])


def lattice_hats(
    size: int, ratios: tuple[Fraction, ...], shape: tuple[int, ...], device: torch.device
) -> tuple[Float[Tensor, "taps nodes"] | None, ...]:
    """The matrix :math:`R` along each axis, or none where it is the identity.

    Args:
        size: the number of nodes of the kernel's table along each axis.
        ratios: the reference cell's side in spacings of the lattice, along each axis.
        shape: the grid's number of cells along each axis.
        device: where the matrices are kept.
    """
    return tuple(
        hat_matrix(size, ratio, cells).to(device) if ratio != 1 or cells <= size // 2 else None
        for ratio, cells in zip(ratios, shape, strict=True)
    )


def resample(
    weight: Float[Tensor, "*channels_and_window"], hats: tuple[Float[Tensor, "_ _"] | None, ...]
) -> Float[Tensor, "*channels_and_taps"]:
    """The kernel at the lattice's offsets that occur between the points of a grid.

    Args:
        weight: the table, of shape ``(channels, *window)`` or ``(images, channels, *window)``.
        hats: what reads it there along each axis, from ``lattice_hats``.
    """
    for axis, along in enumerate(hats, weight.ndim - len(hats)):
        if along is not None:
            weight = torch.tensordot(weight, along.to(weight), ([axis], [1])).movedim(-1, axis)
    return weight


def lattice_mass(
    present: Float[Tensor, "samples *shape"], size: int, ratios: tuple[Fraction, ...]
) -> Float[Tensor, "samples *shape"]:
    r"""The normaliser :math:`\sum_y \chi(c - y)` at every node of a lattice.

    Args:
        present: one where there is a point, else zero, of shape ``(samples, *shape)``.
        size: the number of nodes of the kernel's table along each axis.
        ratios: the reference cell's side in spacings of the lattice, along each axis.
    """
    for axis, ratio in enumerate(ratios, 1):
        cells = present.shape[axis]
        window = hat_matrix(size, ratio, cells).sum(-1).to(present)
        spread = present.movedim(axis, -1)
        present = (spread @ _toeplitz(window, cells)).movedim(-1, axis)
    return present


def lattice_window(
    size: int, ratios: tuple[Fraction, ...], shape: tuple[int, ...], device: torch.device
) -> Float[Tensor, "taps"]:
    r"""The window :math:`\chi` at the offsets between the points of a grid, row by row, float64.

    Args:
        size: the number of nodes of the kernel's table along each axis.
        ratios: the reference cell's side in spacings of the lattice, along each axis.
        shape: the grid's number of cells along each axis.
        device: where it is kept.
    """
    window = torch.ones(1, dtype=torch.float64)
    for ratio, cells in zip(ratios, shape, strict=True):
        along = hat_matrix(size, ratio, cells).sum(-1)
        window = (window.unsqueeze(-1) * along).flatten()
    return window.to(device)


def _toeplitz(window: Float[Tensor, "taps"], cells: int) -> Float[Tensor, "cells cells"]:
    places = torch.arange(cells, device=window.device)
    offsets = places - places.unsqueeze(-1) + len(window) // 2
    inside = (offsets >= 0) & (offsets < len(window))
    return torch.where(inside, window[offsets.clamp(0, len(window) - 1)], 0.0)
