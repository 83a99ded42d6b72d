"""The figure of a task: what was observed, the mean, the spread and the samples, side by side."""

from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from inftydiff.cli.figures import Panel, save_figure
from inftydiff.pipelines.tasks import TaskResult

__all__ = ["hidden_grey", "one_grey_a_channel", "save_task_figure", "spread_picture"]

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
        result: the answer, of which up to four samples are shown. Channels that are neither one nor
            three have a row each.
        observed: pictures of what was known.
        names: what to call each picture.
        truth: what was to be found, if it is known.
        heading: the line above the figure.
        caption: the line below it; the scale of the spread is added.
    """
    samples = one_grey_a_channel(result.samples.to_image())
    channels = len(samples) // len(names)
    if channels > 1:
        names = [f"{name}, {channel + 1}" for name in names for channel in range(channels)]
    columns = [one_grey_a_channel(x) for x in (observed, result.mean.to_image())]
    labels = ["observed", "mean"]
    if samples.shape[1] > 1:
        std = one_grey_a_channel(result.std.to_image())
        most = max(std.square().mean(1).sqrt().max().item(), 1e-3)
        columns.append(spread_picture(std, most))
        labels.append("spread")
        caption += f" Spread: standard deviation, white is {most:.2g}."
    shown = min(SHOWN, samples.shape[1])
    columns += list(samples[:, :shown].unbind(1))
    labels += [f"sample {number + 1}" for number in range(shown)]
    if truth is not None:
        columns.append(one_grey_a_channel(truth))
        labels.append("truth")
    rows = [[column[row] for column in columns] for row in range(len(names))]
    panel = Panel("", labels, list(names), rows)
    side = max(128, *samples.shape[-2:])
    save_figure(path, [panel], heading=heading, caption=caption, side=side)


def one_grey_a_channel(
    pictures: Float[Tensor, "n *samples c h w"],
) -> Float[Tensor, "m *samples c2 h w"]:
    """Pictures as they are if they have one or three channels, else a grey one for each channel.

    Args:
        pictures: any, or several samples of each.

    Example:
        >>> tuple(one_grey_a_channel(torch.zeros(4, 6, 2, 8, 8)).shape)
        (8, 6, 1, 8, 8)
    """
    if pictures.shape[-3] in (1, 3):
        return pictures
    return pictures.movedim(-3, 1).flatten(0, 1).unsqueeze(-3)


def hidden_grey(
    pictures: Float[Tensor, "n c h w"], known: Bool[Tensor, "h w"]
) -> Float[Tensor, "n c h w"]:
    """Pictures with a grey of their middle value where they are not known."""
    return torch.where(known, pictures, 0.0)
