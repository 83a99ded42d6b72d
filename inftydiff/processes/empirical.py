r"""Empirical spectra: the mean squared coefficients of given functions, by wave number.

With the coefficients :math:`c_k` in L² of the function :math:`f = \sum_k c_k\varphi_k` in the span
of a grid's modes that has given values there, :math:`\sum_k c_k^2 = \lVert f\rVert^2` (Parseval),
the spectrum at the wave number :math:`\omega = \sqrt\lambda` is the mean of :math:`c_k^2` over
functions, channels and the modes in a ring about :math:`\omega`.

A mode that alternates from cell to cell, as the last one of an absorbing axis and of an even
periodic one does, has its largest value at every centre, and the squared norm
:math:`n_k^2 = 2` by the quadrature. Its :math:`c_k^2` is therefore half of what the grid's
orthonormal eigenbasis gives. White noise read on such a grid, whose cells are independent, has half
as much there as in the other modes.
"""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from inftydiff._typing import Real, check_finite, floating, integers, not_negative, positive, store
from inftydiff.operators._by_value import ByValue
from inftydiff.operators.basis import eigenbasis
from inftydiff.operators.discretisation import Grid
from inftydiff.operators.function import Function
from inftydiff.operators.multiplier import Multiplier
from inftydiff.processes._checks import a_function

__all__ = ["RadialSpectrum", "empirical_spectrum", "rings"]


@final
@dataclass(frozen=True, eq=False)
class RadialSpectrum(ByValue, Multiplier):
    r"""Variances known at some wave numbers, and interpolated between them.

    Between two wave numbers above zero the logarithm of the variance is linear in
    :math:`\log\lambda`, so that power laws are interpolated exactly. The constant mode has a value
    of its own. Below the first wave number above zero and beyond the last one the variance is
    constant; above the limit it is zero, for nothing is known there.

    Args:
        waves: wave numbers :math:`\sqrt\lambda`, ascending, none negative, of shape ``(rings,)``.
        variances: the mean squared coefficients there, of shape ``(rings,)``.
        modes: how many modes each was averaged over, of shape ``(rings,)``.
        limit: the largest wave number at which anything is known.

    Raises:
        ValueError: if the wave numbers do not ascend, or a variance is negative or not finite.

    Example:
        >>> waves = torch.tensor([0.0, 1.0, 4.0], dtype=torch.float64)
        >>> spectrum = RadialSpectrum(waves, torch.tensor([9.0, 16.0, 1.0]).double(), None, 5.0)
        >>> spectrum(torch.tensor([0.0, 1.0, 4.0, 25.0, 26.0]).double()).tolist()
        [9.0, 16.0, 4.0, 1.0, 0.0]
    """

    waves: Float[Tensor, "rings"]
    variances: Float[Tensor, "values"]
    modes: Int[Tensor, "values"] | None
    limit: float

    def __post_init__(self) -> None:
        store(self, floating, "waves", "variances", subject="A spectrum's ")
        if self.modes is not None:
            integers(self.modes, "A spectrum's modes, unless None,")
        store(self, not_negative, "limit", subject="A spectrum's ")
        if self.waves.ndim != 1 or self.variances.ndim != 1:
            raise ValueError(
                "A spectrum has wave numbers and variances of shape (rings,); got "
                f"{tuple(self.waves.shape)} and {tuple(self.variances.shape)}."
            )
        ascend = bool((self.waves.diff() > 0.0).all()) and bool((self.waves >= 0.0).all())
        if not ascend or len(self.waves) != len(self.variances) or not len(self.waves):
            raise ValueError(
                "A spectrum takes ascending wave numbers, none negative, and one variance for each;"
                f" got {len(self.waves)} wave numbers and {len(self.variances)} variances."
            )
        if self.limit < self.waves[-1].item():
            raise ValueError(
                f"The limit of a spectrum is not below its last wave number "
                f"{self.waves[-1].item():g}; got {self.limit:g}."
            )
        if bool((check_finite(self.variances, "The variances of a spectrum") < 0.0).any()):
            raise ValueError(f"Variances are not negative; got {self.variances.min().item():g}.")

    def __call__(self, eigenvalues: Float[Tensor, "*modes"]) -> Float[Tensor, "*modes"]:
        knots, variances = self.waves.to(eigenvalues), self.variances.to(eigenvalues)
        waves = eigenvalues.clamp(min=0.0).sqrt()
        positive_knots = knots > 0.0
        if not bool(positive_knots.any()):
            return torch.where(waves <= self.limit, variances[0], 0.0)
        inner, values = knots[positive_knots], variances[positive_knots]
        right = torch.searchsorted(inner, waves.contiguous()).clamp(max=len(inner) - 1)
        left = (right - 1).clamp(min=0)
        width = torch.where(right > left, (inner[right] / inner[left]).log(), 1.0)
        part = ((waves / inner[left]).log() / width).clamp(0.0, 1.0)
        low, high = values[left], values[right]
        both = (low > 0.0) & (high > 0.0)
        ratio = torch.where(both, high, 1.0) / torch.where(both, low, 1.0)
        result = torch.where(both, low * ratio**part, low + (high - low) * part)
        if not bool(positive_knots[0]):
            result = torch.where(waves == 0.0, variances[0], result)
        return torch.where(waves <= self.limit, result, 0.0)

    @property
    def bound(self) -> float:
        return self.variances.max().item()

    def bandwidth(self, tolerance: float) -> float:
        above = (self.variances > tolerance).nonzero()
        if not len(above):
            return 0.0
        last = int(above.max()) + 1
        return self.waves[last].item() if last < len(self.waves) else self.limit


def empirical_spectrum(functions: Function, *, width: Real | None = None) -> RadialSpectrum:
    r"""The spectrum of functions on a grid, to be given to filters in the place of a law.

    It is that of the law they are drawn from, but for what folds onto the grid's modes.
    The means are those of the squares: nothing is subtracted, so the constant mode holds the mean's
    square too. Nothing is known above the grid's modes, and the spectrum is zero there; take
    functions on a finer grid to learn what a coarser one leaves out.

    Args:
        functions: values of shape ``(*batch, points, channels)`` on a grid; channels are averaged.
        width: the width of the rings in wave number; by default the smallest wave number above
            zero, :math:`\pi` over the longest side of a reflecting box.

    Raises:
        TypeError: if the functions do not live on a grid.
        ValueError: if there are no functions, a value is not finite, or the width is not a finite
            number above zero.

    Example:
        >>> grid = Grid((4,))
        >>> f = Function(grid, torch.cos(torch.pi * grid.points))
        >>> spectrum = empirical_spectrum(f)
        >>> spectrum.variances.mul(spectrum.modes).sum().isclose(f.norm().square())
        tensor(True)
    """
    a_function(functions, "An empirical spectrum")
    if not isinstance(functions.on, Grid):
        raise TypeError(
            "An empirical spectrum is that of functions on a Grid; these live on "
            f"{type(functions.on).__name__}. Interpolate them to a grid."
        )
    grid, values = functions.on, check_finite(functions.values, "The values of functions")
    if not values.numel():
        raise ValueError(
            "An empirical spectrum is a mean over functions, at least one; got values of shape "
            f"{tuple(values.shape)}."
        )
    basis = eigenbasis(grid.domain)
    image = Function(grid, values.double()).to_image()
    norms = basis.fold_variance(torch.ones(grid.shape, dtype=torch.float64), grid.shape)
    squares = basis.analysis(image).square() * grid.cell_volume / norms.to(values.device)
    squares = squares.reshape(-1, grid.size).mean(0)
    waves = basis.eigenvalues(grid.shape, values.device).sqrt().flatten()
    ring = rings(waves, width)
    present, index, modes = ring.unique(return_inverse=True, return_counts=True)
    zeros = waves.new_zeros(len(present))
    return RadialSpectrum(
        waves=zeros.index_add(0, index, waves) / modes,
        variances=zeros.index_add(0, index, squares) / modes,
        modes=modes,
        limit=waves.max().item(),
    )


def rings(waves: Float[Tensor, "*modes"], width: Real | None) -> Int[Tensor, "*modes"]:
    r"""The rings that wave numbers belong to.

    Ring :math:`i` is centred at :math:`i` times the width. The constant mode has ring zero to
    itself.

    Args:
        waves: wave numbers :math:`\sqrt\lambda`, of any shape.
        width: the rings' width; by default the smallest wave number above zero.

    Raises:
        ValueError: if the width is not a finite number above zero.
    """
    nonzero = waves[waves > 0.0]
    if width is None:
        width = nonzero.min().item() if len(nonzero) else 1.0
    number = (waves / positive(width, "The width of a ring")).round().long()
    return torch.where(waves > 0.0, number.clamp(min=1), 0)
