r"""The trace-class certificate: does a Gaussian measure live on functions?

The measure :math:`\mathcal N(\mu, \tau^2 FF^*)` is one on :math:`L^2(\Omega)` if and only if its
covariance is *trace-class*: the total variance
:math:`\mathbb E\lVert x - \mu\rVert^2 = \tau^2\sum_k m(\lambda_k)^2` is finite. By Weyl's law
:math:`\lambda_k \propto k^{2/d}`, so with the asymptote
:math:`m(\lambda) \sim c\,\lambda^{-p} e^{-a\lambda}` it is if :math:`a > 0` or :math:`4p > d`, and
otherwise it is not. White noise (:math:`p = a = 0`) is not in any dimension.

Certificates speak of operators without their cut-off, which makes every sum finite but is not part
of the model.

References:
    G. Da Prato and J. Zabczyk, "Stochastic Equations in Infinite Dimensions", Cambridge, 2014,
    chapter 2.
"""

from dataclasses import dataclass
from typing import TypeAlias, final

import torch

from inftydiff.operators.asymptote import Asymptote
from inftydiff.operators.domain import Domain, unit_box
from inftydiff.operators.multiplier import Multiplier
from inftydiff.processes._checks import a_domain
from inftydiff.processes._spectral_sum import squared_sum
from inftydiff.processes.gaussian import GaussianMeasure, a_measure
from inftydiff.processes.random_field import RandomField

__all__ = [
    "NotTraceClass",
    "TraceCertificate",
    "TraceClass",
    "Unknown",
    "require_trace_class",
    "spectrum",
    "trace_class",
]


@final
@dataclass(frozen=True)
class TraceClass:
    r"""The measure is one on :math:`L^2`.

    Args:
        trace: the total variance :math:`\mathbb E\lVert x - \mu\rVert^2` of one channel.
        reason: why, in a sentence.
    """

    trace: float
    reason: str


@final
@dataclass(frozen=True)
class NotTraceClass:
    """The total variance is infinite: samples are no functions.

    Args:
        reason: why, in a sentence.
    """

    reason: str


@final
@dataclass(frozen=True)
class Unknown:
    """The answer where what is known of the measure does not decide.

    Args:
        reason: what is missing, in a sentence.
    """

    reason: str


NO_DOMAIN = (
    "The domain is not known: the measure has no mean, and its factor was made for no dimension. "
    "Pass domain=…."
)

TraceCertificate: TypeAlias = TraceClass | NotTraceClass | Unknown
"""The three answers of ``trace_class``."""


def trace_class(measure: GaussianMeasure, domain: Domain | None = None) -> TraceCertificate:
    r"""Decide whether a Gaussian measure is one on :math:`L^2` of a domain.

    Decided by the decay of the operator, without its cut-off, and the dimension; the trace is the
    sum over all modes.

    Args:
        measure: the measure.
        domain: the domain, whose dimension matters most. By default that of the mean, else the
            reflecting unit box of the dimension that the factor was made for, as Matérn's is. If
            neither is known, the answer is ``NotTraceClass`` where it is that on every box, and
            otherwise ``Unknown``.

    Example:
        >>> from inftydiff import Box, WhiteNoise
        >>> from inftydiff.operators.covariance import bessel
        >>> for order in (1.0, 1.1):
        ...     verdict = trace_class(
        ...         GaussianMeasure(None, bessel(order), WhiteNoise()), Box((1.0, 1.0))
        ...     )
        ...     print(type(verdict).__name__, verdict.reason)
        NotTraceClass The multiplier falls like λ^-0.5; in d = 2 it has to fall faster than λ^-0.5.
        TraceClass The multiplier falls like λ^-0.55, faster than λ^-0.5 in d = 2.
    """
    a_measure(measure)
    if domain is not None:
        a_domain(domain)
    if domain is None:
        domain = _own_domain(measure)
    if domain is None:
        line = trace_class(measure, unit_box(1))  # more axes ask for more decay
        return line if not isinstance(line, TraceClass) else Unknown(NO_DOMAIN)
    found = spectrum(measure, domain)
    if isinstance(found, Unknown):
        return found
    multiplier, tail = found
    dim = domain.dim
    if dim == 0:
        return TraceClass(squared_sum(multiplier, domain), "The domain is a point.")
    if tail is None:
        return Unknown(
            "The behaviour of the operator at high frequencies is not known: its multiplier has no "
            "asymptote."
        )
    if tail.coefficient == 0.0:
        reason = "The multiplier vanishes at high frequencies."
    elif tail.rate > 0.0:
        reason = f"The multiplier falls exponentially, like exp(-{tail.rate:.4g} λ)."
    else:
        pace = f"falls like λ^{-tail.power:.4g}" if tail.power > 0.0 else "does not decay"
        enough = f"faster than λ^{-0.25 * dim:.4g}"
        if not 4.0 * tail.power > dim:
            return NotTraceClass(f"The multiplier {pace}; in d = {dim} it has to fall {enough}.")
        reason = f"The multiplier {pace}, {enough} in d = {dim}."
    return TraceClass(squared_sum(multiplier, domain), reason)


def require_trace_class(measure: GaussianMeasure, domain: Domain | None = None) -> TraceClass:
    r"""The certificate that a Gaussian measure is one on :math:`L^2`, or an error.

    Args:
        measure: the measure.
        domain: the domain, by default as for :func:`trace_class`.

    Raises:
        ValueError: if it is not, or it is not known whether it is.

    Example:
        >>> from inftydiff import Box, WhiteNoise, gaussian_mollifier
        >>> measure = GaussianMeasure(None, gaussian_mollifier(0.1), WhiteNoise())
        >>> round(require_trace_class(measure, Box((1.0,), "periodic")).trace, 4)
        2.8209
    """
    verdict = trace_class(measure, domain)
    if isinstance(verdict, TraceClass):
        return verdict
    shown = "is not" if isinstance(verdict, NotTraceClass) else "cannot be shown to be"
    raise ValueError(
        f"A measure with a trace-class covariance is needed; this one {shown} trace-class. "
        f"{verdict.reason} Take a smoother factor: gaussian_mollifier(width), matern(smoothness, "
        "length_scale, dim=…), or bessel(order) with an order above half the dimension."
    )


def spectrum(
    measure: GaussianMeasure, domain: Domain
) -> tuple[Multiplier, Asymptote | None] | Unknown:
    r"""Return the multiplier that makes the measure of white noise of intensity one.

    Returns:
        The multiplier :math:`\tau m`, without a cut-off, and its asymptote; or what is missing.
    """
    field = measure.draw(domain, batch=1, channels=1, generator=torch.Generator().manual_seed(0))
    if not isinstance(field, RandomField):
        return Unknown(f"The noise is a {type(field).__name__} and not an image of white noise.")
    whole = (field * field.intensity).multiplier.untruncated
    if whole(torch.zeros(1, dtype=torch.float64)).ndim > 1:
        return Unknown("The operator has one scale a sample; ask for one sample at a time.")
    return whole, whole.asymptote


def _own_domain(measure: GaussianMeasure) -> Domain | None:
    """The domain of the mean, else the unit box of the factor's dimension."""
    if measure.mean is not None:
        return measure.mean.on.domain
    found = spectrum(measure, unit_box(1))
    dims = frozenset() if isinstance(found, Unknown) else found[0].dims
    return unit_box(next(iter(dims))) if len(dims) == 1 else None
