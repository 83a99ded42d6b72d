r"""Samplers: step rules from :math:`t` to :math:`s < t`, and the loop that applies them.

A step rule is a frozen value with a method ``step``. It calls the denoiser once, at :math:`t`, and
never at the end time. With the denoiser's estimates of :math:`S x_0` and :math:`N\xi`,

.. math::
   \text{DDPM:}\quad x_s &= \tfrac{\alpha_{t|s}\sigma_s^2}{\sigma_t^2} x_t +
   \tfrac{\alpha_s\sigma_{t|s}^2}{\sigma_t^2} \widehat{S x_0} + \rho\, N\xi', \\
   \text{DDIM:}\quad x_s &= \alpha_s \widehat{S x_0} +
   \sqrt{\sigma_s^2 - \eta^2\tilde\beta}\ \widehat{N\xi} + \eta\sqrt{\tilde\beta}\, N\xi', \qquad
   \tilde\beta = \sigma_s^2\sigma_{t|s}^2/\sigma_t^2,

where :math:`\rho^2` is :math:`\tilde\beta` or :math:`\sigma_{t|s}^2`. Every injected noise is
:math:`N\xi'`, mollified as the process's own; with :math:`S = N = I` these are the usual samplers.

References:
    Ho, Jain and Abbeel, "Denoising diffusion probabilistic models", NeurIPS 2020. Song, Meng and
    Ermon, "Denoising diffusion implicit models", ICLR 2021.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol, final, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._typing import Real, check_finite, whole
from inftydiff.operators.discretisation import Discretisation
from inftydiff.operators.function import Function
from inftydiff.processes.denoiser import Denoiser
from inftydiff.processes.diffusion import DiffusionProcess, check_times
from inftydiff.processes.parameterisation import Prediction

__all__ = ["DDIM", "DDPM", "State", "StepRule", "sample", "steps", "trajectory"]


@runtime_checkable
class StepRule(Protocol):
    """What the loop asks of a step rule."""

    def step(
        self,
        process: DiffusionProcess,
        denoise: Denoiser,
        x_t: Function,
        t: Float[Tensor, "batch"],
        s: Float[Tensor, "batch"],
        *,
        generator: torch.Generator,
    ) -> Function:
        """The state at ``s`` from the state at ``t``."""


@final
@dataclass(frozen=True)
class DDPM:
    r"""Ancestral sampling, eqs. (12), (14) and (40).

    A draw from the posterior with the denoiser's signal in the place of :math:`S x_0`.

    Args:
        variance: ``"posterior"`` for the variance :math:`\tilde\beta` of the posterior, or
            ``"transition"`` for :math:`\sigma_{t|s}^2`, which is β_t for neighbouring times. No
            noise is added in a step to σ = 0.

    Raises:
        ValueError: if the variance is neither.
    """

    variance: Literal["posterior", "transition"] = "posterior"

    def __post_init__(self) -> None:
        if self.variance not in ("posterior", "transition"):
            raise ValueError(
                f"DDPM's variance is 'posterior' or 'transition'; got {self.variance!r}."
            )

    def step(
        self,
        process: DiffusionProcess,
        denoise: Denoiser,
        x_t: Function,
        t: Float[Tensor, "batch"],
        s: Float[Tensor, "batch"],
        *,
        generator: torch.Generator,
    ) -> Function:
        """The state at ``s`` from the state at ``t``."""
        numbers = process.posterior_coefficients(t, s)
        mean = x_t * numbers.state + denoise(x_t, t).signal * numbers.signal
        std = numbers.std
        if self.variance == "transition":
            last = process.schedule.sigma(s.double()) == 0.0
            std = process.transition_coefficients(s, t).std.masked_fill(last, 0.0)
        return mean + _fresh_noise(process, x_t, generator) * std


@final
@dataclass(frozen=True)
class DDIM:
    r"""The non-Markovian family of DDIM.

    Args:
        eta: :math:`\eta \in [0, 1]`: 0 is deterministic, 1 is DDPM with the posterior's variance.

    Raises:
        ValueError: if η is outside [0, 1].
    """

    eta: Real = 0.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.eta <= 1.0:
            raise ValueError(f"DDIM's eta lies in [0, 1]; got {self.eta}.")

    def step(
        self,
        process: DiffusionProcess,
        denoise: Denoiser,
        x_t: Function,
        t: Float[Tensor, "batch"],
        s: Float[Tensor, "batch"],
        *,
        generator: torch.Generator,
    ) -> Function:
        """The state at ``s`` from the state at ``t``."""
        injected = self.eta * process.posterior_coefficients(t, s).std
        alpha, sigma = process.schedule.alpha(s.double()), process.schedule.sigma(s.double())
        kept = (sigma**2 - injected**2).clamp(min=0.0).sqrt()
        prediction = denoise(x_t, t)
        x_s = prediction.signal * alpha + prediction.noise * kept
        if self.eta == 0.0:
            return x_s
        return x_s + _fresh_noise(process, x_t, generator) * injected


@final
@dataclass(frozen=True, eq=False)
class State:
    """One state of a trajectory.

    Args:
        t: its time.
        x: the state, values of shape ``(batch, points, channels)``.
        prediction: what the denoiser said of it (the first time, if it was asked more often), or
            None at the last state, of which it is not asked.
    """

    t: float
    x: Function
    prediction: Prediction | None


def steps(
    n: int,
    *,
    spacing: Literal["uniform"] = "uniform",
    start: Real = 1.0,
    end: Real = 0.0,
) -> Float[Tensor, "times"]:
    """The times of ``n`` steps, from ``start`` down to ``end``, of shape ``(n + 1,)``, float64.

    Args:
        n: the number of steps, which is the number of denoiser calls of DDPM and DDIM.
        spacing: ``"uniform"`` in time.
        start: the first time.
        end: the last time.

    Raises:
        ValueError: unless n ≥ 1 and 0 ≤ end < start ≤ 1, or if the spacing is unknown.

    Example:
        >>> steps(4).tolist()
        [1.0, 0.75, 0.5, 0.25, 0.0]
    """
    if spacing != "uniform":
        raise ValueError(f"Unknown spacing {spacing!r}; choose 'uniform'.")
    if not 0.0 <= end < start <= 1.0:
        raise ValueError(f"Times run down, 0 ≤ end < start ≤ 1; got start {start} and end {end}.")
    return torch.linspace(start, end, whole(n, "The number of steps") + 1, dtype=torch.float64)


def sample(
    rule: StepRule,
    process: DiffusionProcess,
    denoiser: Denoiser,
    *,
    on: Discretisation,
    times: Float[Tensor, "times"],
    batch: int,
    channels: int,
    generator: torch.Generator,
    start: Function | None = None,
) -> Function:
    r"""Draw samples: the last state of :func:`trajectory`, of which it takes the arguments.

    Returns:
        The state at the last time, an estimate of :math:`S x_0`, with values of shape
        ``(batch, points, channels)``.

    Raises:
        ValueError: as :func:`trajectory`, or if the samples are not finite.
    """
    states = trajectory(
        rule,
        process,
        denoiser,
        on=on,
        times=times,
        batch=batch,
        channels=channels,
        generator=generator,
        start=start,
    )
    for state in states:
        x = state.x
    check_finite(x.values, "Samples")
    return x


def trajectory(
    rule: StepRule,
    process: DiffusionProcess,
    denoiser: Denoiser,
    *,
    on: Discretisation,
    times: Float[Tensor, "times"],
    batch: int,
    channels: int,
    generator: torch.Generator,
    start: Function | None = None,
) -> Iterator[State]:
    r"""Yield every state of a sampling run, one more than there are steps.

    Nothing is differentiated; a denoiser that needs gradients enables them inside. Draws are keyed
    by sample, so the first four of a batch of eight are a batch of four.

    Args:
        rule: the step rule.
        process: the diffusion process.
        denoiser: a callable ``(x_t, t) -> Prediction``.
        on: where the samples are wanted.
        times: strictly decreasing times, such as ``steps(100)``.
        batch: the number of samples.
        channels: the number of channels.
        generator: the source of randomness; values are made on its device.
        start: the first state; by default :math:`\sigma(t_0) N\xi`.

    Raises:
        ValueError: if the times do not decrease within [0, 1], or the start is not of this batch,
            these channels and this discretisation.
    """
    check_times(times)
    if times.ndim != 1 or times.numel() < 2 or not bool((times[1:] < times[:-1]).all()):
        raise ValueError(f"Sampling takes at least two decreasing times; got {times.tolist()}.")
    if start is not None and (
        start.on != on or start.batch != (batch,) or start.channels != channels
    ):
        raise ValueError(
            f"The start has the shape {tuple(start.values.shape)}; expected ({batch}, {on.size}, "
            f"{channels}) on the discretisation asked for."
        )
    return _states(rule, process, denoiser, on, times.double(), batch, channels, generator, start)


def _states(
    rule: StepRule,
    process: DiffusionProcess,
    denoiser: Denoiser,
    on: Discretisation,
    times: Tensor,
    batch: int,
    channels: int,
    generator: torch.Generator,
    start: Function | None,
) -> Iterator[State]:
    x = start
    if x is None:
        with torch.no_grad():
            noise = process.draw_noise(on, batch=batch, channels=channels, generator=generator)
            x = noise * process.schedule.sigma(times[0]).item()
    place = x.values.device
    for t, s in zip(times[:-1].tolist(), times[1:].tolist(), strict=True):
        heard: list[Prediction] = []

        def listen(x_t: Function, time: Tensor, heard: list[Prediction] = heard) -> Prediction:
            heard.append(denoiser(x_t, time))
            return heard[-1]

        now = torch.full((batch,), t, dtype=torch.float64, device=place)
        after = torch.full((batch,), s, dtype=torch.float64, device=place)
        with torch.no_grad():
            x_s = rule.step(process, listen, x, now, after, generator=generator)
        yield State(t, x, heard[0] if heard else None)
        x = x_s
    yield State(times[-1].item(), x, None)


def _fresh_noise(process: DiffusionProcess, x_t: Function, generator: torch.Generator) -> Function:
    return process.draw_noise(
        x_t.on,
        batch=x_t.batch[0],
        channels=x_t.channels,
        generator=generator,
        dtype=x_t.values.dtype,
        device=x_t.values.device,
    )
