"""Each law of schedules, processes and solvers catches an object that breaks it."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
import torch
from mutants import assert_caught, assert_every_law_has_one, cases

from inftydiff import (
    DDIM,
    DDPM,
    CosineSchedule,
    DiffusionProcess,
    Function,
    GaussianMeasure,
    Grid,
    WhiteNoise,
    gaussian_mollifier,
)
from inftydiff.processes import Amplitudes, CallableDenoiser
from inftydiff.processes.solvers import DPMSolverPP, Memory, MultistepSolver

T = gaussian_mollifier(0.15)
COSINE = CosineSchedule()
NOISE = WhiteNoise(0.3)
MOLLIFIED = DiffusionProcess.mollified(COSINE, T, noise=NOISE)


@dataclass(frozen=True)
class Schedule:
    """A schedule given by two functions of time."""

    a: Callable = COSINE.alpha
    s: Callable = COSINE.sigma

    def alpha(self, t):
        return self.a(t)

    def sigma(self, t):
        return self.s(t)


SCHEDULES = {
    "starts_at_the_data": [
        Schedule(s=lambda t: COSINE.sigma(0.01 + 0.99 * t)),
        Schedule(a=lambda t: 0.9 * COSINE.alpha(t)),
        Schedule(a=COSINE.sigma, s=COSINE.alpha),
    ],
    "signal_to_noise_falls": [
        Schedule(a=lambda t: 1.0 - 0.5 * t, s=lambda t: torch.sin(2.5 * t)),
        Schedule(a=lambda t: (1.0 - t).clamp(min=0.1) + 0.1 * torch.sin(40.0 * t)),
        Schedule(a=lambda t: COSINE.alpha(1.0 - t), s=lambda t: COSINE.sigma(1.0 - t)),
    ],
    "amplitudes_in_range": [
        Schedule(a=lambda t: 1.0 - t),
        Schedule(s=lambda t: COSINE.sigma(t) * (t > 0.5)),
    ],
    "shape_and_dtype": [
        Schedule(a=lambda t: COSINE.alpha(t.double())),
        Schedule(a=lambda t: COSINE.alpha(t).reshape(-1)),
        Schedule(s=lambda t: COSINE.sigma(t) * t / t.max().clamp(min=1e-9)),
    ],
    "no_mutation": [Schedule(a=lambda t: COSINE.alpha(t.mul_(0.5)))],
    "no_global_randomness": [Schedule(a=lambda t: COSINE.alpha(t) + 0.0 * torch.rand(()))],
}


class Process:
    """A process like ours, some of whose methods are replaced."""

    def __init__(self, **changes):
        self.changes = changes

    schedule, noise_factor, noise = COSINE, T, NOISE

    @property
    def prior(self):
        return self.changes.get("prior", MOLLIFIED.prior)

    def signal_at(self, t):
        return T

    def amplitudes(self, t, on):
        return self.changes.get("amplitudes", MOLLIFIED.amplitudes)(t, on)

    def source(self, prediction, t):
        return self.changes.get("source", MOLLIFIED.source)(prediction, t)

    def marginal(self, x0, t):
        return self.changes.get("marginal", MOLLIFIED.marginal)(x0, t)

    def transition(self, x_s, s, t):
        return self.changes.get("transition", MOLLIFIED.transition)(x_s, s, t)

    def posterior(self, x_t, x0, t, s):
        return self.changes.get("posterior", MOLLIFIED.posterior)(x_t, x0, t, s)


def posterior_with_beta(x_t, x0, t, s):
    std = MOLLIFIED.transition_coefficients(s, t).std
    return GaussianMeasure(MOLLIFIED.posterior(x_t, x0, t, s).mean, T * std, NOISE)


def posterior_of_the_clean_function(x_t, x0, t, s):
    noise_only = DiffusionProcess.noise_only(COSINE, T, noise=NOISE)
    return noise_only.posterior(x_t, x0, t, s)


def transition_with_a_linear_variance(x_s, s, t):
    mean = MOLLIFIED.transition(x_s, s, t).mean
    return GaussianMeasure(mean, T * COSINE.sigma(t - s), NOISE)


def transition_without_decay(x_s, s, t):
    return replace(MOLLIFIED.transition(x_s, s, t), mean=x_s)


def forgetful_posterior(x_t, x0, t, s):
    x_t.values.zero_()
    return MOLLIFIED.posterior(x_t, x0, t, s)


def marginal_with_a_look_at_the_clock(x0, t):
    return MOLLIFIED.marginal(x0 * (1.0 + 0.0 * torch.rand(()).item()), t)


def swapped(t, on):
    alpha, sigma = MOLLIFIED.amplitudes(t, on)
    return Amplitudes(sigma, alpha)


PROCESSES = {
    "marginal_is_signal_and_noise": [
        Process(marginal=DiffusionProcess.noise_only(COSINE, T, noise=NOISE).marginal),
        Process(marginal=DiffusionProcess.mollified(COSINE, T).marginal),
    ],
    "amplitudes_scale_the_source": [
        Process(amplitudes=swapped),
        Process(source=lambda prediction, t: prediction.clean or prediction.signal),
    ],
    "chapman_kolmogorov": [
        Process(transition=transition_with_a_linear_variance),
    ],
    "transition_carries_the_marginal": [
        Process(transition=transition_without_decay),
        Process(transition=transition_with_a_linear_variance),
    ],
    "posterior_is_the_conditional": [
        Process(posterior=posterior_with_beta),
        Process(posterior=posterior_of_the_clean_function),
    ],
    "prior_is_the_last_noise": [
        Process(prior=GaussianMeasure(None, 2.0 * T, NOISE)),
        Process(prior=GaussianMeasure(Function(Grid((4, 3)), torch.ones(12, 1)), T, NOISE)),
    ],
    "no_mutation": [Process(posterior=forgetful_posterior)],
    "no_global_randomness": [Process(marginal=marginal_with_a_look_at_the_clock)],
}


@dataclass(frozen=True)
class Rule:
    """A solver given by what it makes of DDPM's arguments."""

    take: Callable
    calls: int | None = 1

    def step(self, denoiser, x_t, t, s, *, generator):
        return self.take(denoiser, x_t, t, s, generator)


def ddpm(denoiser, x_t, t, s, generator) -> Function:
    return DDPM().step(denoiser, x_t, t, s, generator=generator)


def asking_twice(denoiser, x_t, t, s, generator):
    denoiser(x_t, t)
    return ddpm(denoiser, x_t, t, s, generator)


def asking_four_times(denoiser, x_t, t, s, generator):
    twice = CallableDenoiser(denoiser.process, lambda x, t: (denoiser(x, t), denoiser(x, t))[0])
    return asking_twice(twice, x_t, t, s, generator)


def asking_at_the_end(denoiser, x_t, t, s, generator):
    return ddpm(
        CallableDenoiser(denoiser.process, lambda x, time: denoiser(x, s)), x_t, t, s, generator
    )


def of_the_mean_time(denoiser, x_t, t, s, generator):
    return ddpm(denoiser, x_t, t.mean().expand_as(t), s, generator)


def with_noise_left(denoiser, x_t, t, s, generator):
    extra = denoiser.process.draw_noise(
        x_t.on, batch=x_t.batch[0], channels=x_t.channels, generator=generator
    )
    return ddpm(denoiser, x_t, t, s, generator) + Function(
        x_t.on, 0.01 * extra.values.to(x_t.values)
    )


def plus(denoiser, x_t, t, s, generator, noise) -> Function:
    x_s = DDIM().step(denoiser, x_t, t, s, generator=generator)
    std = denoiser.process.posterior_coefficients(t, s).std
    return x_s + Function(x_t.on, noise.to(x_s.values)) * std


def with_one_draw_for_all(denoiser, x_t, t, s, generator):
    noise = torch.randn(x_t.channels, x_t.on.size, x_t.batch[0], generator=generator)
    return plus(denoiser, x_t, t, s, generator, noise.permute(2, 1, 0))


def with_white_noise(denoiser, x_t, t, s, generator):
    white = denoiser.process.noise.draw(
        x_t.on.domain, batch=x_t.batch[0], channels=x_t.channels, generator=generator
    )
    return plus(denoiser, x_t, t, s, generator, white(x_t.on).values)


def with_global_noise(denoiser, x_t, t, s, generator):
    return plus(denoiser, x_t, t, s, generator, torch.randn(x_t.values.shape))


def in_place(denoiser, x_t, t, s, generator):
    x_s = ddpm(denoiser, x_t, t, s, generator)
    x_t.values.copy_(x_s.values)
    return x_t


def stopping_short(denoiser, x_t, t, s, generator):
    """End at the first of a thousand times: the step to σ = 0 leaves the noise that is there."""
    return DDIM().step(denoiser, x_t, t, s.clamp(min=1e-3), generator=generator)


def asking_about_a_later_time(denoiser, x_t, t, s, generator):
    denoiser(x_t, 0.5 * (1.0 + t))
    return ddpm(denoiser, x_t, t, s, generator)


def asking_in_the_end(denoiser, x_t, t, s, generator):
    x_s = ddpm(denoiser, x_t, t, s, generator)
    denoiser(x_s, s)
    return x_s


def with_a_signal_at_the_wrong_time(denoiser, x_t, t, s, generator):
    """What is right if the signal operator does not depend on time."""
    prediction = denoiser(x_t, t)
    schedule = denoiser.process.schedule
    return prediction.signal * schedule.alpha(s) + prediction.noise * schedule.sigma(s)


@dataclass(frozen=True)
class Multi(MultistepSolver):
    """A multistep solver of second order, given by what it makes of its memory."""

    remember: Callable
    order: int = 2

    def advance(self, denoiser, x_t, t, s, memory, *, generator):
        memory = self.remember(memory)
        return DPMSolverPP(self.order).advance(denoiser, x_t, t, s, memory, generator=generator)


def of_the_whole_batch(memory: Memory) -> Memory:
    """Memory whose estimates are averaged over the batch."""
    return tuple(
        replace(
            past, source=Function(past.x.on, past.source.values.mean(0).expand_as(past.x.values))
        )
        for past in memory
    )


def in_its_own_time(memory: Memory) -> Memory:
    """Memory that takes all samples to have the time of the first."""
    return tuple(replace(past, t=past.t[:1].expand_as(past.t)) for past in memory)


def in_the_order_of_the_points(memory: Memory) -> Memory:
    """Memory whose estimates move by one point, whatever a point is."""
    return tuple(
        replace(past, source=Function(past.x.on, past.source.values.roll(1, 1))) for past in memory
    )


class Forgetful:
    """Remembers what it was given last, in itself."""

    def __init__(self) -> None:
        self.memory: Memory = ()

    def __call__(self, memory: Memory) -> Memory:
        before, self.memory = self.memory, memory
        return before


def forgetting_when_asked_globally(memory: Memory) -> Memory:
    torch.rand(())
    return memory


def overwritten(memory: Memory) -> Memory:
    for past in memory:
        past.x.values.zero_()
    return memory


SOLVERS = {
    "calls_as_it_says": [
        Rule(asking_twice),
        Rule(ddpm, calls=2),
        Rule(asking_four_times, calls=2),
    ],
    "asks_at_the_start": [
        Rule(asking_at_the_end),
        Rule(asking_about_a_later_time, 2),
        Rule(asking_in_the_end, 2),
        Rule(asking_in_the_end, None),
    ],
    "ends_at_the_signal": [
        Rule(with_noise_left),
        Rule(stopping_short),
        Rule(with_a_signal_at_the_wrong_time),
    ],
    "batch_prefix": [
        Rule(with_one_draw_for_all),
        Rule(of_the_mean_time),
        Multi(of_the_whole_batch),
    ],
    "each_sample_has_its_time": [Rule(of_the_mean_time), Multi(in_its_own_time)],
    "one_step_on_every_grid": [Rule(with_white_noise), Multi(in_the_order_of_the_points)],
    "reproducible": [Rule(with_global_noise), Multi(Forgetful())],
    "no_mutation": [Rule(in_place), Multi(overwritten)],
    "no_global_randomness": [Rule(with_global_noise), Multi(forgetting_when_asked_globally)],
}


MUTANTS = {"schedule": SCHEDULES, "process": PROCESSES, "solver": SOLVERS}


@pytest.mark.thorough
@pytest.mark.parametrize(("name", "mutant"), cases(MUTANTS))
def test_the_law_catches_the_mutant(name: str, mutant):
    assert_caught(name, mutant)


@pytest.mark.parametrize("kind", MUTANTS)
def test_there_is_a_mutant_for_every_law(kind: str):
    assert_every_law_has_one(MUTANTS[kind])
