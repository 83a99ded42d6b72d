r"""The Gaussian mollifier and its regularised inverse.

The mollifier is the heat semigroup :math:`T_s = \exp(\tfrac12 s^2\Delta)`: convolution with a
Gaussian of standard deviation :math:`s`, reflected at the sides. It is self-adjoint and positive,
keeps constants, and :math:`T_s T_r = T_{\sqrt{s^2 + r^2}}`. Sampling ends with :math:`T x_0`; a
Wiener filter recovers :math:`x_0` as far as the spectrum allows.

References:
    Bond-Taylor and Willcocks, "∞-Diff", ICLR 2024, section 3.2.
"""

from inftydiff._typing import Real
from inftydiff.operators.linear import LinearOperator
from inftydiff.operators.multiplier import HeatMultiplier, WienerMultiplier
from inftydiff.operators.spectral import SpectralOperator

__all__ = ["gaussian_mollifier", "wiener_inverse"]


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


def wiener_inverse(mollifier: LinearOperator, *, noise_to_signal: Real = 0.05) -> SpectralOperator:
    r"""The Wiener filter :math:`G/(G^2 + \rho^2)` for a mollifier with the multiplier :math:`G`.

    It is not renormalised: the mean is multiplied by :math:`1/(1+\rho^2)`.

    Args:
        mollifier: a spectral operator, the one to be undone.
        noise_to_signal: the amplitude ratio :math:`\rho`; the paper's code uses 0.05. Larger values
            amplify less of what the network gets wrong, and restore less detail.

    Raises:
        TypeError: if the mollifier is not a spectral operator.
        ValueError: if the ratio is not a finite number above zero.

    Example:
        >>> T = gaussian_mollifier(1 / 64)
        >>> wiener_inverse(T).multiplier.noise_to_signal
        0.05
    """
    if not isinstance(mollifier, SpectralOperator):
        raise TypeError(
            "A Wiener filter inverts a spectral operator, such as gaussian_mollifier(width); got "
            f"{type(mollifier).__name__}."
        )
    return SpectralOperator(WienerMultiplier(mollifier.multiplier, noise_to_signal))
