r"""Integrals of a function against given ones: averages over regions, Fourier samples.

.. math:: y_j = ⟨a_j, f⟩ = \int_\Omega a_j f, \qquad A^* y = \sum_j y_j\, a_j

by the quadrature of the grid. A region's average has :math:`a_j = 1_R/|R|`; a Fourier sample on a
box of sides :math:`L` has the two functionals

.. math:: \mathrm{Re},\ \mathrm{Im} \int_\Omega f(x)\, e^{-2\pi i\,k·(x/L)}\,\mathrm dx.
"""

import math
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from inftydiff._typing import (
    check_finite,
    floating,
    kind_of,
)
from inftydiff.operators._by_value import (
    ByValue,
)
from inftydiff.operators.discretisation import (
    Grid,
    described,
    require_grid,
)
from inftydiff.operators.function import Function
from inftydiff.operators.functionals import Functionals

__all__ = ["Integrals", "fourier_samples", "region_averages"]


@final
@dataclass(frozen=True, eq=False)
class Integrals(ByValue, Functionals):
    """The integrals against given functions, kept as a matrix.

    Args:
        on: the grid.
        against: the values of the functions :math:`a_j` there, of shape ``(m, points)``.

    Raises:
        TypeError: if they are no floating-point tensor, or the grid is no Grid.
        ValueError: if there are none, one has other points, or a value is not finite.

    Example:
        >>> grid = Grid((4,))
        >>> mean = Integrals(grid, torch.ones(1, 4, dtype=torch.float64))
        >>> mean(Function(grid, grid.points)).item()
        0.5
    """

    on: Grid
    against: Float[Tensor, "m points"]

    def __post_init__(self) -> None:
        require_grid(self.on, "The grid of integrals")
        floating(self.against, "The functions of integrals")
        if self.against.numel() == 0 or self.against.shape[1:] != (self.on.size,):
            raise ValueError(
                f"Integrals on {described(self.on)} are against at least one function of "
                f"{self.on.size} values; got the shape {tuple(self.against.shape)}."
            )
        check_finite(self.against, "The functions of integrals")

    @property
    def size(self) -> int:
        return len(self.against)

    def _read(self, f: Function) -> Tensor:
        return self.against.to(f.values) @ f.values * self.on.cell_volume

    def _adjoint(self, y: Tensor) -> Function:
        return Function(self.on, self.against.mT.to(y) @ y)


def region_averages(regions: Bool[Tensor, "m points"], *, on: Grid) -> Integrals:
    """The averages over regions, each a set of cells.

    Args:
        regions: booleans, one row a region and one column a point of the grid, row-major.
        on: the grid.

    Raises:
        TypeError: if the regions are not booleans, or the grid is no Grid.
        ValueError: if a region has no cells, or there are other points than the grid's.

    Example:
        >>> halves = torch.tensor([[True, True, False, False], [False, False, True, True]])
        >>> grid = Grid((4,))
        >>> region_averages(halves, on=grid)(Function(grid, grid.points)).flatten().tolist()
        [0.25, 0.75]
    """
    require_grid(on, "The grid of regions")
    if not isinstance(regions, Tensor) or regions.dtype != torch.bool or regions.is_meta:
        raise TypeError(
            f"Regions are boolean, true in their cells; got {kind_of(regions)}. Compare a tensor, "
            "as in regions > 0."
        )
    if regions.ndim != 2 or regions.shape[-1] != on.size:
        raise ValueError(
            f"A region of {described(on)} has one entry a point, {on.size}; got the shape "
            f"{tuple(regions.shape)}."
        )
    counts = regions.sum(-1, keepdim=True)
    if not bool((counts > 0).all()):
        raise ValueError("A region has no cells: there is nothing to average. Leave it out.")
    return Integrals(on, regions.double() / (counts * on.cell_volume))


def fourier_samples(waves: Float[Tensor, "waves dim"], *, on: Grid) -> Integrals:
    """Real and imaginary parts of the Fourier transform at given wave vectors.

    Args:
        waves: the vectors :math:`k`, in cycles a side, of shape ``(waves, dim)``; whole numbers are
            the Fourier series of the box.
        on: the grid, of as many axes.

    Returns:
        Twice as many functionals as there are vectors, first the real parts and then the imaginary
        ones; that of the vector zero, which reads nothing, is left out.

    Raises:
        TypeError: if the vectors are no floating-point tensor, or the grid is no Grid.
        ValueError: if the vectors have other axes than the grid, or are not finite.

    Example:
        >>> grid = Grid((8,))
        >>> read = fourier_samples(torch.tensor([[0.0], [1.0]]), on=grid)
        >>> read.size
        3
    """
    require_grid(on, "The grid of Fourier samples")
    check_finite(floating(waves, "Wave vectors"), "Wave vectors")
    if waves.ndim != 2 or waves.shape[1] != on.dim:
        raise ValueError(
            f"Wave vectors on {described(on)} have the shape (waves, {on.dim}); got "
            f"{tuple(waves.shape)}."
        )
    scale = torch.tensor(on.domain.lengths, dtype=torch.float64, device=waves.device)
    phases = 2.0 * math.pi * (waves.double() / scale) @ on.points.to(waves.device).mT
    imaginary = -phases.sin()
    seen = (waves != 0).any(-1)
    return Integrals(on, torch.cat([phases.cos(), imaginary[seen]]))
