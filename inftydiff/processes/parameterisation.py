r"""Parameterisations: which function of :math:`(S x_0, N\xi)` a network predicts.

From :math:`x_t = \alpha S x_0 + \sigma N\xi` and any one of these the others follow:

=====================  ==========================================
noise                  :math:`N\xi` (the paper's choice, eq. 14)
signal                 :math:`S x_0`
clean                  :math:`x_0` (eq. 36)
velocity               :math:`v = \alpha N\xi - \sigma S x_0`
=====================  ==========================================
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

from jaxtyping import Float
from torch import Tensor

from inftydiff.operators.function import Function
from inftydiff.operators.linear import LinearOperator

__all__ = [
    "CleanPrediction",
    "NoisePrediction",
    "Parameterisation",
    "Prediction",
    "SignalPrediction",
    "VelocityPrediction",
]


@final
@dataclass(frozen=True, eq=False)
class Prediction:
    r"""What a denoiser says of a state.

    Args:
        signal: the estimate of :math:`S x_0`.
        noise: the estimate of :math:`N\xi`.
        clean: the estimate of :math:`x_0` where the network gives it, else None.
    """

    signal: Function
    noise: Function
    clean: Function | None = None


class Parameterisation(ABC):
    """What a network predicts: its target in training, and how its output is read."""

    @abstractmethod
    def target(
        self,
        *,
        signal: Function,
        noise: Function,
        clean: Function,
        alpha: Float[Tensor, "batch"],
        sigma: Float[Tensor, "batch"],
    ) -> Function:
        """The function that the network is trained to give."""

    @abstractmethod
    def read(
        self,
        output: Function,
        x_t: Function,
        *,
        alpha: Float[Tensor, "batch"],
        sigma: Float[Tensor, "batch"],
        signal_operator: LinearOperator,
    ) -> Prediction:
        """Signal and noise from the network's output and the state it was given."""


@final
@dataclass(frozen=True)
class NoisePrediction(Parameterisation):
    r"""The network predicts :math:`N\xi`; the signal is :math:`(x_t - \sigma N\xi)/\alpha`."""

    def target(
        self, *, signal: Function, noise: Function, clean: Function, alpha: Tensor, sigma: Tensor
    ) -> Function:
        return noise

    def read(
        self,
        output: Function,
        x_t: Function,
        *,
        alpha: Tensor,
        sigma: Tensor,
        signal_operator: LinearOperator,
    ) -> Prediction:
        return Prediction((x_t - output * sigma) * (1.0 / alpha), output)


@final
@dataclass(frozen=True)
class SignalPrediction(Parameterisation):
    r"""The network predicts :math:`S x_0`; the noise is :math:`(x_t - \alpha S x_0)/\sigma`."""

    def target(
        self, *, signal: Function, noise: Function, clean: Function, alpha: Tensor, sigma: Tensor
    ) -> Function:
        return signal

    def read(
        self,
        output: Function,
        x_t: Function,
        *,
        alpha: Tensor,
        sigma: Tensor,
        signal_operator: LinearOperator,
    ) -> Prediction:
        return Prediction(output, (x_t - output * alpha) * (1.0 / sigma))


@final
@dataclass(frozen=True)
class CleanPrediction(Parameterisation):
    r"""The network predicts :math:`x_0`; the signal is :math:`S` of it, eq. (36).

    Where :math:`S` is not the identity the output must live on a full grid, since :math:`S` acts
    before a restriction.
    """

    def target(
        self, *, signal: Function, noise: Function, clean: Function, alpha: Tensor, sigma: Tensor
    ) -> Function:
        return clean

    def read(
        self,
        output: Function,
        x_t: Function,
        *,
        alpha: Tensor,
        sigma: Tensor,
        signal_operator: LinearOperator,
    ) -> Prediction:
        signal = signal_operator(output)
        return Prediction(signal, (x_t - signal * alpha) * (1.0 / sigma), output)


@final
@dataclass(frozen=True)
class VelocityPrediction(Parameterisation):
    r"""The network predicts :math:`v = \alpha N\xi - \sigma S x_0`.

    Then :math:`S x_0 = (\alpha x_t - \sigma v)/(\alpha^2+\sigma^2)` and
    :math:`N\xi = (\sigma x_t + \alpha v)/(\alpha^2+\sigma^2)`: no division by a small amplitude.

    References:
        Salimans and Ho, "Progressive distillation for fast sampling of diffusion models", ICLR
        2022.
    """

    def target(
        self, *, signal: Function, noise: Function, clean: Function, alpha: Tensor, sigma: Tensor
    ) -> Function:
        return noise * alpha - signal * sigma

    def read(
        self,
        output: Function,
        x_t: Function,
        *,
        alpha: Tensor,
        sigma: Tensor,
        signal_operator: LinearOperator,
    ) -> Prediction:
        power = alpha**2 + sigma**2
        signal = x_t * (alpha / power) - output * (sigma / power)
        noise = x_t * (sigma / power) + output * (alpha / power)
        return Prediction(signal, noise)
