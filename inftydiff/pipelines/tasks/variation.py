r"""Variations of pictures, and the pictures between two.

A model with latents keeps a picture's latent and draws the rest anew. Any model keeps what is left
of a picture at a *start time* :math:`t_s`: it is add_noise up to there, and sampled back. Both at
once keep more.
"""

import torch

from inftydiff._typing import Real
from inftydiff.operators import Function, Grid, interpolate
from inftydiff.pipelines.infty_diff import InftyDiff
from inftydiff.pipelines.tasks._grids import grid_between, read_on, require_pictures
from inftydiff.pipelines.tasks.result import TaskResult, check_task
from inftydiff.pipelines.tasks.sampling import PLAIN, Sampling, add_noise, draw, latents, like

__all__ = ["vary"]


def vary(
    model: InftyDiff,
    x: Function,
    *,
    generator: torch.Generator,
    on: Grid | None = None,
    samples: int = 4,
    start_time: Real = 1.0,
    how: Sampling = PLAIN,
) -> TaskResult:
    """Sample functions that are like pictures.

    Args:
        model: the model.
        x: the pictures, on a grid of the model's domain, values of shape ``(pictures, points,
            channels)``.
        generator: the source of randomness: first of the noise, then of the latents.
        on: the grid of the answer; by default the pictures'.
        samples: how many samples a picture has.
        start_time: the time :math:`t_s` that they are add_noise up to; at 1 only the latents are
            kept.
        how: the solver, the times and where latents come from.

    Raises:
        ValueError: if the start time is not in (0, 1], or is 1 where there are no latents of the
            pictures, or they live on another domain.
    """
    x = like(model, x)
    cells = require_pictures(model, x)
    samples = check_task(generator, samples, how, on=on)
    times = how.times_from(model, start_time)
    if start_time == 1.0 and (model.encoder is None or how.latent == "prior"):
        raise ValueError(
            "At the start time 1 all that is kept of a picture is its latent, and there is none: "
            "take a start time below 1, such as start_time=0.6."
        )
    on = cells if on is None else on
    grid = grid_between(model, cells, on)
    fine = interpolate(x, grid)
    if start_time < 1.0:
        start = add_noise(model, fine, start_time, samples=samples, generator=generator)
    else:
        start = model.start(on=grid, batch=samples * x.batch[0], generator=generator)
    drawn = draw(
        model,
        start,
        samples=samples,
        times=times,
        latent=latents(model, fine, samples=samples, how=how, generator=generator),
        how=how,
        generator=generator,
    )
    return TaskResult(read_on(drawn, on), x)
