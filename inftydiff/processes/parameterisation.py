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

from inftydiff._components import component, declare
from inftydiff._typing import floating
from inftydiff.operators.function import Function
from inftydiff.operators.linear import LinearOperator
from inftydiff.processes._checks import a_function, an_operator
from inftydiff.processes.spectra import scale_modes

__all__ = [
    "CleanPrediction",
    "NoisePrediction",
    "Parameterisation",
    "Prediction",
    "SignalPrediction",
    "VelocityPrediction",
    "noise_from_signal",
]


ANSWER = "Give a denoiser, which is called with (x_t, t) and gives Prediction(signal, noise)."
"""The advice about an answer that is none."""


@final
@dataclass(frozen=True, eq=False)
class Prediction:
    r"""A denoiser's estimates for a state.

    Args:
        signal: the estimate of :math:`S x_0`.
        noise: the estimate of :math:`N\xi`.
        clean: the estimate of :math:`x_0` where the network gives it, else None.
    """

    signal: Function
    noise: Function
    clean: Function | None = None

    def __post_init__(self) -> None:
        a_function(self.signal, "The signal of a prediction")
        a_function(self.noise, "The noise of a prediction")
        if self.clean is not None:
            a_function(self.clean, "The clean estimate of a prediction, unless None,")


def noise_from_signal(
    x_t: Function,
    signal: Function,
    *,
    alpha: Float[Tensor, "*batch_modes"],
    sigma: Float[Tensor, "*batch_modes"],
) -> Function:
    r"""Return the noise of states that have a given signal, :math:`(x_t - \alpha\,signal)/\sigma`.

    At :math:`\sigma = 0` a state says nothing of its noise, and the values are not finite.

    Args:
        x_t: the states, values of shape ``(batch, points, channels)``.
        signal: the signal, or what else ``alpha`` multiplies, shaped like the states.
        alpha: its amplitudes, of shape ``(batch,)``, or mode by mode ``(batch, *modes)``.
        sigma: the amplitudes of the noise, shaped likewise.
    """
    return scale_modes(x_t - scale_modes(signal, alpha), 1.0 / sigma)


class Parameterisation(ABC):
    """The function that a network predicts: its target in training, and how its output is read."""

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


declare("parameterisation", Parameterisation)


@component("parameterisation", "noise")
@final
@dataclass(frozen=True)
class NoisePrediction(Parameterisation):
    r"""The network predicts :math:`N\xi`; the signal is :math:`(x_t - \sigma N\xi)/\alpha`."""

    def target(
        self, *, signal: Function, noise: Function, clean: Function, alpha: Tensor, sigma: Tensor
    ) -> Function:
        _check_target(signal, noise, clean, alpha, sigma)
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
        _check_read(output, x_t, alpha, sigma)
        return Prediction((x_t - output * sigma) * (1.0 / alpha), output)


@component("parameterisation", "signal")
@final
@dataclass(frozen=True)
class SignalPrediction(Parameterisation):
    r"""The network predicts :math:`S x_0`; the noise is :math:`(x_t - \alpha S x_0)/\sigma`."""

    def target(
        self, *, signal: Function, noise: Function, clean: Function, alpha: Tensor, sigma: Tensor
    ) -> Function:
        _check_target(signal, noise, clean, alpha, sigma)
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
        _check_read(output, x_t, alpha, sigma)
        return Prediction(output, noise_from_signal(x_t, output, alpha=alpha, sigma=sigma))


@component("parameterisation", "clean")
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
        _check_target(signal, noise, clean, alpha, sigma)
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
        _check_read(output, x_t, alpha, sigma)
        an_operator(signal_operator, "The signal operator")
        signal = signal_operator(output)
        noise = noise_from_signal(x_t, signal, alpha=alpha, sigma=sigma)
        return Prediction(signal, noise, output)


@component("parameterisation", "velocity")
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
        _check_target(signal, noise, clean, alpha, sigma)
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
        _check_read(output, x_t, alpha, sigma)
        power = alpha**2 + sigma**2
        signal = x_t * (alpha / power) - output * (sigma / power)
        noise = x_t * (sigma / power) + output * (alpha / power)
        return Prediction(signal, noise)


def _check_target(signal: Function, noise: Function, clean: Function, *numbers: Tensor) -> None:
    """Refuse what is no function, and amplitudes that are no tensors."""
    for f, name in ((signal, "signal"), (noise, "noise"), (clean, "clean")):
        a_function(f, f"The {name} of a target")
    _check_amplitudes(*numbers)


def _check_read(output: Function, x_t: Function, *numbers: Tensor) -> None:
    """Refuse what is no function, or not shaped like the states, and amplitudes that are none."""
    a_function(output, "What a network gives")
    a_function(x_t, "The states, x_t,")
    if output.values.shape != x_t.values.shape:
        raise ValueError(
            "What a network gives must have the shape of the states, "
            f"{tuple(x_t.values.shape)}; got {tuple(output.values.shape)}."
        )
    _check_amplitudes(*numbers)


def _check_amplitudes(alpha: Tensor, sigma: Tensor) -> None:
    """Refuse amplitudes that are no tensors, or of two shapes."""
    for amplitude in (alpha, sigma):
        floating(amplitude, "An amplitude")
    if alpha.shape != sigma.shape:
        raise ValueError(
            "The amplitudes alpha and sigma must have one shape; got "
            f"{tuple(alpha.shape)} and {tuple(sigma.shape)}."
        )
