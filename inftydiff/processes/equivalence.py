r"""Equivalence of Gaussian measures, by the theorem of Feldman and Hájek.

Two Gaussian measures on a function space are either *equivalent* (the same sets have measure zero)
or *singular* (a set of measure one under the one has measure zero under the other). For
:math:`\mathcal N(\mu, C)` and :math:`\mathcal N(\mu', C')`, diagonal in one basis with the
standard deviations :math:`\tau m(\lambda_k)` and :math:`\tau' m'(\lambda_k)`, they are equivalent
if and only if

.. math::
   \sum_k \Bigl(\frac{\tau^2 m(\lambda_k)^2}{\tau'^2 m'(\lambda_k)^2} - 1\Bigr)^2 < \infty
   \qquad\text{and}\qquad
   \lVert\mu - \mu'\rVert_H^2 = \sum_k \frac{(\mu_k - \mu'_k)^2}{\tau^2 m(\lambda_k)^2} < \infty,

where :math:`\lVert · \rVert_H` is the norm of the Cameron–Martin space. Both are decided by
asymptotes: with other rates, powers or leading coefficients :math:`\tau |c|` the ratio does not
tend to one, and the measures are singular; with the same ones it is :math:`1 + O(\lambda^{-q})`,
and by Weyl's law the sum converges if :math:`4q > d`.

So all multiples of a Gaussian measure are singular to each other, and so are two heat semigroups'.
Matérn measures with one smoothness are equivalent in up to three dimensions if
:math:`\varsigma^2\kappa^{2\nu}` agrees, and singular if it does not (Zhang).

References:
    G. Da Prato and J. Zabczyk, "Stochastic Equations in Infinite Dimensions", Cambridge, 2014,
    section 2.3; H. Zhang, "Inconsistent estimation and asymptotically equal interpolations in
    model-based geostatistics", JASA 99 (2004).
"""

import math
from dataclasses import dataclass
from typing import TypeAlias, final

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from inftydiff.operators._algebra import ratio_of
from inftydiff.operators.asymptote import Asymptote
from inftydiff.operators.basis import eigenbasis
from inftydiff.operators.discretisation import Grid
from inftydiff.operators.domain import Domain
from inftydiff.operators.function import Function
from inftydiff.operators.multiplier import Multiplier
from inftydiff.processes._checks import a_domain, a_function
from inftydiff.processes.certificates import Unknown, spectrum
from inftydiff.processes.gaussian import GaussianMeasure, a_measure
from inftydiff.processes.spectra import grid_coefficients

__all__ = ["Equivalence", "Equivalent", "Singular", "cameron_martin_norm", "equivalence"]

SAME = 1e-9
"""Numbers that agree to this, relative to their size, are the same."""

ROUNDING = 1e-12
"""Coefficients of a mean below this, relative to its norm, are zero where nothing varies."""

MODES = 1 << 16
"""The number of modes that are looked at for zeros of a multiplier."""

UNDERFLOW = 300.0
"""Exponents up to which a factor of zero is one, and not a positive number too small to be held."""


@final
@dataclass(frozen=True)
class Equivalent:
    """The measures have the same null sets, and densities with respect to each other.

    Args:
        reason: why, in a sentence.
    """

    reason: str


@final
@dataclass(frozen=True)
class Singular:
    """Some set has measure one under one of them, and zero under the other.

    Args:
        reason: why, in a sentence.
    """

    reason: str


Equivalence: TypeAlias = Equivalent | Singular | Unknown
"""The three answers of ``equivalence``."""


def equivalence(p: GaussianMeasure, q: GaussianMeasure, domain: Domain) -> Equivalence:
    r"""Decide whether two Gaussian measures on a domain are equivalent or singular.

    Operators are taken without their cut-off, zeros of a multiplier are looked for among the lowest
    65,000 modes, and numbers that agree to nine digits are the same. A mean on a grid is the
    function with the grid's modes only, its band-limited interpolant.

    Args:
        p: one measure.
        q: the other.
        domain: where they live.

    Raises:
        ValueError: if a mean lives on another domain.

    Example:
        >>> from inftydiff import Box, Identity, WhiteNoise
        >>> from inftydiff.operators.covariance import matern
        >>> p, q = (
        ...     GaussianMeasure(None, matern(0.5, length, dim=1, std=std), WhiteNoise())
        ...     for length, std in ((0.1, 1.0), (0.4, 2.0))
        ... )
        >>> print(equivalence(p, q, Box((1.0,))).reason)
        The variances agree to O(λ^-1), and Σ λ^-2 converges in d = 1.
        >>> print(equivalence(p, GaussianMeasure(None, Identity(), WhiteNoise()), Box((1.0,))))
        Singular(reason='One multiplier falls like 4.47214 λ^-0.5, the other tends to 1.')
    """
    a_measure(p)
    a_measure(q)
    a_domain(domain)
    for mean in (p.mean, q.mean):
        if mean is not None and mean.on.domain != domain:
            raise ValueError(
                f"A mean lives on {mean.on.domain}, and not on {domain}. Give the domain of the "
                "mean."
            )
    first, second = spectrum(p, domain), spectrum(q, domain)
    if isinstance(first, Unknown):
        return first
    if isinstance(second, Unknown):
        return second
    ratio = ratio_of(first[0], second[0])
    if ratio is not None and math.isclose(abs(float(ratio)), 1.0, rel_tol=SAME):
        covariances: Equivalence = Equivalent("The covariances are the same.")
    else:
        covariances = _compare(_Tail(*first), _Tail(*second), domain)
    if not isinstance(covariances, Equivalent):
        return covariances
    if p.mean is None and q.mean is None:
        return covariances
    return _compare_means(p.mean, q.mean, _Tail(*first), covariances)


def cameron_martin_norm(measure: GaussianMeasure, f: Function) -> Float[Tensor, "*batch"]:
    r"""The norm :math:`\lVert f\rVert_H` of a function in the Cameron–Martin space of a measure.

    .. math:: \lVert f\rVert_H^2 = \sum_k \frac{f_k^2}{\tau^2 m(\lambda_k)^2} = \lVert g\rVert^2
              \quad\text{if}\quad f = \tau F g.

    It is the norm of the reproducing kernel Hilbert space of the covariance, summed over channels.
    The function is the one with the grid's modes only (its band-limited interpolant), and the
    operator is taken without its cut-off. A factor that falls below rounding errors enlarges those
    in the coefficients to anything.

    Args:
        measure: the measure, whose mean does not matter.
        f: functions on a grid.

    Returns:
        The norms, of shape ``(*batch)``, float64; infinite where a coefficient is not zero but its
        variance is.

    Raises:
        ValueError: if the function does not live on a grid, or the measure's factor has one scale a
            sample or is no image of white noise.

    Example:
        >>> from inftydiff import WhiteNoise, gaussian_mollifier
        >>> T, grid = gaussian_mollifier(0.1), Grid((8,))
        >>> g = Function(grid, grid.points)
        >>> cameron_martin_norm(GaussianMeasure(None, T, WhiteNoise(2.0)), 2.0 * T(g)) / g.norm()
        tensor(1.0000, dtype=torch.float64)
    """
    a_measure(measure)
    a_function(f, "A Cameron–Martin norm's argument")
    coefficients = _coefficients(f)
    found = spectrum(measure, f.on.domain)
    if isinstance(found, Unknown):
        raise ValueError(
            f"The Cameron–Martin norm is not known. {found.reason} "
            "Take the image of white noise under one spectral operator."
        )
    eigenvalues = eigenbasis(f.on.domain).eigenvalues(coefficients.shape[len(f.batch) + 1 :])
    factors = found[0](eigenvalues).to(coefficients)
    silent = coefficients.abs() <= ROUNDING * _size(f, coefficients)
    terms = torch.where(silent & (factors == 0.0), 0.0, (coefficients / factors).square())
    return terms.flatten(len(f.batch)).sum(-1).sqrt()


@final
@dataclass(frozen=True)
class _Tail:
    """A multiplier, the intensity in it, with its asymptote."""

    multiplier: Multiplier
    asymptote: Asymptote | None

    def vanishes(self, eigenvalues: Float[Tensor, "*modes"]) -> Bool[Tensor, "*modes"]:
        """Return where the multiplier is exactly zero, not only too small a number to be held."""
        tail = self.asymptote
        held = UNDERFLOW / tail.rate if tail is not None and tail.rate > 0.0 else math.inf
        zero = self.multiplier(eigenvalues) == 0.0
        if tail is not None and tail.coefficient == 0.0:
            return zero
        return zero & (eigenvalues <= held)

    def __str__(self) -> str:
        tail = self.asymptote
        if tail is None:
            return "is not known at high frequencies"
        if tail.coefficient == 0.0:
            return "is zero at high frequencies"
        if tail.order == (0.0, 0.0):
            return f"tends to {abs(tail.coefficient):.6g}"
        power = f" λ^{-tail.power:.6g}" if tail.power else ""
        exponential = f" exp(-{tail.rate:.6g} λ)" if tail.rate else ""
        return f"falls like {abs(tail.coefficient):.6g}{power}{exponential}"


def _compare(first: _Tail, second: _Tail, domain: Domain) -> Equivalence:
    a, b = first.asymptote, second.asymptote
    if domain.dim > 0 and (a is None or b is None):
        return Unknown(
            "The behaviour of an operator at high frequencies is not known: its multiplier has no "
            "asymptote."
        )
    eigenvalues = _lowest(domain)
    differ = first.vanishes(eigenvalues) != second.vanishes(eigenvalues)
    if bool(differ.any()):
        at = eigenvalues[differ].min().item()
        return Singular(f"At λ = {at:.6g} one multiplier is zero, and the other is not.")
    if a is None or b is None or domain.dim == 0:
        return Equivalent("The domain is a point.")
    if a.coefficient == 0.0 and b.coefficient == 0.0:
        return Equivalent("Both multipliers are zero at high frequencies, and at the same ones.")
    pairs = [(a.rate, b.rate), (a.power, b.power), (abs(a.coefficient), abs(b.coefficient))]
    if not all(math.isclose(x, y, rel_tol=SAME) for x, y in pairs):
        return Singular(f"One multiplier {first}, the other {second}.")
    remainder = min(a.remainder, b.remainder)
    if remainder == math.inf:
        return Equivalent("The variances agree to every power of λ.")
    agree = f"The variances agree to O(λ^{-remainder:.4g})"
    if 4.0 * remainder > domain.dim:
        return Equivalent(f"{agree}, and Σ λ^{-2.0 * remainder:.4g} converges in d = {domain.dim}.")
    return Unknown(f"{agree}, but Σ λ^{-2.0 * remainder:.4g} diverges in d = {domain.dim}.")


def _compare_means(
    mean: Function | None, other: Function | None, tail: _Tail, covariances: Equivalent
) -> Equivalence:
    """The verdict on measures with equivalent covariances."""
    given = [m for m in (mean, other) if m is not None]
    on = given[0].on
    if not isinstance(on, Grid) or given[-1].on != on:
        return Unknown(
            "The means are not both on one grid. Interpolate them to one; on other points a mean "
            "does not determine a function."
        )
    shift = given[0] - given[1] if len(given) == 2 else given[0]
    coefficients = _coefficients(shift)
    size = torch.stack([_size(m, coefficients) for m in given]).amax(0)
    eigenvalues = eigenbasis(on.domain).eigenvalues(on.shape)
    lost = (coefficients.abs() > ROUNDING * size) & tail.vanishes(eigenvalues).to(size.device)
    samples = lost.flatten(len(shift.batch)).any(-1)
    if not bool(samples.any()):
        return Equivalent(
            f"{covariances.reason} The means differ in finitely many modes, which vary."
        )
    if bool(samples.all()):
        return Singular("The means differ in a mode that does not vary.")
    return Unknown("Some samples' means differ in a mode that does not vary; ask for one sample.")


def _lowest(domain: Domain) -> Float[Tensor, "modes"]:
    basis = eigenbasis(domain)
    if domain.dim == 0:
        return basis.eigenvalues(()).reshape(1)
    wave = math.pi * (MODES / math.prod(domain.lengths)) ** (1.0 / domain.dim)
    counts = [max(1, min(count, MODES)) for count in basis.counts(wave)]
    return basis.eigenvalues(counts).flatten()


def _coefficients(f: Function) -> Float[Tensor, "*batch channels_shape"]:
    """The coefficients in L² of the band-limited interpolants of functions on a grid."""
    if not isinstance(f.on, Grid):
        raise ValueError(
            f"A function with all its modes is one on a Grid; got {type(f.on).__name__}. "
            "Interpolate it to a grid first."
        )
    grid, basis = f.on, eigenbasis(f.on.domain)
    discrete = grid_coefficients(f)
    return discrete / basis.fold(torch.ones(grid.shape).to(discrete), grid.shape)


def _size(f: Function, coefficients: Tensor) -> Tensor:
    """The norm of each sample of a function, shaped so that it broadcasts with coefficients."""
    norm = f.norm().to(coefficients)
    return norm.reshape((*norm.shape, *(1,) * (coefficients.ndim - norm.ndim)))
