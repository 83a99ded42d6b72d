r"""From one picture, or one sample, to another: the functions between.

The latents :math:`(1 - w)\,z_0 + w\,z_1` for :math:`w` from 0 to 1 are decoded, each sample with
one noise along the whole way, so that it changes smoothly. The ends are functions that have the
pictures' latents, not the pictures. With *encodings* the noise, too, is what the pictures are made
of, mixed on the way; the ends are then the pictures, as far as the inversion goes. So it is between
two samples, whose noises and latents are known: the ends are the samples.

References:
    Song, Meng and Ermon, "Denoising diffusion implicit models", ICLR 2021, section 5.3.
    Preechakul et al., "Diffusion autoencoders", CVPR 2022, section 4.
"""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._typing import flag, whole
from inftydiff.operators import Function, Grid
from inftydiff.operators import interpolate as interpolated
from inftydiff.pipelines.infty_diff import InftyDiff
from inftydiff.pipelines.tasks._encodings import DOWN, encode_noise, mixed_noise
from inftydiff.pipelines.tasks._grids import grid_between, read_on, require_domain, require_pictures
from inftydiff.pipelines.tasks.result import TaskResult, check_task
from inftydiff.pipelines.tasks.sampling import PLAIN, Sampling, draw, like
from inftydiff.processes._checks import MOST_SAMPLES

__all__ = ["interpolate", "interpolate_samples"]


def interpolate(
    model: InftyDiff,
    x: Function,
    *,
    count: int,
    generator: torch.Generator,
    on: Grid | None = None,
    samples: int = 1,
    encodings: bool = False,
    how: Sampling = PLAIN,
) -> TaskResult:
    """Sample the functions on the way from one picture to another.

    Args:
        model: a model with latents; any model, with encodings.
        x: the two pictures, on a grid of the model's domain, values of shape ``(2, points,
            channels)``.
        count: how many functions, both ends among them.
        generator: the source of the noise.
        on: the grid of the answer; by default the pictures'.
        samples: how many ways, each with a noise of its own.
        encodings: mix the noise that encodes the pictures, instead of drawing one.
        how: the solver and the times.

    Returns:
        Samples of shape ``(count, samples, points, channels)``.

    Raises:
        ValueError: if the model has no latents and no encodings are asked for, or several of them,
            there are not two pictures or fewer than two functions, or the pictures live on another
            domain.
    """
    x = like(model, x)
    cells = require_pictures(model, x)
    if x.batch != (2,):
        raise ValueError(f"A way leads from one picture to another, two of them; got {x.batch[0]}.")
    weights = _weights(count).to(x.values)
    count = len(weights)
    samples = check_task(generator, samples, how, on=on)
    flag(encodings, "encodings")
    on = cells if on is None else on
    grid = grid_between(model, cells, on)
    fine, times = interpolated(x, grid), how.times_from(model)
    latent = None
    if model.encoder is not None or not encodings:
        first, last = how.latent if isinstance(how.latent, Tensor) else model.encode(fine)
        latent = torch.lerp(first, last, weights.to(first).unsqueeze(-1))
        latent = latent.repeat_interleave(samples, 0)
    if encodings:
        if samples != 1:
            raise ValueError(
                f"Encodings leave nothing to draw: one way, not {samples}. Leave samples out."
            )
        noise, times = encode_noise(model, fine, how)
        how = replace(how, solver=DOWN)
        start = mixed_noise(noise.values[0], noise.values[1], weights)
    else:
        start = model.start(on=grid, batch=samples, generator=generator).values.repeat(count, 1, 1)
    drawn = draw(
        model,
        Function(grid, start),
        samples=samples,
        times=times,
        latent=latent,
        how=how,
        generator=generator,
    )
    return TaskResult(read_on(drawn, on), x)


def interpolate_samples(
    model: InftyDiff,
    first: torch.Generator,
    last: torch.Generator,
    *,
    count: int,
    on: Grid,
    how: Sampling = PLAIN,
) -> TaskResult:
    """Sample the functions on the way from one sample to another.

    Args:
        model: any model; one with latents has a prior.
        first: the source of the noise, and then of the latent, of the one sample. The ends are what
            :meth:`InftyDiff.sample` draws from the two generators, one at a time.
        last: that of the other; with another seed, since noises are mixed as independent ones are.
        count: how many functions, both ends among them.
        on: the grid of the answer.
        how: the solver and the times.

    Returns:
        Samples of shape ``(count, 1, points, channels)``; what is observed are the two ends.

    Raises:
        ValueError: if there are fewer than two functions, the grid is on another domain, or as
            :meth:`InftyDiff.draw_latents`.
    """
    require_domain(model, on)
    for generator in (first, last):
        check_task(generator, 1, how)
    weights, grid = _weights(count), model.sampling_grid(on)
    noise, end = (model.start(on=grid, batch=1, generator=g).values[0] for g in (first, last))
    one, other = (model.draw_latents(batch=1, generator=g) for g in (first, last))
    latent = None
    if one is not None and other is not None:
        latent = torch.lerp(one, other, weights.to(one).unsqueeze(-1))
    drawn = draw(
        model,
        Function(grid, mixed_noise(noise, end, weights)),
        samples=1,
        times=how.times_from(model),
        latent=latent,
        how=how,
        generator=first,
    )
    found = read_on(drawn, on)
    return TaskResult(found, Function(on, found.values[[0, -1], 0]))


def _weights(count: int) -> Float[Tensor, "count"]:
    """How far along the way each function is, in float64.

    Raises:
        ValueError: if there are fewer than two.
    """
    count = whole(count, "The number of functions", most=MOST_SAMPLES)
    if count < 2:
        raise ValueError(f"A way has at least its two ends; got count={count}.")
    return torch.linspace(0.0, 1.0, count, dtype=torch.float64)
