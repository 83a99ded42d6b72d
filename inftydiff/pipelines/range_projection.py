r"""Keeping estimates of a mollified signal within what the mollifier can give.

A network's estimate of :math:`S x_0` has errors at frequencies where :math:`S` leaves nothing, and
the Wiener filter that undoes :math:`S` amplifies them. With the multiplier :math:`G` of :math:`S`
the projection multiplies by

.. math:: \Bigl(1 + \frac{\rho^2}{G(0)^2}\Bigr)\,\frac{G^2}{G^2 + \rho^2},

one for constants (a mollifier has :math:`G(0) = 1`), close to it where :math:`G > \rho`, and close
to zero where :math:`G < \rho`. The noise follows from the state,
:math:`(x_t - \alpha\,\widehat{S x_0})/\sigma`.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._typing import positive
from inftydiff.operators import Function, wiener_inverse
from inftydiff.processes import CallableDenoiser, Denoiser, Prediction
from inftydiff.processes.denoiser import (
    asked,
    check_denoiser,
)
from inftydiff.processes.parameterisation import noise_from_signal
from inftydiff.processes.spectra import (
    multiplier_of,
)

__all__ = ["range_projection"]

LARGEST_FLOOR = 1e6
"""The largest floor of a projection, which then does nothing."""


def range_projection(denoiser: Denoiser, *, floor: float = 0.1) -> CallableDenoiser:
    r"""Wrap a denoiser so that its signal stays in the regularised range of :math:`S`.

    Args:
        denoiser: the denoiser to wrap; the signal operator of its process is spectral.
        floor: the amplitude :math:`\rho` of :math:`G` at which half of a frequency is kept.

    Returns:
        A denoiser of states on full grids.

    Raises:
        TypeError: if the process does not mollify its data.
        ValueError: if the floor is not a finite number above zero, or the process takes constants
            to zero.
    """
    process = check_denoiser(denoiser).process
    operator = process.constant_signal
    inverse = wiener_inverse(operator, noise_to_signal=positive(floor, "floor", most=LARGEST_FLOOR))
    kept = multiplier_of(operator)(torch.zeros((), dtype=torch.float64))
    if kept.ndim or float(kept) == 0.0:
        raise ValueError(
            "Signals are kept in the range of one operator that keeps something of constants; got "
            f"the factors {kept.tolist()}."
        )
    projection = (inverse @ operator) * (1.0 + (floor / float(kept)) ** 2)

    def projected(x_t: Function, t: Float[Tensor, "batch"]) -> Prediction:
        prediction = asked(denoiser, x_t, t)
        alpha, sigma = process.schedule.alpha(t.double()), process.schedule.sigma(t.double())
        signal = projection(prediction.signal)
        noise = noise_from_signal(x_t, signal, alpha=alpha, sigma=sigma)
        return Prediction(signal, noise, prediction.clean)

    return CallableDenoiser(process, projected)
