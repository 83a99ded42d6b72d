r"""Samples of functions of which something was observed: :math:`x_0 | y`.

Observations are read of :math:`x_0`, and the state carries :math:`S x_0`; between them is the
model's own deconvolution :math:`D`, so that what is read while guiding, :math:`A D\,(S x_0)`, is
what is read of the samples in the end.
"""

from collections.abc import Callable
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._typing import Real, flag, floating, instance
from inftydiff.operators import Function, Functionals, Grid
from inftydiff.pipelines.infty_diff import InftyDiff
from inftydiff.pipelines.tasks._grids import read_on, require_domain, require_model
from inftydiff.pipelines.tasks.result import TaskResult, check_task
from inftydiff.pipelines.tasks.sampling import PLAIN, Guidance, Sampling, draw, latents, like
from inftydiff.processes import Observation, Projection
from inftydiff.processes._checks import a_callable, a_function, states

__all__ = ["GUIDE", "NOISE", "misfit", "observation", "sample_given"]

GUIDE = Projection()
"""How samples are guided unless told otherwise."""

NOISE = 0.02
"""The deviation of the errors of observed pictures, a hundredth of their range."""


def observation(
    model: InftyDiff,
    reads: Functionals | Callable[[Function], Tensor],
    values: Float[Tensor, "pictures m channels"],
    *,
    noise_std: Real = NOISE,
) -> Observation:
    """What was read of a model's functions, with the model's own deconvolution.

    Args:
        model: the model.
        reads: the functionals, of functions on the grid that is sampled on, or a differentiable
            callable.
        values: what they read.
        noise_std: the standard deviation of their errors.

    Raises:
        ValueError: as :class:`~inftydiff.processes.observation.Observation`.
    """
    require_model(model)
    a_callable(reads, "What is read", "Pass functionals, as of point_values.")
    floating(values, "Observed values")
    values = values.to(next(model.parameters()))
    return Observation(reads, values, noise_std, deconvolve=model.deconvolution(), use_clean=True)


def sample_given(
    model: InftyDiff,
    seen: Observation,
    *,
    known: Function,
    on: Grid,
    grid: Grid,
    generator: torch.Generator,
    samples: int = 4,
    guide: Guidance | None = GUIDE,
    how: Sampling = PLAIN,
    encoded: Function | None = None,
    everywhere: bool = True,
    start: Function | None = None,
    start_time: Real = 1.0,
    finish: Callable[[Function], Function] | None = None,
) -> TaskResult:
    """Sample functions given any observation.

    Args:
        model: the model.
        seen: what was observed, values of shape ``(pictures, m, channels)``; made by
            :func:`observation`.
        known: the same as a function, for the answer: one a picture.
        on: the grid of the answer.
        grid: the grid of the states, which the observation reads, at least as fine.
        generator: the source of randomness: first of the noise, then of the latents.
        samples: how many samples a picture has.
        guide: how the samples are guided; None for samples that are not, and are compared only.
        how: the solver, the times and where latents come from.
        encoded: what the encoder of a model with latents reads; by default what is known.
        everywhere: whether that covers the domain, so that its latents are to be preferred to those
            of the prior.
        start: the states at the start time, one a sample; by default drawn.
        start_time: the time that sampling begins at.
        finish: what is done to the samples, on the grid of the states, before they are read.

    Raises:
        ValueError: if the guide cannot use the observation, the guidance diverges, or as
            :func:`~inftydiff.processes.sampler.trajectory`.
    """
    for place in (grid, on):
        require_domain(model, place)
    instance(seen, Observation, "What was seen", "Make it by observation(model, …).")
    samples = check_task(generator, samples, how, guide=guide)
    pictures = states(known, "What is known").batch[0]
    for f, name in ((encoded, "What is encoded"), (start, "The start")):
        if f is not None:
            states(f, f"{name}, unless None,")
    flag(everywhere, "everywhere")
    if finish is not None:
        a_callable(finish, "What finishes, unless None,", "Pass a function of a Function.")
    times = how.times_from(model, start_time)
    if start is None:
        start = model.start(on=grid, batch=pictures * samples, generator=generator)
    code = latents(
        model,
        like(model, known if encoded is None else encoded),
        samples=samples,
        how=how,
        generator=generator,
        everywhere=everywhere,
    )
    run = partial(
        draw,
        model,
        start,
        samples=samples,
        times=times,
        how=how,
        generator=generator,
        guide=guide,
        observation=seen,
    )
    drawn = run(latent=code)
    if code is not None:
        for _ in range(how.rounds - 1):
            drawn = run(latent=model.encode(Function(grid, drawn.values.flatten(0, 1))))
    missed = misfit(seen, drawn)
    return TaskResult(read_on(drawn if finish is None else finish(drawn), on), known, missed)


def misfit(seen: Observation, samples: Function) -> Float[Tensor, "pictures samples"]:
    """The root mean square of observed values less those of samples.

    Args:
        seen: what was observed, values of shape ``(pictures, m, channels)``.
        samples: clean functions, values of shape ``(pictures, samples, points, channels)``.
    """
    instance(seen, Observation, "What was seen", "Make it by observation(model, …).")
    if a_function(samples, "Samples").values.ndim != 4:
        raise ValueError(
            "Samples have values of shape (pictures, samples, points, channels); got "
            f"{tuple(samples.values.shape)}."
        )
    flat = Function(samples.on, samples.values.flatten(0, 1))
    read = seen.reads(flat).unflatten(0, samples.batch)
    return (seen.values.unsqueeze(1).to(read) - read).square().mean((-2, -1)).sqrt()
