r"""Signal operators that depend on time: blurring diffusion.

In :math:`x_t = \alpha(t) S_t x_0 + \sigma(t) N\xi` the operator :math:`S_t` may change with time if
it is spectral, :math:`S_t = m_t(-\Delta)` with :math:`0 < m_t ≤ m_s` for :math:`s < t`. Then mode
by mode :math:`\alpha_{t|s} = \alpha_t m_t / (\alpha_s m_s)` and :math:`\sigma_{t|s}^2 = \sigma_t^2
- \alpha_{t|s}^2\sigma_s^2 ≥ 0`, so that transitions and posteriors exist as they do for a constant
:math:`S`.

*Inverse heat dissipation* (Rissanen et al., ICLR 2023) is not of this form. Its noise level does
not depend on time, so :math:`\sigma(0) ≠ 0` and the process does not begin at the data; constants
are eigenfunctions that the heat equation keeps, so the signal-to-noise ratio of the mean never
falls and the last state is a blurred training image plus noise, not noise; and the noise of its
reverse steps is a parameter of its own instead of the posterior's.

References:
    Hoogeboom and Salimans, "Blurring diffusion models", ICLR 2023.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._components import component, declare
from inftydiff._typing import Real, floating, length, number
from inftydiff.operators.multiplier import Multiplier
from inftydiff.operators.spectral import SpectralOperator
from inftydiff.processes.spectra import ComputedMultiplier

__all__ = ["Blurring", "TimeDependentSignal"]


class TimeDependentSignal(ABC):
    """One spectral operator for each time: the identity at zero, and no factor ever grows."""

    @abstractmethod
    def multiplier(self, t: Float[Tensor, "batch"]) -> Multiplier:
        """The multipliers at some times, whose factors have the shape ``(batch, *modes)``."""

    @final
    def __call__(self, t: Float[Tensor, "batch"]) -> SpectralOperator:
        """The operators at some times, one a sample.

        Args:
            t: times in [0, 1], of shape ``(batch,)``.
        """
        return SpectralOperator(self.multiplier(floating(t, "Times")))

    @final
    def log_derivative(
        self, t: Float[Tensor, "batch"], eigenvalues: Float[Tensor, "*modes"]
    ) -> Float[Tensor, "batch *modes"]:
        r"""The rate :math:`\dot m_t/m_t` at which the modes fade, by automatic differentiation.

        Args:
            t: times in [0, 1], of shape ``(batch,)``.
            eigenvalues: of any shape.

        Returns:
            One number a sample and a mode, none above zero, float64.
        """
        floating(t, "Times")
        floating(eigenvalues, "Eigenvalues")
        with torch.inference_mode(False), torch.enable_grad():
            time = t.detach().double().clone().requires_grad_()
            logarithm = self.multiplier(time)(eigenvalues.clone()).log()
            # the derivative of each number by its own time: that of the pullback, which is linear
            weights = torch.ones_like(logarithm, requires_grad=True)
            (pulled,) = torch.autograd.grad(logarithm, time, weights, create_graph=True)
            (rate,) = torch.autograd.grad(pulled.sum(), weights)
        return rate


declare("time_dependent_signal", TimeDependentSignal)


@component("time_dependent_signal", "blurring")
@final
@dataclass(frozen=True)
class Blurring(TimeDependentSignal):
    r"""The heat semigroup run to a time that grows with :math:`t`, above a floor.

    .. math:: S_t = d + (1 - d)\exp\left(\tfrac12 w_t^2\Delta\right), \qquad
              w_t = w\,\sin^2(\pi t/2).

    Args:
        width: the standard deviation :math:`w` of the blur at :math:`t = 1`, in the domain's units.
        floor: the part :math:`d \in (0, 1)` of each mode that is never blurred, so that
            :math:`S_t` can be inverted.

    Raises:
        ValueError: if the width is not a finite number above zero, or the floor is outside (0, 1).

    Example:
        >>> import torch
        >>> family = Blurring(width=0.2)
        >>> factors = family.multiplier(torch.tensor([0.0, 1.0]))(torch.tensor([0.0, 900.0]))
        >>> factors.tolist()
        [[1.0, 1.0], [1.0, 0.0010...]]

    References:
        Hoogeboom and Salimans, "Blurring diffusion models", ICLR 2023, section 3.
    """

    width: Real
    floor: Real = 1e-3

    def __post_init__(self) -> None:
        object.__setattr__(self, "width", length(self.width, "The width of a blur"))
        object.__setattr__(self, "floor", number(self.floor, "The floor of a blur"))
        if not 0.0 < self.floor < 1.0:
            raise ValueError(f"The floor of a blur lies between 0 and 1; got {self.floor}.")

    def multiplier(self, t: Float[Tensor, "batch"]) -> ComputedMultiplier:
        floating(t, "Times")
        widths = self.width * (0.5 * math.pi * t.double()).sin().square()

        def factors(eigenvalues: Tensor) -> Tensor:
            one_each = widths.to(eigenvalues).reshape(-1, *(1,) * eigenvalues.ndim)
            heat = (-0.5 * one_each**2 * eigenvalues).exp()
            return self.floor + (1.0 - self.floor) * heat

        return ComputedMultiplier(factors, 1.0)
