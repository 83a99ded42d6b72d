"""The figure of a task: what was observed, the mean, the spread and the samples, side by side."""

from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from inftydiff.cli.figures import Panel, save_figure
from inftydiff.pipelines.tasks import TaskResult

__all__ = ["hidden_grey", "save_task_figure", "spread_picture"]

SHOWN = 4
"""How many samples of a picture are shown."""


def spread_picture(std: Float[Tensor, "n c h w"], most: float) -> Float[Tensor, "n 1 h w"]:
    """Standard deviations as grey pictures, their root mean square over channels.

    Args:
        std: the deviations.
        most: what is white.
    """
    return 2.0 * std.square().mean(1, keepdim=True).sqrt() / most - 1.0


def save_task_figure(
    path: Path,
    result: TaskResult,
    *,
    observed: Float[Tensor, "n c h w"],
    names: Sequence[str],
    truth: Float[Tensor, "n c rows columns"] | None,
    heading: str,
    caption: str,
) -> None:
    """Write the figure of a task.

    Args:
        path: the file.
        result: the answer, of which up to four samples are shown.
        observed: pictures of what was known.
        names: what to call each picture.
        truth: what was to be found, if it is known.
        heading: the line above the figure.
        caption: the line below it; the scale of the spread is added.
    """
    samples = result.samples.to_image()
    columns, labels = [observed, result.mean.to_image()], ["observed", "mean"]
    if samples.shape[1] > 1:
        std = result.std.to_image()
        most = max(std.square().mean(1).sqrt().max().item(), 1e-3)
        columns.append(spread_picture(std, most))
        labels.append("spread")
        caption += f" Spread: standard deviation, white is {most:.2g}."
    shown = min(SHOWN, samples.shape[1])
    columns += list(samples[:, :shown].unbind(1))
    labels += [f"sample {number + 1}" for number in range(shown)]
    if truth is not None:
        columns.append(truth)
        labels.append("truth")
    rows = [[column[row] for column in columns] for row in range(len(names))]
    panel = Panel("", labels, list(names), rows)
    side = max(128, *samples.shape[-2:])
    save_figure(path, [panel], heading=heading, caption=caption, side=side)


def hidden_grey(
    pictures: Float[Tensor, "n c h w"], known: Bool[Tensor, "h w"]
) -> Float[Tensor, "n c h w"]:
    """Pictures with a grey of their middle value where they are not known."""
    return torch.where(known, pictures, 0.0)
