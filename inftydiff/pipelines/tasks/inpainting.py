r"""Inpainting: pictures of which a part is known, completed.

The known part is a set of cells of the picture's grid, of any form, and the samples are functions
whose averages over these cells are the known values (with errors); in the end the values are put
back. The paper's reconstruction guidance knows :math:`S x_0` on them instead, by the normalised
mollification of :func:`~inftydiff.processes.guidance.known_signal`.

*The start time* :math:`t_s` (the paper's fig. 9): below 1, sampling begins from the picture itself,
what it shows in the hidden part included, add_noise up to :math:`t_s`. The smaller it is, the
nearer to that the hidden part stays.

*Latents.* An encoder reads functions that have points everywhere, so a hidden part is filled first,
from the nearest known points. A large hole makes the latent another picture's; unless told
otherwise, latents come from the prior, where there is one, and from the picture for early start
times.

References:
    Bond-Taylor and Willcocks, "∞-Diff", ICLR 2024, section 5 (inpainting). Meng et al., "SDEdit",
    ICLR 2022 (the start time).
"""

import torch
from jaxtyping import Bool
from torch import Tensor

from inftydiff._typing import Real, flag, instance
from inftydiff.operators import Function, Grid, Subset, interpolate, known_points
from inftydiff.pipelines.infty_diff import InftyDiff
from inftydiff.pipelines.tasks._grids import (
    data_consistency,
    filled,
    grid_between,
    known_cells,
    require_pictures,
)
from inftydiff.pipelines.tasks.given import GUIDE, NOISE, observation, sample_given
from inftydiff.pipelines.tasks.result import TaskResult, check_task
from inftydiff.pipelines.tasks.sampling import PLAIN, Guidance, Sampling, add_noise, like
from inftydiff.processes import ReconstructionGuidance, known_signal

__all__ = ["inpaint"]


def inpaint(
    model: InftyDiff,
    x: Function,
    mask: Bool[Tensor, "*shape"],
    *,
    generator: torch.Generator,
    on: Grid | None = None,
    samples: int = 4,
    start_time: Real = 1.0,
    noise_std: Real = NOISE,
    guide: Guidance = GUIDE,
    composite: bool = True,
    how: Sampling = PLAIN,
) -> TaskResult:
    """Sample what is hidden of pictures.

    Args:
        model: the model.
        x: the pictures, on a grid of the model's domain, values of shape ``(pictures, points,
            channels)``. What they show where nothing is known matters for early start times only.
        mask: booleans of the grid's shape, or one a point: true where the pictures are known.
        generator: the source of randomness.
        on: the grid of the answer; by default the pictures'.
        samples: how many samples a picture has.
        start_time: the time :math:`t_s` that sampling begins at.
        noise_std: the deviation of the errors of the known values.
        guide: how samples are guided; ``ReconstructionGuidance`` is the paper's.
        composite: whether the known values are put back in the end, exactly.
        how: the solver, the times and where latents come from.

    Raises:
        TypeError: if the mask is not boolean.
        ValueError: if the mask has another shape or hides nothing or all, the start time is not in
            (0, 1], the pictures live on another domain, or as :func:`sample_given`.
    """
    x = like(model, x)
    cells = require_pictures(model, x)
    samples = check_task(generator, samples, how, on=on, guide=guide)
    flag(composite, "composite")
    instance(mask, Tensor, "A mask", "Give a boolean tensor, true where a value is known.")
    known_points(mask, on=cells)
    mask = mask.flatten().to(x.values.device)
    if bool(mask.all()):
        raise ValueError(
            "The mask is true everywhere: nothing is hidden, and nothing to sample. Make it "
            "false where something is hidden."
        )
    how.times_from(model, start_time)
    on = cells if on is None else on
    grid = grid_between(model, cells, on)
    shown = x.restrict(Subset(cells, mask.nonzero().squeeze(-1)))
    fine = interpolate(x, grid)
    whole = interpolate(x if start_time < 1.0 else filled(shown, cells), grid)
    if isinstance(guide, ReconstructionGuidance):
        inside = known_cells(None, of=cells, on=grid).adjoint(mask.to(x.values).unsqueeze(-1))
        seen = known_signal(model.process, fine, inside.values.squeeze(-1) > 0)
    else:
        reads = known_cells(mask, of=cells, on=grid)
        seen = observation(model, reads, shown.values, noise_std=noise_std)
    start = None
    if start_time < 1.0:
        start = add_noise(model, fine, start_time, samples=samples, generator=generator)
    return sample_given(
        model,
        seen,
        known=shown,
        on=on,
        grid=grid,
        generator=generator,
        samples=samples,
        guide=guide,
        how=how,
        encoded=whole,
        everywhere=start_time < 1.0,
        start=start,
        start_time=start_time,
        finish=(lambda f: data_consistency(f, x, mask)) if composite else None,
    )
