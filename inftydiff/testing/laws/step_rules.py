r"""Laws of step rules, tried on white, mollified and noise-only diffusion with an exact denoiser.

A step asks the denoiser once, at :math:`t`, and never at the end; it injects the process's own
noise, keyed by sample; a step to :math:`\sigma = 0` leaves the estimate of the signal and no noise;
and it is the same step on every grid.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from inftydiff.operators import Function, Grid, gaussian_mollifier
from inftydiff.processes import (
    CosineSchedule,
    DiffusionProcess,
    GaussianMeasure,
    Prediction,
    StepRule,
    WhiteNoise,
)
from inftydiff.testing.laws.law import Check, Claim, equal, same, true
from inftydiff.testing.laws.purity import arguments_untouched, random_state_untouched
from inftydiff.testing.oracles import GaussianDenoiser
from inftydiff.testing.probe import Probe, refined

__all__ = ["STEP_LAWS"]

WIDTH = 0.15
"""The mollifier's width, in units of the longest side."""

INTENSITY = 0.3


def one_call_a_step(rule: StepRule, probe: Probe) -> Iterator[Claim]:
    """The denoiser is called once a step."""
    for name, process in _processes(probe):
        asked, _, _ = _listen(rule, process, probe)
        yield true(
            f"calls of the denoiser in a step of {name} diffusion = 1",
            len(asked) == 1,
            len(asked),
            1,
        )


def asks_at_the_start(rule: StepRule, probe: Probe) -> Iterator[Claim]:
    """The denoiser is asked about x_t at t, and not at the time that the step goes to."""
    for name, process in _processes(probe):
        asked, x_t, t = _listen(rule, process, probe)
        for state, time in asked:
            yield equal(f"the denoiser's time in a step of {name} diffusion = t", time, t)
            yield same(f"the denoiser's state in a step of {name} diffusion = x_t", state, x_t)


def ends_at_the_signal(rule: StepRule, probe: Probe) -> Iterator[Claim]:
    """A step to σ = 0 gives the denoiser's signal: no noise is left and none is added."""
    for name, process in _processes(probe):
        signal, noise = probe.function(1), probe.function(2)
        t = probe.times()
        alpha, sigma = process.schedule.alpha(t), process.schedule.sigma(t)
        answer = Prediction(signal, noise)
        x_t = signal * alpha + noise * sigma
        end = rule.step(
            process,
            lambda x, t, answer=answer: answer,  # type: ignore[misc]
            x_t,
            t,
            torch.zeros_like(t),
            generator=probe.generator(),
        )
        yield same(
            f"x_0 in {name} diffusion = the denoiser's signal",
            end,
            signal * process.schedule.alpha(torch.zeros_like(t)),
            tolerance=probe.tolerance,
        )


def batch_prefix(rule: StepRule, probe: Probe) -> Iterator[Claim]:
    """The first samples of a large batch are stepped as the small batch is."""
    for name, process in _processes(probe):
        few = _step(rule, process, probe, samples=1)
        many = _step(rule, process, probe)
        yield equal(
            f"(a step of a batch)[:1] = a step of its first sample, in {name} diffusion",
            many.values[:1],
            few.values,
            tolerance=probe.tolerance,
        )


def each_sample_has_its_time(rule: StepRule, probe: Probe) -> Iterator[Claim]:
    """A sample's step depends on its own times alone."""
    for name, process in _processes(probe):
        t, s = probe.times(), 0.5 * probe.times()
        t_other, s_other = t.clone(), s.clone()
        t_other[0], s_other[0] = 0.97, 0.02
        yield equal(
            f"a step of the last sample = the same with other times before it, in {name} diffusion",
            _step(rule, process, probe, times=(t, s)).values[-1],
            _step(rule, process, probe, times=(t_other, s_other)).values[-1],
            tolerance=probe.tolerance,
        )


def one_step_on_every_grid(rule: StepRule, probe: Probe) -> Iterator[Claim]:
    """A step of smooth states with the exact denoiser is the same on a grid thrice as fine."""
    fine, shared = refined(probe.grid, 3)
    for name, process in _processes(probe):
        if name == "white":
            continue
        coarse = _step(rule, process, probe)
        finer = _step(rule, process, probe, on=fine)
        yield equal(
            f"a step at the shared points of a grid thrice as fine = the step, in {name} diffusion",
            finer.values[:, shared],
            coarse.values,
            tolerance=1e-7,
        )


def reproducible(rule: StepRule, probe: Probe) -> Iterator[Claim]:
    """The generator's state decides the step."""
    for name, process in _processes(probe):
        first, second = _step(rule, process, probe), _step(rule, process, probe)
        yield same(f"a step from the same state = the step, in {name} diffusion", second, first)


def no_mutation(rule: StepRule, probe: Probe) -> Iterator[Claim]:
    """A step changes neither the state nor the times."""
    for _, process in _processes(probe):
        x_t, t, s = probe.smooth(probe.grid), probe.times(), 0.5 * probe.times()
        denoise = _denoiser(process, probe)
        yield from arguments_untouched(
            lambda args=(process, denoise, x_t, t, s): rule.step(  # type: ignore[misc]
                *args, generator=probe.generator()
            ),
            [x_t, t, s],
        )


def no_global_randomness(rule: StepRule, probe: Probe) -> Iterator[Claim]:
    """A step leaves the global random state alone."""
    for _, process in _processes(probe):
        yield from random_state_untouched(lambda p=process: _step(rule, p, probe))  # type: ignore[misc]


def _processes(probe: Probe) -> Iterator[tuple[str, DiffusionProcess]]:
    schedule, noise = CosineSchedule(), WhiteNoise(INTENSITY)
    T = gaussian_mollifier(WIDTH * max(probe.domain.lengths))
    yield "white", DiffusionProcess.white(schedule, noise=noise)
    yield "mollified", DiffusionProcess.mollified(schedule, T, noise=noise)
    yield "noise-only", DiffusionProcess.noise_only(schedule, T, noise=noise)


def _denoiser(process: DiffusionProcess, probe: Probe) -> GaussianDenoiser:
    data = gaussian_mollifier(WIDTH * max(probe.domain.lengths))
    return GaussianDenoiser(process, GaussianMeasure(None, data, WhiteNoise()))


def _step(
    rule: StepRule,
    process: DiffusionProcess,
    probe: Probe,
    *,
    samples: int | None = None,
    times: tuple[Tensor, Tensor] | None = None,
    on: Grid | None = None,
) -> Function:
    x_t = probe.smooth(probe.grid if on is None else on)
    t, s = (probe.times(), 0.5 * probe.times()) if times is None else times
    few = Function(x_t.on, x_t.values[:samples])
    return rule.step(
        process,
        _denoiser(process, probe),
        few,
        t[:samples],
        s[:samples],
        generator=probe.generator(),
    )


def _listen(
    rule: StepRule, process: DiffusionProcess, probe: Probe
) -> tuple[list[tuple[Function, Tensor]], Function, Tensor]:
    asked: list[tuple[Function, Tensor]] = []
    denoiser = _denoiser(process, probe)

    def listen(x_t: Function, t: Tensor) -> Prediction:
        asked.append((x_t, t))
        return denoiser(x_t, t)

    x_t, t = probe.smooth(probe.grid), probe.times()
    rule.step(process, listen, x_t, t, 0.5 * t, generator=probe.generator())
    return asked, x_t, t


STEP_LAWS: tuple[Check, ...] = (
    one_call_a_step,
    asks_at_the_start,
    ends_at_the_signal,
    batch_prefix,
    each_sample_has_its_time,
    one_step_on_every_grid,
    reproducible,
    no_mutation,
    no_global_randomness,
)
