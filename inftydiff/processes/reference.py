r"""The noise's own law, the measure that densities of states are taken relative to.

A function space has no Lebesgue measure. What every state :math:`x_t = \alpha S x_0 + \sigma N\xi`
with :math:`t > 0` is comparable to is :math:`\nu_t = \mathcal N(0, \sigma_t^2 C)`, the law of its
noise. On a grid of :math:`M` points it has :math:`M` independent modes, with the variances
:math:`\sigma_t^2 V_k` that :math:`N\xi` has *as it is read there* (modes above the grid's folded
in), and the *whitened* state

.. math:: y_k = \frac{x_k}{\sigma_t\sqrt{V_k}}

is standard normal under :math:`\nu_t`, whatever :math:`t`. By Cameron and Martin the law of
:math:`x_t` given :math:`x_0` has a density relative to :math:`\nu_t`, on functions and not only on
each grid, iff :math:`\|N^{-1}S x_0\| < \infty`. If :math:`N^{-1}S` is bounded, this is so for all
data in :math:`L^2`; if it is not, as for :math:`S = I` and a mollifier :math:`N`, the values on
grids have no limit unless the data happen to be as smooth as :math:`N` makes functions.

References:
    G. Da Prato and J. Zabczyk, "Stochastic equations in infinite dimensions", 2014, section 2.3.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import final

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from inftydiff._typing import Real, check_finite, positive
from inftydiff.operators._algebra import same_multiplier
from inftydiff.operators.basis import eigenbasis
from inftydiff.operators.discretisation import Grid
from inftydiff.operators.function import Function
from inftydiff.processes._checks import a_function
from inftydiff.processes.diffusion import DiffusionProcess
from inftydiff.processes.gaussian import GaussianMeasure
from inftydiff.processes.spectra import grid_coefficients, multiplier_of
from inftydiff.processes.time_dependent_signal import TimeDependentSignal

__all__ = ["NoDensity", "Reference", "require_density", "require_states"]

ROUNDINGS = 100.0
"""A mode is lost to rounding if its noise is below so many epsilons of the largest mode's."""

LEAST = 1e-9
"""The same, whatever the dtype: a tenth of it is where a random field leaves modes out."""


class NoDensity(ValueError):
    """The error of what has no finite value on functions, although it has one on each grid."""


@final
@dataclass(frozen=True, eq=False)
class Reference:
    r"""The measure :math:`\mathcal N(0, C)` on a grid, mode by mode.

    Args:
        on: the grid.
        std: the standard deviations :math:`\sqrt{V_k}` of the modes, of shape ``(*grid.shape)``,
            float64.
        dtype: the precision that states are given in.
        cutoff: the wave number (in radians per unit of length) above which modes are left out, or
            None for all modes of the grid.
    """

    on: Grid
    std: Float[Tensor, "*modes"]
    dtype: torch.dtype
    cutoff: Real | None = None

    @staticmethod
    def of(process: DiffusionProcess, x: Function, cutoff: Real | None) -> "Reference":
        """The noise's law on the grid of some states.

        Raises:
            ValueError: if the cut-off is not above zero or leaves no mode.
        """
        assert isinstance(x.on, Grid)
        noise = GaussianMeasure(None, process.noise_factor, process.noise)
        std = noise.mode_variances(x.on).sqrt().to(x.values.device)
        if cutoff is not None:
            cutoff = positive(cutoff, "A spectral cut-off")
        reference = Reference(x.on, std, x.values.dtype, cutoff)
        if not bool(reference.kept.any()):
            raise ValueError(
                f"No mode of the grid has a wave number of at most {cutoff:g}; raise the cut-off."
            )
        return reference

    @cached_property
    def waves(self) -> Float[Tensor, "*modes"]:
        r"""The wave numbers :math:`\sqrt{\lambda_k}` of the modes."""
        return eigenbasis(self.on.domain).eigenvalues(self.on.shape, self.std.device).sqrt()

    @cached_property
    def kept(self) -> Bool[Tensor, "*modes"]:
        """The modes up to the cut-off."""
        if self.cutoff is None:
            return torch.ones_like(self.std, dtype=torch.bool)
        return self.waves <= self.cutoff

    @cached_property
    def visible(self) -> Bool[Tensor, "*modes"]:
        """The modes whose noise is not lost to rounding."""
        least = max(LEAST, ROUNDINGS * torch.finfo(self.dtype).eps)
        return self.std > least * self.std.max()

    def require_inverse(self) -> None:
        """Refuse a noise with modes that cannot be divided by.

        Raises:
            ValueError: if the noise of a mode up to the cut-off is lost to rounding.
        """
        lost = self.kept & ~self.visible
        if not bool(lost.any()):
            return
        first_lost = self.waves[lost].min()
        below = self.waves[self.waves < first_lost]
        last_kept = below.max() if len(below) else torch.zeros_like(first_lost)
        fine = 0.5 * (last_kept + first_lost).item()
        side = math.pi * math.sqrt(self.on.dim) / fine if fine > 0.0 else math.inf
        raise ValueError(
            f"N cannot be inverted on Grid({self.on.shape}): the noise of {int(lost.sum())} of its "
            f"{self.on.size} modes is below the rounding of {self.dtype}. Take cells with sides of "
            f"at least {side:.3g}, a narrower mollifier, or cutoff={fine:.4g}, which leaves the "
            "modes of higher wave numbers out."
        )

    def whiten(self, f: Function) -> Float[Tensor, "batch channels *modes"]:
        r"""The coordinates :math:`N^{-1} f` of the modes kept, zero for the others, float64."""
        return grid_coefficients(f) / self.std.where(self.kept, torch.inf)

    def colour(self, y: Float[Tensor, "batch channels *modes"]) -> Function:
        """The function with these coordinates, in the states' dtype."""
        return self._function(y * self.std)

    def project(self, f: Function) -> Function:
        """The function without the modes that are left out."""
        if self.cutoff is None:
            return f
        return self._function(grid_coefficients(f) * self.kept)

    def _function(self, modes: Tensor) -> Function:
        image = eigenbasis(self.on.domain).synthesis(modes / math.sqrt(self.on.cell_volume))
        values = image.reshape(*image.shape[:2], self.on.size).mT
        return Function(self.on, values.to(self.dtype))


def require_states(x: Function, name: str) -> None:
    """Refuse functions that a density cannot be asked of.

    Raises:
        ValueError: if they do not live on a full grid, have other than one batch axis, there are
            none, or values are not finite.
    """
    a_function(x, name)
    if not isinstance(x.on, Grid) or len(x.batch) != 1 or not x.values.numel():
        raise ValueError(
            f"{name} live on a full Grid, with values of shape (batch, points, channels), at least "
            "one of each; got "
            f"{type(x.on).__name__}, {tuple(x.values.shape)}. The density of the values at some of "
            "the points is an integral over the others."
        )
    check_finite(x.values, name)


def require_density(process: DiffusionProcess, *, smooth_data: bool) -> None:
    r"""Refuse processes whose states have no density relative to their noise.

    Args:
        process: the process.
        smooth_data: whether the caller vouches for :math:`\|N^{-1}S x_0\| < \infty`.

    Raises:
        NoDensity: if :math:`N^{-1}S` is unbounded, or not known to be bounded, and the caller does
            not vouch.
        ValueError: if the signal operator changes with time, or an operator has one scale a sample.
        TypeError: if an operator is not spectral.
    """
    if isinstance(process.signal, TimeDependentSignal):
        raise ValueError(
            "The likelihood is that of a process whose signal operator does not change with time; "
            f"got {type(process.signal).__name__}. Take DiffusionProcess.white or .mollified."
        )
    signal, noise = multiplier_of(process.signal), multiplier_of(process.noise_factor)
    for name, multiplier in (("signal operator", signal), ("noise factor", noise)):
        scales = multiplier(torch.zeros(1, dtype=torch.float64))
        if scales.ndim > 1:
            raise ValueError(
                f"A density is relative to one law of the noise; got a {name} with {len(scales)} "
                "scales, one a sample. Make a process of each, and ask for one sample at a time."
            )
    if smooth_data or same_multiplier(signal, noise):
        return
    S, N = signal.asymptote, noise.asymptote
    remedy = (
        "Take a process with S = N, or pass smooth_data=True if the data lie in the image of N "
        "(are at least as smooth as N makes a function of L²)."
    )
    if S is None or N is None:
        raise NoDensity(
            f"It is not known how fast S and N decay, hence not whether N⁻¹S is bounded. {remedy}"
        )
    if S.coefficient == 0.0 or (N.coefficient != 0.0 and S.order >= N.order):
        return
    raise NoDensity(
        "N⁻¹S is unbounded: the noise is smoother than the signal, so that the law of the states "
        f"has no density relative to the noise's, and the values on grids diverge. {remedy}"
    )
