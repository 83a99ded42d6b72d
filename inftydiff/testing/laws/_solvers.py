r"""Laws of solvers, tried on white, mollified, noise-only and blurring diffusion.

A step asks the denoiser as often as the solver says (``calls``; once, if it does not say), first
about :math:`x_t` at :math:`t`, never at an earlier time than :math:`s` and never where
:math:`\sigma = 0`. It injects the process's own noise, keyed by sample; a step to
:math:`\sigma = 0` leaves the estimate of the signal and no noise; and it is the same step on every
grid. A multistep solver is tried on a short trajectory, with its memory passed on. A solver that
chooses its steps itself (``calls`` is None) shares them among the samples of a batch, and keeps the
laws within its tolerances alone.

The denoiser is that of Gaussian data observed mode by mode, a linear operator for each time that
does not depend on the grid. A solver may refuse blurring diffusion, whose signal operator depends
on time, by a ``ValueError`` or a ``TypeError``.
"""

from collections.abc import Callable, Iterator
from functools import wraps

import torch
from torch import Tensor

from inftydiff.operators import Function
from inftydiff.processes import CallableDenoiser, Prediction, Solver
from inftydiff.processes.solvers import Memory, MultistepSolver
from inftydiff.testing.laws._purity import arguments_untouched, random_state_untouched
from inftydiff.testing.laws._stepping import Case, Modewise, calls, cases, listen, run, step
from inftydiff.testing.laws.law import Check, Claim, at_most, equal, same, true
from inftydiff.testing.probe import Probe, refined

__all__ = ["STEP_LAWS"]

ADAPTIVE = 0.02
"""The tolerance of a solver that chooses its steps itself."""

SMOOTH = ("mollified", "noise-only")
"""The processes whose noise has point values."""


def on_each_process(law: Callable[[Solver, Case, Probe], Iterator[Claim]]) -> Check:
    """A law of a solver on one process, tried on all; blurring diffusion may be refused."""

    @wraps(law)
    def check(solver: Solver, probe: Probe) -> Iterator[Claim]:
        for case in cases(probe):
            try:
                yield from law(solver, case, probe)
            except (ValueError, TypeError):
                if case[0] != "blurring":
                    raise

    return check


@on_each_process
def calls_as_it_says(solver: Solver, case: Case, probe: Probe) -> Iterator[Claim]:
    """A step to σ > 0 asks the denoiser ``calls`` times, and no step asks more often."""
    number, (name, process) = calls(solver), case
    if number is None:
        return
    for end in (0.5, 0.0):
        asked = listen(solver, process, probe, end).asked
        fits = len(asked) == number if end > 0.0 else 1 <= len(asked) <= number
        where = "" if end > 0.0 else " to σ = 0"
        yield true(
            f"calls of the denoiser in a step{where} of {name} diffusion = {number}",
            fits,
            len(asked),
            number,
        )


@on_each_process
def asks_at_the_start(solver: Solver, case: Case, probe: Probe) -> Iterator[Claim]:
    """The denoiser is asked first about x_t at t, then at times from t down to s, where σ > 0."""
    tolerance = 1e-6 if calls(solver) is None else 0.0
    name, process = case
    for end in (0.5, 0.0):
        heard = listen(solver, process, probe, end)
        (state, time), *_ = heard.asked
        yield equal(
            f"the denoiser's time in a step of {name} diffusion = t",
            time.double(),
            heard.t.double(),
            tolerance=tolerance,
        )
        yield same(
            f"the denoiser's state in a step of {name} diffusion = x_t",
            state,
            heard.x_t,
            tolerance=tolerance,
        )
        for _, time in heard.asked:
            yield from _within(time.double(), heard.t.double(), end, case)


@on_each_process
def ends_at_the_signal(solver: Solver, case: Case, probe: Probe) -> Iterator[Claim]:
    """A step to σ = 0 gives the denoiser's signal: no noise is left and none is added."""
    name, process = case
    clean, noise = probe.function(1), probe.function(2)

    def denoise(x: Function, t: Tensor) -> Prediction:
        return Prediction(process.signal_at(t)(clean), noise)

    t = probe.times()
    x_t = process.signal_at(t)(clean) * process.schedule.alpha(t)
    x_t = x_t + noise * process.schedule.sigma(t)
    end = run(solver, CallableDenoiser(process, denoise), x_t, t, probe, end=0.0)
    yield same(
        f"x_0 in {name} diffusion = the denoiser's signal",
        end,
        process.signal_at(torch.zeros_like(t))(clean),
        tolerance=probe.tolerance,
    )


@on_each_process
def batch_prefix(solver: Solver, case: Case, probe: Probe) -> Iterator[Claim]:
    """The first samples of a large batch are stepped as the small batch is."""
    name, process = case
    yield equal(
        f"(a step of a batch)[:1] = a step of its first sample, in {name} diffusion",
        step(solver, process, probe).values[:1],
        step(solver, process, probe, samples=1).values,
        tolerance=_tolerance(solver, probe.tolerance),
    )


@on_each_process
def each_sample_has_its_time(solver: Solver, case: Case, probe: Probe) -> Iterator[Claim]:
    """A sample's step depends on its own times alone."""
    name, process = case
    t, other = probe.times(), probe.times()
    other[:-1] = 0.97
    yield equal(
        f"a step of the last sample = the same with other times before it, in {name} diffusion",
        step(solver, process, probe, t=t).values[-1],
        step(solver, process, probe, t=other).values[-1],
        tolerance=_tolerance(solver, probe.tolerance),
    )


@on_each_process
def one_step_on_every_grid(solver: Solver, case: Case, probe: Probe) -> Iterator[Claim]:
    """A step of smooth states is the same on a grid thrice as fine, if the noise has values."""
    name, process = case
    if name not in SMOOTH:
        return
    fine, shared = refined(probe.grid, 3)
    coarse, finer = (step(solver, process, probe, on=on, anew=True) for on in (probe.grid, fine))
    yield equal(
        f"a step at the shared points of a grid thrice as fine = the step, in {name} diffusion",
        finer.values[:, shared],
        coarse.values,
        tolerance=_tolerance(solver, 1e-7),
    )


@on_each_process
def reproducible(solver: Solver, case: Case, probe: Probe) -> Iterator[Claim]:
    """The generator's state decides the step."""
    name, process = case
    first, second = step(solver, process, probe), step(solver, process, probe)
    yield same(f"a step from the same state = the step, in {name} diffusion", second, first)


@on_each_process
def no_mutation(solver: Solver, case: Case, probe: Probe) -> Iterator[Claim]:
    """A step changes neither the state nor the times, nor what a multistep solver remembers."""
    _, process = case
    x, t, s = probe.smooth(probe.grid), probe.times(), 0.5 * probe.times()
    if not isinstance(solver, MultistepSolver):
        yield from arguments_untouched(
            lambda: solver.step(Modewise(process), x, t, s, generator=probe.generator()),
            [x, t, s],
        )
        return

    def advance(x: Function, t: Tensor, s: Tensor, memory: Memory) -> tuple[Function, Memory]:
        generator = probe.generator()
        return solver.advance(Modewise(process), x, t, s, memory, generator=generator)

    later, memory = advance(x, t, s, ())
    remembered = [part for past in memory for part in (past.t, past.x, past.source, past.noise)]
    yield from arguments_untouched(
        lambda: advance(later, s, 0.5 * s, memory), [x, later, t, s, *remembered]
    )


@on_each_process
def no_global_randomness(solver: Solver, case: Case, probe: Probe) -> Iterator[Claim]:
    """A step leaves the global random state alone."""
    yield from random_state_untouched(lambda: step(solver, case[1], probe))


def _tolerance(solver: Solver, exact: float) -> float:
    return ADAPTIVE if calls(solver) is None else exact


def _within(time: Tensor, t: Tensor, end: float, case: Case) -> Iterator[Claim]:
    """The denoiser is asked at a time from t down to a part of t, where σ > 0."""
    name, process = case
    yield at_most(
        f"s ≤ the denoiser's times in a step of {name} diffusion ≤ t",
        torch.maximum(time - t, end * t - time),
        torch.zeros_like(time),
        slack=1e-9,
    )
    sigma = process.schedule.sigma(time)
    yield true(
        f"σ at the denoiser's times in a step of {name} diffusion > 0",
        bool((sigma > 0.0).all()),
        sigma.min().item(),
        "above 0",
    )


STEP_LAWS: tuple[Check, ...] = (
    calls_as_it_says,
    asks_at_the_start,
    ends_at_the_signal,
    batch_prefix,
    each_sample_has_its_time,
    one_step_on_every_grid,
    reproducible,
    no_mutation,
    no_global_randomness,
)
