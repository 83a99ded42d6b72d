r"""Sampling: the loop that applies a solver to a noise, from the latest time to the first.

Times run down, :math:`t_0 > t_1 > … > t_n`. The first state is :math:`\sigma(t_0)\,N\xi`; each step
asks the solver for the state at the next time; what the last one gives is the sample, an estimate
of
:math:`S x_0` if the last time is 0. Everything random is keyed by sample, so that the first samples
of a large batch are the small batch.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._typing import check_finite, generator_for
from inftydiff.operators.discretisation import Discretisation, described
from inftydiff.operators.function import Function
from inftydiff.processes._checks import (
    MOST_STEPS,
    a_function,
    a_place,
    channel_count,
    conforming,
    samples,
)
from inftydiff.processes.denoiser import LOOK, CallableDenoiser, Denoiser, asked, check_denoiser
from inftydiff.processes.parameterisation import Prediction
from inftydiff.processes.schedule import check_times
from inftydiff.processes.solvers.solver import Memory, MultistepSolver, Solver

__all__ = ["NotFinite", "State", "Watched", "check_decreasing", "sample", "trajectory"]


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


@final
class NotFinite(ValueError):
    """Samples are NaN or infinite."""


@final
class Watched:
    """The states of a run, with an eye on when the denoiser's answers ceased to be finite.

    Nothing is looked at before the run is over: the sums of the answers are kept where they are.

    Args:
        states: the states.
    """

    def __init__(self, states: Iterable[State]) -> None:
        self._states = states
        self._sums: list[tuple[float, Tensor]] = []

    def __iter__(self) -> Iterator[State]:
        for state in self._states:
            if state.prediction is not None:
                signal, noise = state.prediction.signal.values, state.prediction.noise.values
                self._sums.append((state.t, signal.sum() + noise.sum()))
            yield state

    def check(self, f: Function, name: str) -> None:
        """Refuse what a run gave if it is not finite.

        Args:
            f: the functions.
            name: what they are, the subject of the error's sentence.

        Raises:
            NotFinite: (a ``ValueError``) if a value is; the message says when the denoiser's answer
                was not finite first, if it was not.
        """
        bad = int((~f.values.isfinite()).sum())
        if not bad:
            return
        when = next((t for t, total in self._sums if not bool(total.isfinite())), None)
        raise NotFinite(
            f"{name} must be finite; got {bad} NaN or infinite of {f.values.numel()} values. "
            + (
                "What the denoiser said of each state was finite: the last step is not. Take other "
                "times, or another solver."
                if when is None
                else f"The denoiser's answer was not finite at t = {when:.4g}, nor after. {LOOK}"
            )
        )


def sample(
    solver: Solver,
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
        TypeError: as :func:`trajectory`.
        ValueError: as :func:`trajectory`, or if the samples are not finite.
    """
    states = trajectory(
        solver,
        denoiser,
        on=on,
        times=times,
        batch=batch,
        channels=channels,
        generator=generator,
        start=start,
    )
    watched = Watched(states)
    for state in watched:
        x = state.x
    watched.check(x, "Samples")
    return x


def trajectory(
    solver: Solver,
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
        solver: the solver, whose memory, if it has one, is kept from step to step.
        denoiser: the denoiser, whose process is run backward.
        on: where the samples are wanted.
        times: strictly decreasing times, such as ``timesteps(100)``.
        batch: the number of samples.
        channels: the number of channels.
        generator: the source of randomness, of which seeds are taken alone: it may live on another
            device than the states.
        start: the first state; by default :math:`\sigma(t_0) N\xi` on the generator's device. All
            states are made on its device.

    Raises:
        TypeError: if an argument is of another kind.
        ValueError: if the times do not decrease within [0, 1], a number is not one of samples or
            of channels, or the start is not of this batch,
            these channels and this discretisation.
    """
    conforming(solver, Solver, "A solver", "Pass DDIM(), say.")
    check_denoiser(denoiser)
    a_place(on)
    check_decreasing(times)
    batch, channels = samples(batch), channel_count(channels)
    generator_for(generator, "Sampling")
    if start is not None:
        values = a_function(start, "The start, unless None,").values
        if not values.is_meta:  # which has shapes alone
            check_finite(values, "The start")
    if start is not None and (
        start.on != on or start.batch != (batch,) or start.channels != channels
    ):
        raise ValueError(
            f"The start has the shape {tuple(start.values.shape)} on {described(start.on)}; "
            f"expected ({batch}, {on.size}, {channels}) on {described(on)}."
        )
    return _states(solver, denoiser, on, times.double(), batch, channels, generator, start)


def check_decreasing(times: Tensor) -> None:
    """Refuse times that are not two or more, decreasing within [0, 1].

    Raises:
        ValueError: if they are not.
    """
    check_times(times)
    if times.numel() > MOST_STEPS + 1:
        raise ValueError(f"A run takes at most {MOST_STEPS} steps; got {times.numel()} times.")
    if times.ndim != 1 or times.numel() < 2 or not bool((times[1:] < times[:-1]).all()):
        raise ValueError(f"Sampling takes at least two decreasing times; got {times.tolist()}.")


def _states(
    solver: Solver,
    denoiser: Denoiser,
    on: Discretisation,
    times: Tensor,
    batch: int,
    channels: int,
    generator: torch.Generator,
    start: Function | None,
) -> Iterator[State]:
    process, x = denoiser.process, start
    if x is None:
        with torch.no_grad():
            noise = process.draw_noise(on, batch=batch, channels=channels, generator=generator)
            x = noise * process.schedule.sigma(times[0]).item()
    place = x.values.device
    memory: Memory = ()
    for t, s in zip(times[:-1].tolist(), times[1:].tolist(), strict=True):
        heard: list[Prediction] = []

        def listen(x_t: Function, time: Tensor, heard: list[Prediction] = heard) -> Prediction:
            heard.append(asked(denoiser, x_t, time))
            return heard[-1]

        heeded = CallableDenoiser(process, listen)
        now = torch.full((batch,), t, dtype=torch.float64, device=place)
        after = torch.full((batch,), s, dtype=torch.float64, device=place)
        with torch.no_grad():
            if isinstance(solver, MultistepSolver):
                x_s, memory = solver.advance(heeded, x, now, after, memory, generator=generator)
            else:
                x_s = solver.step(heeded, x, now, after, generator=generator)
        yield State(t, x, heard[0] if heard else None)
        x = a_function(x_s, "What a solver gives")
    yield State(times[-1].item(), x, None)
