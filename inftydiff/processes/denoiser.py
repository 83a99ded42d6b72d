r"""Denoisers: callables :math:`(x_t, t) \mapsto` estimates of :math:`S x_0` and :math:`N\xi`.

A denoiser knows the process whose states it is asked about, so that nothing which takes a denoiser
takes a process beside it. Samplers know denoisers only. A network becomes one by
:func:`as_denoiser`, a plain function by :class:`CallableDenoiser`; clipping, guidance and
conditioning wrap a denoiser in another, of the same process.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from inftydiff._typing import Real, instance, kind_of
from inftydiff.operators.function import Function, require_same
from inftydiff.processes._checks import a_model, bounds, states
from inftydiff.processes.diffusion import DiffusionProcess, check_process
from inftydiff.processes.parameterisation import (
    ANSWER,
    Parameterisation,
    Prediction,
    noise_from_signal,
)
from inftydiff.processes.schedule import check_times

__all__ = [
    "LOOK",
    "CallableDenoiser",
    "Denoiser",
    "NetworkDenoiser",
    "as_denoiser",
    "asked",
    "check_answer",
    "check_denoiser",
    "check_shape",
]

LOOK = "Look at the network: its weights, what it is given, and the precision that it computes in."
"""The advice about a denoiser whose answer is not finite."""


@runtime_checkable
class Denoiser(Protocol):
    """An estimator of the signal and the noise of the states of one process."""

    @property
    def process(self) -> DiffusionProcess:
        """The process whose states it is asked about."""

    def __call__(self, x_t: Function, t: Float[Tensor, "batch"], /) -> Prediction:
        """The estimates, on the points of states ``x_t`` at times ``t`` of shape ``(batch,)``."""


def check_denoiser(denoiser: Denoiser) -> Denoiser:
    """Return ``denoiser``, refusing what cannot be called, or has no process.

    Raises:
        TypeError: if it is no object with a process that is called with ``(x_t, t)``.
    """
    good = isinstance(denoiser, Denoiser) and not isinstance(denoiser, type)
    if not good or not isinstance(denoiser.process, DiffusionProcess):
        raise TypeError(
            "A denoiser has a process: make one by as_denoiser(process, model, predict=…), or "
            f"CallableDenoiser(process, f); got {kind_of(denoiser)}."
        )
    return denoiser


def asked(denoiser: Denoiser, x_t: Function, t: Float[Tensor, "batch"]) -> Prediction:
    """Ask a denoiser about states, refusing an answer of another kind, or about other points.

    Args:
        denoiser: the denoiser.
        x_t: the states, values of shape ``(batch, points, channels)``.
        t: their times, of shape ``(batch,)``.

    Raises:
        TypeError: if the answer is no ``Prediction``.
        ValueError: if its signal or its noise are not on the points of the states, or have values
            of another shape.
    """
    answer = instance(denoiser(x_t, t), Prediction, "What a denoiser says", ANSWER)
    for f in (answer.signal, answer.noise):
        require_same(x_t, f)
        if f.values.shape != x_t.values.shape:
            raise ValueError(
                "What a denoiser says has values of the shape of the states, "
                f"{tuple(x_t.values.shape)}; got {tuple(f.values.shape)}."
            )
    return answer


def check_shape(x_t: Function, answer: Function) -> Function:
    """Return what a network answers, refusing other points or channels than those of the states.

    Args:
        x_t: the states that it was asked about.
        answer: its answer.

    Raises:
        TypeError: if it is no function.
        ValueError: if it lives on other points, or has values of another shape.
    """
    require_same(x_t, instance(answer, Function, "What a network answers", "Return a Function."))
    if answer.values.shape != x_t.values.shape:
        raise ValueError(
            "A network must answer with values of the shape of the states, "
            f"{tuple(x_t.values.shape)}; got {tuple(answer.values.shape)}. Give it as many "
            "channels out as in."
        )
    return answer


@final
@dataclass(frozen=True, eq=False)
class CallableDenoiser:
    """A function as a denoiser of a process.

    Args:
        process: the process whose states the function is asked about.
        function: takes states and their times, of shape ``(batch,)``; gives a ``Prediction`` on the
            points of the states.

    Raises:
        TypeError: if the process is none, or the function cannot be called.

    Example:
        >>> import torch
        >>> from inftydiff import CosineSchedule, Grid
        >>> process = DiffusionProcess.white(CosineSchedule())
        >>> still = CallableDenoiser(process, lambda x_t, t: Prediction(x_t * 0.0, x_t))
        >>> still(Function(Grid((2,)), torch.ones(1, 2, 1)), torch.ones(1)).noise.values.flatten()
        tensor([1., 1.])
    """

    process: DiffusionProcess
    function: Callable[[Function, Tensor], Prediction]

    def __post_init__(self) -> None:
        check_process(self.process)
        a_model(self.function, "The function of a denoiser", "Pass a function of (x_t, t).")

    def __call__(self, x_t: Function, t: Float[Tensor, "batch"]) -> Prediction:
        """Return what the function says of states ``x_t`` at times ``t`` of shape ``(batch,)``."""
        return self.function(x_t, t)


@final
@dataclass(frozen=True, eq=False)
class NetworkDenoiser:
    """A network read as a denoiser; made by :func:`as_denoiser`.

    Args:
        process: the process that the network was trained for.
        model: the network, a callable ``(x_t, t) -> Function``.
        predict: what the network predicts.
        clip: bounds that the signal, and a network's own estimate of :math:`x_0`, are clamped to;
            or None.
    """

    process: DiffusionProcess
    model: Callable[[Function, Tensor], Function]
    predict: Parameterisation
    clip: tuple[Real, Real] | None = None

    def __post_init__(self) -> None:
        check_process(self.process)
        a_model(self.model, "A model", "Pass a network, or a function of (x_t, t).")
        instance(self.predict, Parameterisation, "predict", "Pass NoisePrediction(), say.")
        if self.clip is not None:
            object.__setattr__(self, "clip", bounds(self.clip))

    def __call__(self, x_t: Function, t: Float[Tensor, "batch"]) -> Prediction:
        """Estimate signal and noise of states.

        Args:
            x_t: the states, values of shape ``(batch, points, channels)``.
            t: their times in (0, 1], of shape ``(batch,)``.

        Raises:
            ValueError: if a time is outside [0, 1], or the network answers on other points.
        """
        states(x_t, "The states, x_t,")
        check_times(t)
        alpha, sigma = (
            a(t.double()) for a in (self.process.schedule.alpha, self.process.schedule.sigma)
        )
        output = self.model(x_t, t.to(x_t.values))
        check_shape(x_t, output)
        prediction = self.predict.read(
            output, x_t, alpha=alpha, sigma=sigma, signal_operator=self.process.signal_at(t)
        )
        if self.clip is None:
            return prediction
        signal = Function(x_t.on, prediction.signal.values.clamp(*self.clip))
        noise = noise_from_signal(x_t, signal, alpha=alpha, sigma=sigma)
        clean = prediction.clean
        if clean is not None:
            clean = Function(clean.on, clean.values.clamp(*self.clip))
        return Prediction(signal, noise, clean)


def as_denoiser(
    process: DiffusionProcess,
    model: Callable[[Function, Tensor], Function],
    *,
    predict: Parameterisation,
    clip: tuple[Real, Real] | None = None,
) -> NetworkDenoiser:
    r"""Read a network's output as estimates of signal and noise.

    Args:
        process: the process that the network was trained for.
        model: the network, a callable ``(x_t, t) -> Function`` on the points of ``x_t``.
        predict: what the network predicts.
        clip: bounds for the signal. It is clamped to them and the noise re-derived,
            :math:`(x_t - \alpha\,\mathrm{signal})/\sigma`. At :math:`t = 1` an error of the noise
            reaches the signal :math:`2·10^4` times enlarged, so noise prediction needs it. A
            network's own estimate of :math:`x_0` is clamped, too.

    Returns:
        The denoiser, for samplers and for ``denoising_loss``.

    Raises:
        TypeError: if an argument is of another kind.
        ValueError: if the bounds are not in order.
    """
    return NetworkDenoiser(process, model, predict, clip)


def check_answer(answer: Function, t: Float[Tensor, "*batch"], name: str) -> None:
    """Refuse what a denoiser says if it is not finite.

    Args:
        answer: a part of its prediction, values of shape ``(batch, points, channels)``.
        t: the times it was asked at.
        name: which part it is, the subject of the error's sentence.

    Raises:
        ValueError: if a value is NaN or infinite; the message tells the time.
    """
    if bool(answer.values.sum().isfinite()):
        return
    bad, of = int((~answer.values.isfinite()).sum()), answer.values.numel()
    if bad:
        raise ValueError(
            f"{name} must be finite; got {bad} NaN or infinite of {of} values at "
            f"t = {t.max().item():.4g}. {LOOK}"
        )
