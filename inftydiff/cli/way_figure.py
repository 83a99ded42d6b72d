"""The figure of a way: the functions from one picture to another, side by side."""

from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff.cli.figures import Panel, save_figure
from inftydiff.cli.task_figure import SHOWN, one_grey_a_channel, spread_picture
from inftydiff.pipelines.tasks import TaskResult

__all__ = ["save_way_figure"]


def save_way_figure(
    path: Path,
    result: TaskResult,
    *,
    ends: Float[Tensor, "2 c rows columns"] | None,
    heading: str,
    caption: str,
) -> None:
    """Write the figure of the functions on a way.

    Args:
        path: the file.
        result: the functions, of which up to four ways are shown, and of several ways their mean
            and their spread.
        ends: the pictures at the ends; None where these are functions on the way.
        heading: the line above the figure.
        caption: the line below it; the scale of the spread is added.
    """
    samples = result.samples.to_image()
    count, ways = samples.shape[:2]
    columns = [f"{place / (count - 1):.2g}" for place in range(count)]
    lines = {f"way {way + 1}": samples[:, way] for way in range(min(SHOWN, ways))}
    if ways > 1:
        lines["mean"] = result.mean.to_image()
    rows = {
        name: list(row)
        for line, pictures in lines.items()
        for name, row in _greys(line, pictures).items()
    }
    if ways > 1:
        std = result.std.to_image()
        most = max(std.square().mean(1).sqrt().max().item(), 1e-3)
        rows["spread"] = list(spread_picture(std, most))
        caption += f" Spread: standard deviation, white is {most:.2g}."
    if ends is not None:
        columns = ["picture", *columns, "picture"]
        borders = list(_greys("", ends).values())
        blank = torch.ones_like(borders[0][0])
        for number, (name, row) in enumerate(rows.items()):
            first, last = (blank, blank) if name == "spread" else borders[number % len(borders)]
            rows[name] = [first, *row, last]
    panel = Panel("", columns, list(rows), list(rows.values()))
    save_figure(path, [panel], heading=heading, caption=caption, side=max(128, *samples.shape[-2:]))


def _greys(name: str, pictures: Float[Tensor, "n c h w"]) -> dict[str, Float[Tensor, "n _ h w"]]:
    """Pictures in one row, or in one row a channel where these are no colours."""
    shown = one_grey_a_channel(pictures).unflatten(0, (len(pictures), -1))
    if shown.shape[1] == 1:
        return {name: shown[:, 0]}
    return {f"{name}, {channel + 1}": row for channel, row in enumerate(shown.unbind(1))}
