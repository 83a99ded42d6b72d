"""The figure of samples at several sizes: one noise a row, read on one grid a column."""

import time
from collections.abc import Sequence
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from inftydiff import Function, Grid, timesteps
from inftydiff.cli.drawing import draw
from inftydiff.cli.figures import Panel, save_figure
from inftydiff.operators.cells import coarsen
from inftydiff.pipelines import InftyDiff

__all__ = ["save_sizes_figure"]


def save_sizes_figure(
    path: Path, pipeline: InftyDiff, sizes: Sequence[int], seeds: Sequence[int], *, caption: str
) -> dict[str, float]:
    """Draw the samples and write the figure.

    Args:
        path: the file.
        pipeline: a trained model.
        sizes: cells along the longest side, one a column.
        seeds: one a row.
        caption: what stands below, before the solver.

    Returns:
        The seconds that sampling took, by the sizes that were read off the same samples. Those
        below the training grid are averages of one sample on it.
    """
    times = timesteps(pipeline.config.steps)
    grids = {size: pipeline.grid(size) for size in sizes}
    together: dict[Grid, list[int]] = {}
    for size, on in grids.items():
        together.setdefault(pipeline.sampling_grid(on), []).append(size)
    columns: dict[int, Float[Tensor, "n c h w"]] = {}
    seconds = {}
    for fine, read in together.items():
        name = ", ".join(f"{size}²" for size in read)
        begin = time.perf_counter()
        drawn = draw(pipeline, fine, seeds, times=times, title=f"Sampling at {max(fine.shape)}²")
        seconds[name] = time.perf_counter() - begin
        whole = Function.from_image(drawn, fine.domain)
        columns |= {size: coarsen(whole, grids[size]).to_image() for size in read}
    number = {2: "two grids", 3: "three grids", 4: "four grids"}.get(len(sizes), "every grid")
    save_figure(
        path,
        [
            Panel(
                "",
                [f"{size} × {size}" for size in sizes],
                [f"seed {seed}" for seed in seeds],
                [[columns[size][row] for size in sizes] for row in range(len(seeds))],
            )
        ],
        heading=f"One noise a row, read on {number}",
        caption=f"{caption}; DDIM, {len(times) - 1} steps.",
    )
    return seconds
