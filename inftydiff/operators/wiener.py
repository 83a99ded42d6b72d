r"""Wiener filters: the regularised inverses of a mollifier.

A mollifier with the multiplier :math:`G` is undone as far as the spectrum allows by

.. math:: W = \frac{G}{G^2 + \rho^2} \qquad\text{or}\qquad W = \frac{G P}{G^2 P + E},

the constant filter with the amplitude ratio :math:`\rho` of noise and signal, and the optimal
filter for a signal whose coefficients have the variances :math:`P(\lambda)` and that is seen with
errors of the variances :math:`E(\lambda)`, uncorrelated with it. The optimal filter minimises
:math:`\mathbb E\lVert W(G x + e) - x\rVert^2` mode by mode. The constant filter is the optimal one
where :math:`E/P = \rho^2`.

References:
    N. Wiener, "Extrapolation, interpolation, and smoothing of stationary time series", 1949.
    Bond-Taylor and Willcocks, "∞-Diff", ICLR 2024, section 3.2.
"""

import math
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._components import component
from inftydiff._typing import Real, shown
from inftydiff.operators.linear import LinearOperator
from inftydiff.operators.multiplier import (
    Multiplier,
    UnitMultiplier,
    WienerMultiplier,
    require_multiplier,
)
from inftydiff.operators.spectral import (
    SpectralOperator,
    spectral_multiplier,
)

__all__ = ["OptimalWienerMultiplier", "wiener_inverse"]

DECADES, PER_DECADE = (-20, 80), 1000
"""The wave numbers at which the bounds of an optimal filter are found, and how densely."""

MARGIN = 1.01
"""How much larger the bound is than the largest factor found."""

LARGEST = 1e12
"""Filters that amplify by more than this have no bound: rounding errors alone would be larger."""


def wiener_inverse(mollifier: LinearOperator, *, noise_to_signal: Real = 0.05) -> SpectralOperator:
    r"""The Wiener filter :math:`G/(G^2 + \rho^2)` for a mollifier with the multiplier :math:`G`.

    It is not renormalised: the mean is multiplied by :math:`1/(1+\rho^2)`.

    Args:
        mollifier: a spectral operator, the one to be undone; multiples, sums and compositions of
            such are too.
        noise_to_signal: the amplitude ratio :math:`\rho`; the paper's code uses 0.05. Larger values
            amplify less of what the network gets wrong, and restore less detail.

    Raises:
        TypeError: if the mollifier is not a spectral operator.
        ValueError: if the ratio is not a finite number above zero.

    Example:
        >>> from inftydiff import gaussian_mollifier
        >>> T = gaussian_mollifier(1 / 64)
        >>> wiener_inverse(T).multiplier.noise_to_signal
        0.05
    """
    multiplier = spectral_multiplier(mollifier)
    if multiplier is None or isinstance(multiplier, UnitMultiplier):
        raise TypeError(
            "A Wiener filter inverts a spectral operator, such as gaussian_mollifier(width); got "
            f"{shown(mollifier)}."
        )
    return SpectralOperator(WienerMultiplier(multiplier, noise_to_signal))


@component("multiplier", "optimal_wiener")
@final
@dataclass(frozen=True)
class OptimalWienerMultiplier(Multiplier):
    r"""The filter :math:`G P/(G^2 P + E)`, zero where :math:`P` is.

    Its ``bound`` and ``bandwidth`` are found from its values at a thousand wave numbers a decade,
    so they hold for spectra that change little from one of these to the next.

    Args:
        forward: the multiplier :math:`G` to be inverted.
        signal: the variances :math:`P(\lambda)` of the signal's coefficients.
        error: the variances :math:`E(\lambda)` of the coefficients of the error.

    Raises:
        TypeError: if one is no multiplier.
        ValueError: if a variance is negative or not finite.

    Example:
        >>> from inftydiff.operators import HeatMultiplier
        >>> from inftydiff.operators.multiplier import ScaledMultiplier, UnitMultiplier
        >>> white = UnitMultiplier()
        >>> W = OptimalWienerMultiplier(HeatMultiplier(0.1), white, ScaledMultiplier(0.25, white))
        >>> W(torch.tensor([0.0]))
        tensor([0.8000])
    """

    forward: Multiplier
    signal: Multiplier
    error: Multiplier

    def __post_init__(self) -> None:
        require_multiplier(self.forward, "What a Wiener filter inverts")
        require_multiplier(self.signal, "The spectrum of a Wiener filter's signal")
        require_multiplier(self.error, "The spectrum of a Wiener filter's error")
        waves = _waves()
        for name, spectrum in (("signal", self.signal), ("error", self.error)):
            variances = spectrum(waves**2)
            wrong = ~(variances.isfinite() & (variances >= 0.0))
            if bool(wrong.any()):
                where = int(wrong.reshape(-1, len(waves)).any(0).nonzero()[0])
                value = variances.reshape(-1, len(waves))[:, where].min().item()
                raise ValueError(
                    f"The variances of the {name} of a Wiener filter must be finite and not "
                    f"negative; got {value:g} at the wave number {waves[where].item():g}. Give the "
                    "spectrum of the variances, not one of amplitudes."
                )

    def __call__(self, eigenvalues: Float[Tensor, "*modes"]) -> Float[Tensor, "*batch_modes"]:
        gain, error = self.forward(eigenvalues), self.error(eigenvalues)
        signal = self.signal(eigenvalues)
        signal = torch.where(signal < torch.finfo(signal.dtype).tiny, 0.0, signal)
        total = gain**2 * signal + error
        return torch.where(total > 0.0, gain * signal / torch.where(total > 0.0, total, 1.0), 0.0)

    @property
    def bound(self) -> float:
        r"""A bound on the factors.

        Raises:
            ValueError: if there is none: the error falls off faster than the mollified signal, so
                that the filter is the plain inverse at high wave numbers.
        """
        largest = MARGIN * self._sizes(_waves()).max().item()
        if largest > LARGEST:
            raise ValueError(
                "This Wiener filter is unbounded: its error falls off faster than the mollified "
                "signal, and it amplifies high wave numbers without limit. Add a white part to the "
                "error, such as that of rounding, or apply the filter to functions on a grid."
            )
        return largest

    def bandwidth(self, tolerance: float) -> float:
        waves = _waves()
        above = (self._sizes(waves) > tolerance).nonzero()
        if not len(above):
            return 0.0
        last = int(above.max()) + 1
        return waves[last].item() if last < len(waves) else math.inf

    @property
    def untruncated(self) -> "OptimalWienerMultiplier":
        return OptimalWienerMultiplier(
            self.forward.untruncated, self.signal.untruncated, self.error.untruncated
        )

    @property
    def dims(self) -> frozenset[int]:
        return self.forward.dims | self.signal.dims | self.error.dims

    def _sizes(self, waves: Float[Tensor, "waves"]) -> Float[Tensor, "waves"]:
        return self(waves**2).abs().reshape(-1, len(waves)).amax(0)


def _waves() -> Float[Tensor, "waves"]:
    """Zero, and wave numbers in geometric progression."""
    count = (DECADES[1] - DECADES[0]) * PER_DECADE + 1
    return torch.cat(
        [torch.zeros(1, dtype=torch.float64), torch.logspace(*DECADES, count, dtype=torch.float64)]
    )
