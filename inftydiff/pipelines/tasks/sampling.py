r"""The sampling that all tasks share.

Of each picture several samples are drawn: from noise at :math:`t = 1`, or from a function that is
add_noise up to a *start time* :math:`t_s`, :math:`x_{t_s} = \alpha S\bar x + \sigma N\xi`. A model
with latents decodes those that the encoder reads off what is known, or latents of its prior.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, final, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._typing import Real, check_finite, choice, floating, number, whole
from inftydiff.operators import Function, Grid
from inftydiff.pipelines.infty_diff import InftyDiff
from inftydiff.pipelines.tasks._grids import require_model
from inftydiff.processes import (
    DDIM,
    Denoiser,
    Guide,
    Observation,
    ProjectedDenoiser,
    Projection,
    Solver,
    State,
    guided,
    timesteps,
)
from inftydiff.processes._checks import MOST_ITERATIONS, a_callable, a_function, conforming
from inftydiff.processes.sampler import check_decreasing

__all__ = [
    "PLAIN",
    "Guidance",
    "LatentSource",
    "Sampling",
    "add_noise",
    "draw",
    "latents",
    "like",
]

LatentSource = Literal["known", "prior"]
"""Latents of what is known, by the encoder, or of the prior."""

Guidance: TypeAlias = Guide | Projection
"""What moves samples towards what was observed."""

POINTS = 1 << 16
"""How many points are computed at a time unless told otherwise."""


@final
@dataclass(frozen=True, eq=False)
class Sampling:
    """How a task samples.

    Args:
        solver: the solver; by default DDIM, with η = 1 where samples are projected, whose errors
            the fresh noise mends, and with η = 0 elsewhere.
        times: decreasing times from 1 to 0; by default uniform, as many as the model was saved
            with. A run that begins at an earlier time takes those below it.
        latent: for a model with latents, where they come from: ``"known"``, from what is known,
            ``"prior"``, or the latents themselves, of shape ``(pictures, features)``. By default
            the task's choice: what is known where it covers the domain, else the prior, if the
            model has one.
        rounds: how often samples given observations are drawn, by a model with latents: each time
            but the first with the latents of the samples before, as in Gibbs sampling.
        points: how many points of the grid, of all samples together, are computed at a time.
        tile: the points along a tile's sides, if the network is to be evaluated tile by tile; see
            :meth:`InftyDiff.sample`. An encoder reads what it reads whole.
        watch: called with every state of every part of the samples, for progress bars and films.

    Raises:
        ValueError: if the latents come from nowhere, or there are no rounds or points.
    """

    solver: Solver | None = None
    times: Float[Tensor, "times"] | None = None
    latent: LatentSource | Float[Tensor, "pictures features"] | None = None
    rounds: int = 1
    points: int = POINTS
    tile: int | tuple[int, int] | None = None
    watch: Callable[[State], None] | None = None

    def __post_init__(self) -> None:
        if self.solver is not None:
            conforming(self.solver, Solver, "A solver, unless None,", "Pass DDIM(), say.")
        if self.times is not None:
            check_decreasing(self.times)
        rounds = whole(self.rounds, "The number of rounds", most=MOST_ITERATIONS)
        object.__setattr__(self, "rounds", rounds)
        points = whole(self.points, "The number of points at a time")
        object.__setattr__(self, "points", points)
        if isinstance(self.latent, Tensor):
            floating(self.latent, "Latents that are given")
        elif self.latent is not None:
            choice(self.latent, get_args(LatentSource), "Latents, unless given,")
        if self.watch is not None:
            a_callable(self.watch, "What watches, unless None,", "Pass a function of a State.")

    def times_from(self, model: InftyDiff, start: Real = 1.0) -> Float[Tensor, "times"]:
        """The times of a run of a model that begins at a start time.

        Raises:
            ValueError: unless 0 < start ≤ 1, or if no time is below it.
        """
        start = number(start, "A start time")
        if not 0.0 < start <= 1.0:
            raise ValueError(
                f"A start time lies above 0, where nothing would change, and at most at 1, where "
                f"all is drawn anew; got {start!r}."
            )
        times = timesteps(model.config.steps) if self.times is None else self.times.double()
        if start >= float(times[0]):
            return times
        below = times[times < start]
        return torch.cat([torch.tensor([start], dtype=below.dtype), below])


PLAIN = Sampling()
"""How a task samples unless told otherwise."""


def latents(
    model: InftyDiff,
    known: Function,
    *,
    samples: int,
    how: Sampling,
    generator: torch.Generator,
    everywhere: bool = True,
) -> Float[Tensor, "batch features"] | None:
    """The latent of each sample, picture by picture; none for a model without latents.

    Args:
        model: the model.
        known: what the encoder reads, values of shape ``(pictures, points, channels)``.
        samples: how many samples a picture has.
        how: where latents come from.
        generator: of those from the prior.
        everywhere: whether what is known covers the domain.

    Raises:
        ValueError: if latents are given that are not one a picture, or the model has none.
    """
    pictures = known.batch[0]
    if isinstance(how.latent, Tensor):
        if model.encoder is None or how.latent.shape[0] != pictures:
            raise ValueError(
                f"There is one latent a picture, in a model that has latents; got the shape "
                f"{tuple(how.latent.shape)} for {pictures} pictures."
            )
        return how.latent.repeat_interleave(samples, 0)
    if model.encoder is None:
        return None
    drawn = not everywhere and model.prior is not None and model.prior.fitted
    if how.latent == "prior" or (how.latent is None and drawn):
        return model.draw_latents(batch=pictures * samples, generator=generator)
    return model.encode(known).repeat_interleave(samples, 0)


def add_noise(
    model: InftyDiff, x0: Function, t: Real, *, samples: int, generator: torch.Generator
) -> Function:
    """States at a time, with noise of its own for each sample of each picture.

    Args:
        model: the model.
        x0: clean functions on a grid, values of shape ``(pictures, points, channels)``.
        t: the time.
        samples: how many samples a picture has.
        generator: the source of the noise.
    """
    each = Function(x0.on, x0.values.repeat_interleave(samples, 0))
    time = torch.full((each.batch[0],), float(t), dtype=torch.float64, device=each.values.device)
    law = model.process.marginal(each, time)
    return law.sample(x0.on, batch=each.batch[0], channels=each.channels, generator=generator)


def draw(
    model: InftyDiff,
    start: Function,
    *,
    samples: int,
    times: Float[Tensor, "times"],
    latent: Float[Tensor, "batch features"] | None,
    how: Sampling,
    generator: torch.Generator,
    guide: Guidance | None = None,
    observation: Observation | None = None,
) -> Function:
    """Sample, part by part, and undo the mollifier.

    Args:
        model: the model.
        start: the states at the first of the times, on a grid, values of shape
            ``(pictures * samples, points, channels)``.
        samples: how many samples a picture has.
        times: decreasing times.
        latent: the latents.
        how: the solver and the size of the parts.
        generator: of solvers that draw.
        guide: how samples are guided, if they are.
        observation: what guides them, values of shape ``(pictures, m, channels)``.

    Returns:
        Clean functions, values of shape ``(pictures, samples, points, channels)``.

    Raises:
        ValueError: if samples are not finite, there are tiles and a guide that differentiates the
            network, or as the guide and the solver.
    """
    if how.tile is not None and not isinstance(guide, Projection | None):
        raise ValueError(
            f"Tiles are forgotten one by one, and {type(guide).__name__} differentiates what the "
            "network says of all. Take Projection(), which does not, or leave out the tiles."
        )
    on = start.on
    assert isinstance(on, Grid)

    def wrap(denoiser: Denoiser, part: slice) -> Denoiser:
        if guide is None or observation is None:
            return denoiser
        owner = torch.arange(part.start, part.stop, device=start.values.device) // samples
        own = replace(observation, values=observation.values[owner])
        if isinstance(guide, Projection):
            return ProjectedDenoiser(guide, denoiser, own)
        return guided(guide, denoiser, own)

    with _without_weights(model):
        clean = model.sample(
            on=on,
            batch=start.batch[0],
            generator=generator,
            solver=_rule(how, guide),
            times=times,
            start=start,
            latent=latent,
            oversample=1,
            tile=how.tile,
            wrap=wrap,
            chunk=max(1, how.points // on.size),
            on_state=how.watch,
        )
    return Function(on, clean.values.unflatten(0, (-1, samples)))


def like(model: InftyDiff, f: Function) -> Function:
    """A function in the dtype and on the device of a model."""
    require_model(model)
    a_function(f, "What is known")
    return Function(f.on, check_finite(f.values, "What is known").to(next(model.parameters())))


def _rule(how: Sampling, guide: Guidance | None) -> Solver:
    """The solver that was asked for, or the one that suits the guide."""
    if how.solver is not None:
        return how.solver
    return DDIM(1.0) if isinstance(guide, Projection) else DDIM()


@contextmanager
def _without_weights(model: InftyDiff) -> Iterator[None]:
    """Gradients by the states only: those of the weights would be computed for nothing."""
    wanted = [p for p in model.parameters() if p.requires_grad]
    for parameter in wanted:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in wanted:
            parameter.requires_grad_(True)
