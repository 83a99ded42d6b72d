r"""Twisted sequential Monte Carlo: guided sampling, corrected by weights.

Particles :math:`x_t` follow the ancestral step of the process with a guided mean,

.. math:: q(x_s|x_t) = \mathcal N(a\,x_t + b\,m'(x_t),\ \varrho^2 C), \qquad
          p(x_s|x_t) = \mathcal N(a\,x_t + b\,m(x_t),\ \varrho^2 C),

and are weighted by

.. math:: w_s = w_t\ \frac{p(x_s|x_t)}{q(x_s|x_t)}\
          \frac{\tilde p(y|x_s)}{\tilde p(y|x_t)}, \qquad
          \log\tilde p(y|x_t) = -\tfrac12\,⟨r, z⟩,

with the residual :math:`r` and the vector :math:`z` of the guide, and the likelihood itself in the
place of :math:`\tilde p` at the last time. If weights differ too much, particles are drawn anew
from them (systematic resampling). As their number grows, the weighted particles approach the law
of the unguided sampler's output given :math:`y`, whatever the guide: a better one needs fewer.

**No density on function space is needed.** Both transitions have one covariance, so their ratio is
Cameron and Martin's. The shift of the mean is :math:`\varrho^2 C e` in the range of :math:`C`, with
the guide's gradient :math:`g` and :math:`e = b\,(\sigma^2/\alpha)\,g/\varrho^2`, so with
:math:`x_s = a\,x_t + b\,m' + \varrho\,n`

.. math:: \log\frac{p(x_s|x_t)}{q(x_s|x_t)} = -\varrho\,⟨n, e⟩ - \tfrac12\,\varrho^2\,⟨e, C e⟩,

without :math:`C^{-1}`, however small the eigenvalues of :math:`C`, and with a limit under
refinement.

References:
    L. Wu et al., "Practical and asymptotically exact conditional sampling in diffusion models",
    NeurIPS 2023.
"""

import math
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._typing import Real, fraction, generator_for, instance
from inftydiff.operators.discretisation import Grid
from inftydiff.operators.function import Function
from inftydiff.processes._checks import a_grid, channel_count, conforming, samples
from inftydiff.processes.denoiser import Denoiser, check_denoiser
from inftydiff.processes.guidance.guide import Guide, guided
from inftydiff.processes.guidance.moment_matching import MomentMatching
from inftydiff.processes.observation import Observation
from inftydiff.processes.schedule import check_times
from inftydiff.processes.solvers.solver import fresh_noise, linear_combination

__all__ = ["Particles", "twisted_smc"]

MATCHING = MomentMatching()
"""The guide unless another is asked for."""


@final
@dataclass(frozen=True, eq=False)
class Particles:
    """Weighted samples of one posterior for each observation.

    Args:
        x: the samples, values of shape ``(batch, particles, points, channels)``.
        log_weights: the logarithms of their weights, of shape ``(batch, particles)``, which add up
            to one; float64.
        sizes: the effective numbers of samples before each step's resampling, of shape
            ``(steps, batch)``; small ones say that more particles are needed.
    """

    x: Function
    log_weights: Float[Tensor, "batch particles"]
    sizes: Float[Tensor, "steps batch"]

    @property
    def mean(self) -> Function:
        """The weighted mean, values of shape ``(batch, points, channels)``."""
        return Function(self.x.on, self._average(self.x.values))

    @property
    def variance(self) -> Function:
        """The weighted pointwise variance."""
        centred = self.x.values - self.mean.values.unsqueeze(1)
        return Function(self.x.on, self._average(centred.square()))

    @property
    def effective_size(self) -> Float[Tensor, "batch"]:
        r"""The number :math:`1/\sum_i w_i^2`, between one and the number of particles."""
        return effective_size(self.log_weights)

    def drawn(self, *, count: int, generator: torch.Generator) -> Function:
        """Draw particles by their weights, with values of shape ``(batch, count, …)``.

        Args:
            count: the number of samples for each observation.
            generator: the source of randomness.
        """
        generator_for(generator, "Particles.drawn")
        chosen = systematic(self.log_weights, samples(count, "A number of samples"), generator)
        return Function(self.x.on, _taken(self.x.values, chosen))

    def _average(self, values: Tensor) -> Tensor:
        weights = self.log_weights.exp().to(values)[..., None, None]
        return (weights * values).sum(1)


def effective_size(log_weights: Float[Tensor, "batch particles"]) -> Float[Tensor, "batch"]:
    """The effective number of samples of normalised weights.

    Example:
        >>> effective_size(torch.full((1, 4), 0.25).log())
        tensor([4.])
    """
    return 1.0 / log_weights.exp().square().sum(-1)


def systematic(
    log_weights: Float[Tensor, "batch particles"], count: int, generator: torch.Generator
) -> Tensor:
    """The numbers of particles drawn by one uniform number and equal distances.

    Args:
        log_weights: normalised.
        count: how many to draw.
        generator: the source of randomness.

    Returns:
        Integers of shape ``(batch, count)``, each particle within one of its expected number.
    """
    ends = log_weights.exp().cumsum(-1)
    first = torch.rand(
        len(log_weights), 1, generator=generator, device=generator.device, dtype=torch.float64
    ).to(ends.device)
    places = (torch.arange(count, device=ends.device) + first) / count * ends[:, -1:]
    return torch.searchsorted(ends, places).clamp(max=log_weights.shape[-1] - 1)


def twisted_smc(
    denoiser: Denoiser,
    observation: Observation,
    *,
    on: Grid,
    times: Float[Tensor, "times"],
    particles: int,
    channels: int,
    generator: torch.Generator,
    guide: Guide = MATCHING,
    threshold: Real = 0.5,
) -> Particles:
    r"""Sample posteriors by weighted particles.

    Args:
        denoiser: the denoiser, differentiable in the state.
        observation: what was observed, with errors; values of shape ``(m, channels)`` for one
            posterior, or ``(batch, m, channels)`` for several at once.
        on: the grid.
        times: decreasing times, the last of them 0.
        particles: the number of particles of each posterior.
        channels: the number of channels.
        generator: the source of randomness.
        guide: the proposal.
        threshold: the part of the particles below which the effective number of samples brings on
            a resampling.

    Returns:
        Particles of the signal :math:`S x_0`.

    Raises:
        ValueError: if there is no noise, the times do not decrease to 0, a number is out of range,
            or all weights of an observation vanish.
    """
    process = check_denoiser(denoiser).process
    instance(observation, Observation, "An observation", "Make one by observe(…).")
    a_grid(on)
    generator_for(generator, "twisted_smc")
    conforming(guide, Guide, "A guide", "Pass MomentMatching(), say.")
    channels = channel_count(channels)
    observation.require_noise("Sequential Monte Carlo")
    check_times(times)
    if (
        times.ndim != 1
        or times.numel() < 2
        or times[-1] != 0.0
        or not bool((times[1:] < times[:-1]).all())
    ):
        raise ValueError(f"Particles take decreasing times that end at 0; got {times.tolist()}.")
    threshold = fraction(threshold, "A threshold")
    count = samples(particles, "A number of particles")
    values = observation.values.reshape(-1, *observation.values.shape[-2:])
    batch, place = len(values), values.device
    each = replace(observation, values=values.repeat_interleave(count, 0))
    wrapped = guided(guide, denoiser, each)

    def time(value: Tensor) -> Tensor:
        return torch.full((batch * count,), float(value), dtype=torch.float64, device=place)

    def by_particle(numbers: Tensor) -> Tensor:
        return numbers.double().reshape(batch, count)

    with torch.no_grad():
        x = process.draw_noise(
            on,
            batch=batch * count,
            channels=channels,
            generator=generator,
            dtype=values.dtype,
            device=place,
        ) * float(process.schedule.sigma(times[:1].double()))
        log_weights = torch.zeros(batch, count, dtype=torch.float64, device=place)
        twist, sizes = log_weights, []
        for now, after in pairwise(times):
            at = wrapped.linearised(x, time(now))
            z = guide.gradient(at)  # (batch · particles, m, channels)
            signal, gradient = at.prediction.signal, at.pullback(z)
            found = by_particle(-0.5 * (at.residual * z).sum((-2, -1)))  # (batch, particles)
            log_weights, twist = _normalised(log_weights + found - twist), found
            sizes.append(effective_size(log_weights))
            few = (sizes[-1] < float(threshold) * count).unsqueeze(-1)
            if bool(few.any()):
                kept = torch.arange(count, device=place).expand(batch, -1)
                chosen = torch.where(few, systematic(log_weights, count, generator), kept)
                log_weights = torch.where(few, -math.log(count), log_weights)
                twist = twist.gather(-1, chosen)
                x, signal, gradient = (_chosen(f, chosen) for f in (x, signal, gradient))
            numbers = process.posterior_coefficients(time(now), time(after), on=on)
            x = linear_combination((x, numbers.state), (signal, numbers.signal))
            if float(after) > 0.0:
                push = gradient * (at.sigma**2 / at.alpha * numbers.signal)
                shift, noise = at.covariance(push), fresh_noise(process, x, generator)
                x = x + shift + noise * numbers.std
                ratio = noise.inner(push) / numbers.std
                ratio = ratio + 0.5 * push.inner(shift) / numbers.std**2
                log_weights = log_weights - by_particle(ratio)
        final = by_particle(each.log_likelihood(x))
        log_weights = _normalised(log_weights + final - twist)
    shape = (batch, count, on.size, channels)
    return Particles(Function(on, x.values.reshape(shape)), log_weights, torch.stack(sizes))


def _normalised(log_weights: Tensor) -> Tensor:
    total = log_weights.logsumexp(-1, keepdim=True)
    if not bool(total.isfinite().all()):
        raise ValueError(
            "The weights of all particles of an observation vanish, or are not finite: the guide "
            "or the denoiser failed. Take more steps, a clipped denoiser, or MomentMatching()."
        )
    return log_weights - total


def _taken(values: Tensor, chosen: Tensor) -> Tensor:
    # (batch, particles) -> (batch, particles, points, channels)
    index = chosen[..., None, None].expand(-1, -1, *values.shape[-2:])
    return values.gather(1, index)


def _chosen(f: Function, chosen: Tensor) -> Function:
    values = f.values.reshape(*chosen.shape, *f.values.shape[-2:])  # (batch, particles, …)
    return Function(f.on, _taken(values, chosen).reshape(f.values.shape))
