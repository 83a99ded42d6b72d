r"""The Gaussian mollifier, whole and truncated.

The mollifier is the heat semigroup :math:`T_s = \exp(\tfrac12 s^2\Delta)`: convolution with a
Gaussian of standard deviation :math:`s`, reflected at the sides. It is self-adjoint and positive,
keeps constants, and :math:`T_s T_r = T_{\sqrt{s^2 + r^2}}`. Sampling ends with
:math:`T x_0`; a Wiener filter recovers :math:`x_0` as far as the spectrum allows
(:mod:`~inftydiff.operators.wiener`). The kernel cut off at a radius is the same to a few parts in
ten thousand, but not positive (:mod:`~inftydiff.operators._truncated`).

References:
    Bond-Taylor and Willcocks, "∞-Diff", ICLR 2024, section 3.2.
"""

from dataclasses import replace

from inftydiff._typing import Real, length
from inftydiff.operators._truncated import TruncatedGaussianMultiplier, edge_cutoff
from inftydiff.operators.multiplier import HeatMultiplier
from inftydiff.operators.spectral import SpectralOperator

__all__ = ["gaussian_mollifier", "truncated_gaussian_mollifier"]


def gaussian_mollifier(width: Real) -> SpectralOperator:
    r"""The heat semigroup :math:`T_s`, with the multiplier :math:`e^{-s^2\lambda/2}`.

    Args:
        width: the standard deviation :math:`s` of the kernel, in the domain's units (``1/64`` is
            one cell of a 64² grid on the unit box).

    Raises:
        ValueError: if the width is not a finite number above zero.

    Example:
        >>> from inftydiff import Function, Grid
        >>> f = Function(Grid((16,)), Grid((16,)).points)
        >>> g = gaussian_mollifier(0.1)(f)
        >>> bool(g.norm() < f.norm()), round(g.integral().item(), 6)
        (True, 0.5)
    """
    return SpectralOperator(HeatMultiplier(width))


def truncated_gaussian_mollifier(
    width: Real, *, dim: int, radius: Real | None = None, cutoff: Real | None = None
) -> SpectralOperator:
    r"""Convolution with a Gaussian kernel that is zero beyond a radius, of mass one.

    It keeps constants and is self-adjoint, but not positive: above the wave number :math:`4/s` or
    so its multiplier oscillates about zero. The regularised inverse
    :math:`G/(G^2 + \rho^2)` turns signs with it and recovers nothing where it vanishes, and
    dividing by it (whitening) is not possible.

    Args:
        width: the standard deviation :math:`s` of the Gaussian before it is cut off, in the
            domain's units.
        dim: the dimension of the domain, 1, 2 or 3.
        radius: where the kernel ends, in the domain's units; by default four widths.
        cutoff: the wave number above which the multiplier is zero; by default one beyond the
            Gaussian that leaves out less than a thousandth of the variance of filtered noise.
            ``math.inf`` keeps all oscillations, and a field then has the modes of the grid.

    Raises:
        ValueError: if a number is not above zero, or the dimension is not 1, 2 or 3.

    Example:
        >>> import torch
        >>> T = truncated_gaussian_mollifier(0.1, dim=2)
        >>> T.multiplier(torch.tensor([0.0, 100.0, 2100.0], dtype=torch.float64))
        tensor([ 1.0000e+00,  6.0686e-01, -9.6861e-06], dtype=torch.float64)
    """
    width = length(width, "The width of a Gaussian mollifier")
    radius = length(4.0 * width if radius is None else radius, "The radius of a mollifier")
    multiplier = TruncatedGaussianMultiplier(width, radius, dim=dim)
    wave = edge_cutoff(width, radius, dim) if cutoff is None else cutoff
    return SpectralOperator(replace(multiplier, cutoff=wave))
