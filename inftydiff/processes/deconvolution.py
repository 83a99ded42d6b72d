r"""Deconvolution: the best spectral filter after a mollifier, and what it costs.

A sampler of mollified functions returns :math:`y = T x_0 + e`: a mollified function and the error
of the sampler. With the multiplier :math:`G` of :math:`T`, the variances :math:`P(\lambda)` of the
coefficients of :math:`x_0` and :math:`E(\lambda)` of those of an error uncorrelated with it, the
filter :math:`W` has in each mode the risk

.. math:: \mathbb E|W y - x_0|^2 = \underbrace{(W G - 1)^2 P}_{\text{bias}}
                           + \underbrace{W^2 E}_{\text{variance}}.

The filter :math:`W = G P/(G^2 P + E)` minimises it, to :math:`P E/(G^2 P + E)`. The risk of a
filter depends on second moments only, so this is the best spectral filter for any data with those,
Gaussian or not.
"""

from dataclasses import dataclass
from typing import TypeAlias, final

import torch

from inftydiff._typing import instance
from inftydiff.operators.domain import unit_box
from inftydiff.operators.linear import LinearOperator
from inftydiff.operators.multiplier import (
    Multiplier,
    ProductMultiplier,
    ScaledMultiplier,
    SumMultiplier,
    UnitMultiplier,
)
from inftydiff.operators.spectral import SpectralOperator
from inftydiff.operators.wiener import OptimalWienerMultiplier
from inftydiff.processes.gaussian import GaussianMeasure
from inftydiff.processes.random_field import RandomField
from inftydiff.processes.spectra import multiplier_of

__all__ = [
    "DeconvolutionRisk",
    "Spectrum",
    "deconvolution_risk",
    "optimal_wiener",
    "variance_spectrum",
]

Spectrum: TypeAlias = GaussianMeasure | Multiplier
"""A centred measure with a spectral factor, or the variances of its modes as a multiplier."""


def variance_spectrum(of: Spectrum) -> Multiplier:
    r"""The variances of the coefficients in the Laplacian's eigenbasis, as a function of λ.

    Spectra are added by :class:`~inftydiff.operators.multiplier.SumMultiplier`.

    Args:
        of: a measure of mean zero with a spectral factor :math:`F = m(-\Delta)` and noise of
            intensity :math:`\tau`, whose variances are :math:`\tau^2 m(\lambda)^2`; or a
            multiplier, taken for the variances themselves.

    Raises:
        ValueError: if the measure has a mean.
        TypeError: if its factor is not spectral.

    Example:
        >>> from inftydiff import Identity, WhiteNoise
        >>> white = GaussianMeasure(None, Identity(), WhiteNoise(0.5))
        >>> variance_spectrum(white)(torch.tensor([0.0, 10.0]))
        tensor([0.2500, 0.2500])
    """
    advice = "Pass a GaussianMeasure of mean zero, or a multiplier of variances."
    instance(of, (Multiplier, GaussianMeasure), "A spectrum", advice)
    if isinstance(of, Multiplier):
        return of
    if of.mean is not None:
        raise ValueError(
            "A variance spectrum belongs to a measure of mean zero; got one with a mean. Subtract "
            "it from the data, and build the measure with mean=None."
        )
    field = of.draw(unit_box(1), batch=1, channels=1, generator=torch.Generator().manual_seed(0))
    if not isinstance(field, RandomField):
        raise TypeError(
            f"A measure has a variance spectrum if its factor is spectral; got "
            f"{type(of.factor).__name__}."
        )
    amplitudes = field.multiplier
    return ScaledMultiplier(field.intensity**2, ProductMultiplier(amplitudes, amplitudes))


def optimal_wiener(
    mollifier: LinearOperator, *, data: Spectrum, error: Spectrum
) -> SpectralOperator:
    r"""The filter :math:`G P/(G^2 P + E)`, the best spectral estimate of :math:`x_0`.

    It acts on functions on any grid, and on random fields. Unlike the constant filter of
    :func:`~inftydiff.wiener_inverse` it knows which wave numbers the data fill. An error that falls
    off faster than the mollified data makes it the plain inverse :math:`1/G` at high wave numbers,
    where rounding is amplified without limit: add the variances of rounding to such an error.

    Args:
        mollifier: the spectral operator :math:`T` to be undone.
        data: the law of :math:`x_0`, or its variances :math:`P(\lambda)`.
        error: the law of the error of :math:`T x_0`, uncorrelated with :math:`x_0`, or its
            variances :math:`E(\lambda)`. A white error of standard deviation :math:`\delta` in
            cells of volume :math:`h` is
            ``GaussianMeasure(None, Identity(), WhiteNoise(delta * h**0.5))``.

    Raises:
        TypeError: if an operator is not spectral.
        ValueError: if a measure has a mean, or a variance is negative.

    Example:
        >>> from inftydiff import Identity, WhiteNoise, gaussian_mollifier
        >>> T = gaussian_mollifier(1 / 64)
        >>> data = GaussianMeasure(None, gaussian_mollifier(1 / 32), WhiteNoise())
        >>> error = GaussianMeasure(None, Identity(), WhiteNoise(0.01))
        >>> W = optimal_wiener(T, data=data, error=error)
        >>> response = multiplier_of(W @ T)
        >>> response(torch.tensor([0.0, 5e3, 1e4]))
        tensor([0.9999, 0.9572, 0.0476])
    """
    return SpectralOperator(
        OptimalWienerMultiplier(
            multiplier_of(mollifier), variance_spectrum(data), variance_spectrum(error)
        )
    )


@final
@dataclass(frozen=True)
class DeconvolutionRisk:
    r"""The mean square error of a filter, as functions of the Laplacian's eigenvalues.

    Args:
        bias: :math:`(W G - 1)^2 P`, what the filter does not restore.
        variance: :math:`W^2 E`, the error after amplification.
    """

    bias: Multiplier
    variance: Multiplier

    def __post_init__(self) -> None:
        instance(self.bias, Multiplier, "The bias of a risk")
        instance(self.variance, Multiplier, "The variance of a risk")

    @property
    def total(self) -> Multiplier:
        """The sum of the two."""
        return SumMultiplier(self.bias, self.variance)


def deconvolution_risk(
    mollifier: LinearOperator, inverse: LinearOperator, *, data: Spectrum, error: Spectrum
) -> DeconvolutionRisk:
    r"""Bias and variance of a filter in closed form, for each eigenvalue of the Laplacian.

    What a grid adds to this, and the sums over modes, is in
    :func:`~inftydiff.processes.budget.error_budget`.

    Args:
        mollifier: the spectral operator :math:`T`.
        inverse: the spectral filter :math:`W`.
        data: the law of :math:`x_0`, or its variances.
        error: the law of an error uncorrelated with :math:`x_0`, or its variances.

    Raises:
        TypeError: if an operator is not spectral.
        ValueError: if a measure has a mean.

    Example:
        >>> from inftydiff import gaussian_mollifier, wiener_inverse
        >>> T, white = gaussian_mollifier(1 / 64), UnitMultiplier()
        >>> risk = deconvolution_risk(T, wiener_inverse(T), data=white, error=white)
        >>> risk.bias(torch.ones(1) * 1e4), risk.variance(torch.ones(1) * 1e4)
        (tensor([0.0008]), tensor([10.8566]))
    """
    filtered = multiplier_of(inverse)
    response = ProductMultiplier(filtered, multiplier_of(mollifier))
    missing = SumMultiplier(response, ScaledMultiplier(-1.0, UnitMultiplier()))
    return DeconvolutionRisk(
        bias=ProductMultiplier(ProductMultiplier(missing, missing), variance_spectrum(data)),
        variance=ProductMultiplier(ProductMultiplier(filtered, filtered), variance_spectrum(error)),
    )
