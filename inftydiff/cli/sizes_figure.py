"""The figure of samples at several sizes: one noise a row, read on one grid a column."""

import time
from collections.abc import Sequence
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from inftydiff import DDIM, steps
from inftydiff.cli.drawing import draw
from inftydiff.cli.figures import Panel, save_figure
from inftydiff.pipelines import InftyDiff

__all__ = ["save_sizes_figure"]


def save_sizes_figure(
    path: Path, pipeline: InftyDiff, sizes: Sequence[int], seeds: Sequence[int], *, caption: str
) -> dict[int, float]:
    """Draw the samples and write the figure.

    Args:
        path: the file.
        pipeline: a trained model.
        sizes: cells along the longest side, one a column.
        seeds: one a row.
        caption: what stands below, before the step rule.

    Returns:
        The seconds that the samples of each size took.
    """
    times = steps(pipeline.config.steps)
    columns: list[Float[Tensor, "n c h w"]] = []
    seconds = {}
    for size in sizes:
        begin = time.perf_counter()
        columns.append(
            draw(
                pipeline,
                pipeline.grid(size),
                seeds,
                rule=DDIM(),
                times=times,
                title=f"Sampling at {size}²",
            )
        )
        seconds[size] = time.perf_counter() - begin
    grids = {2: "two grids", 3: "three grids", 4: "four grids"}.get(len(sizes), "every grid")
    save_figure(
        path,
        [
            Panel(
                "",
                [f"{size} × {size}" for size in sizes],
                [f"seed {seed}" for seed in seeds],
                [[column[row] for column in columns] for row in range(len(seeds))],
            )
        ],
        heading=f"One noise a row, read on {grids}",
        caption=f"{caption}; DDIM, {len(times) - 1} steps.",
    )
    return seconds
