"""Samples by seed: seed k is the same picture, whichever others are drawn with it."""

from collections.abc import Iterator, Sequence
from typing import NoReturn

import torch
from jaxtyping import Float
from torch import Tensor
from tqdm import tqdm

from inftydiff import DDIM, Function, Grid
from inftydiff._typing import check_finite
from inftydiff.operators.cells import coarsen
from inftydiff.pipelines import InftyDiff
from inftydiff.processes import State, StepRule
from inftydiff.processes.seeds import generator_of
from inftydiff.training.bar import seconds_between_updates

__all__ = ["draw"]

POINTS = 1 << 18
"""How many points are sampled at a time."""


def draw(
    pipeline: InftyDiff,
    on: Grid,
    seeds: Sequence[int],
    *,
    rule: StepRule,
    times: Float[Tensor, "times"],
    title: str,
    latents: Float[Tensor, "n features"] | None = None,
    condition: Float[Tensor, "conditions"] | None = None,
    guidance: float = 1.0,
    noise_to_signal: float | None = None,
    tile: int | tuple[int, int] | None = None,
) -> Float[Tensor, "n c h w"]:
    """Sample one picture a seed, with a progress bar.

    Deterministic rules take several seeds at a time; others draw noise at each step and take one.

    Args:
        pipeline: the model.
        on: the grid.
        seeds: one a picture.
        rule: the step rule.
        times: decreasing times.
        title: what the progress bar is called.
        latents: the latent of each; by default drawn with its seed, if the model has latents.
        condition: what all of them are conditioned on when they are drawn.
        guidance: the strength of the condition.
        noise_to_signal: of the Wiener filter that ends sampling; by default the model's.
        tile: the sides of the tiles that the network is evaluated on, if on tiles.
    """
    fine = pipeline.sampling_grid(on)
    together = max(1, POINTS // fine.size) if rule == DDIM() else 1
    pictures = []
    with tqdm(
        total=(len(times) - 1) * len(seeds),
        desc=title,
        unit="step",
        leave=False,
        mininterval=seconds_between_updates(),
    ) as bar:
        for begin in range(0, len(seeds), together):
            part = seeds[begin : begin + together]
            generators = [generator_of(seed) for seed in part]
            starts = [pipeline.start(on=fine, batch=1, generator=g).values for g in generators]
            given = latents[begin : begin + together] if latents is not None else None
            states = pipeline.trajectory(
                on=fine,
                batch=len(part),
                generator=generators[0],
                rule=rule,
                times=times,
                start=Function(fine, torch.cat(starts)),
                latent=(
                    _drawn(pipeline, generators, condition, guidance) if given is None else given
                ),
                tile=tile,
            )
            states = _counted(states, bar, len(part))
            clean = pipeline.clean(states, noise_to_signal=noise_to_signal)
            with torch.no_grad():
                pictures.append(coarsen(clean, on).to_image().cpu())
    return check_finite(torch.cat(pictures), "Samples")


def _counted(states: Iterator[State], bar: "tqdm[NoReturn]", each: int) -> Iterator[State]:
    """States, and the steps between them on a bar."""
    for state in states:
        yield state
        bar.update(each if state.prediction is not None else 0)


def _drawn(
    pipeline: InftyDiff,
    generators: Sequence[torch.Generator],
    condition: Float[Tensor, "conditions"] | None,
    guidance: float,
) -> Float[Tensor, "n features"] | None:
    """One latent a generator, for a model that has latents."""
    under = None if condition is None else condition[None]
    drawn = [
        pipeline.draw_latents(batch=1, generator=g, condition=under, guidance=guidance)
        for g in generators
    ]
    known = [latent for latent in drawn if latent is not None]
    return torch.cat(known) if known else None
