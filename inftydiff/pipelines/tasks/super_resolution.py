r"""Super-resolution: pictures on a coarse grid, as functions on a finer one.

A coarse picture is the averages of a function over its cells. Three ways to a finer one:

=================  =================================================================================
``"posterior"``    samples of the functions that have these averages, by guidance
``"encodings"``    the picture is encoded as noise, up in time; the noise's modes that the coarse
                   grid has not are drawn, and it is decoded
``"encoder"``      the encoder's latent is decoded: what the latent does not hold is drawn anew
=================  =================================================================================

The last is the paper's; the second what it suggests.

References:
    Bond-Taylor and Willcocks, "∞-Diff", ICLR 2024, section 5 (super-resolution).
"""

from dataclasses import replace
from typing import Literal, get_args

import torch

from inftydiff._typing import Real, choice, flag
from inftydiff.operators import Function, Grid, interpolate
from inftydiff.pipelines.infty_diff import InftyDiff
from inftydiff.pipelines.tasks._encodings import DOWN, encode_noise, with_drawn_modes
from inftydiff.pipelines.tasks._grids import (
    data_consistency,
    grid_between,
    known_cells,
    require_pictures,
)
from inftydiff.pipelines.tasks.given import GUIDE, NOISE, observation, sample_given
from inftydiff.pipelines.tasks.result import TaskResult, check_task
from inftydiff.pipelines.tasks.sampling import PLAIN, Guidance, Sampling, like
from inftydiff.processes._checks import a_grid

__all__ = ["SuperResolution", "super_resolve"]

SuperResolution = Literal["posterior", "encodings", "encoder"]
"""The ways to a finer picture."""


def super_resolve(
    model: InftyDiff,
    x: Function,
    *,
    on: Grid,
    generator: torch.Generator,
    method: SuperResolution = "posterior",
    samples: int = 4,
    noise_std: Real = NOISE,
    guide: Guidance = GUIDE,
    composite: bool = True,
    how: Sampling = PLAIN,
) -> TaskResult:
    """Sample finer pictures of coarse ones.

    Args:
        model: the model.
        x: the coarse pictures, on a grid of the model's domain, values of shape ``(pictures,
            points, channels)``.
        on: the grid of the answer.
        generator: the source of randomness.
        method: see above.
        samples: how many samples a picture has.
        noise_std: the deviation of the errors of the coarse values.
        guide: how samples are guided, by ``"posterior"``.
        composite: whether the samples get exactly the coarse values as averages in the end.
        how: the solver, the times and where latents come from; ``"encodings"`` are decoded by
            the solver of their own inversion.

    Raises:
        ValueError: if the method is unknown, the pictures live on another domain, or as
            :func:`sample_given`.
    """
    choice(method, get_args(SuperResolution), "The method of super-resolution")
    samples = check_task(generator, samples, how, on=a_grid(on), guide=guide)
    flag(composite, "composite")
    x = like(model, x)
    coarse = require_pictures(model, x)
    grid = grid_between(model, coarse, on)
    fine = interpolate(x, grid)
    start = None
    if method == "encodings":
        noise, times = encode_noise(model, fine, how)
        drawn = model.start(on=grid, batch=samples * x.batch[0], generator=generator)
        each = Function(grid, noise.values.repeat_interleave(samples, 0))
        start = with_drawn_modes(each, drawn, coarse=coarse)
        how = replace(how, times=times, solver=DOWN)
    seen = observation(model, known_cells(None, of=coarse, on=grid), x.values, noise_std=noise_std)
    return sample_given(
        model,
        seen,
        known=x,
        on=on,
        grid=grid,
        generator=generator,
        samples=samples,
        guide=guide if method == "posterior" else None,
        how=how,
        encoded=fine,
        start=start,
        finish=(lambda f: data_consistency(f, x, None)) if composite else None,
    )
