"""Checks of what all tasks take: a generator, a number of samples, a guide, and how to sample."""

import torch

from inftydiff._typing import generator_for, instance
from inftydiff.operators.discretisation import Grid
from inftydiff.pipelines.tasks.sampling import Guidance, Sampling
from inftydiff.processes.checks import a_grid, conforming, samples
from inftydiff.processes.guidance import Guide, Projection

__all__ = ["check_task"]


def check_task(
    generator: torch.Generator,
    count: int,
    how: Sampling,
    *,
    on: Grid | None = None,
    guide: Guidance | None = None,
) -> int:
    """Return the number of samples as an integer, refusing arguments of other kinds.

    Args:
        generator: the source of randomness.
        count: the number of samples of each picture.
        how: how it is sampled.
        on: the grid of the answer, or None.
        guide: what moves samples towards what was observed, or None.

    Raises:
        TypeError: if an argument is of another kind.
        ValueError: if the number of samples is not whole, or below one.
    """
    generator_for(generator, "A task")
    instance(how, Sampling, "how", "Pass Sampling(…).")
    if on is not None:
        a_grid(on)
    if guide is not None and not isinstance(guide, Projection):
        conforming(guide, Guide, "A guide", "Pass Projection() or MomentMatching(), say.")
    return samples(count, "The number of samples")
