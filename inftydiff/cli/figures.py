"""Figures: sheets of pictures at their own resolution, with titles, row and column labels.

Each pixel of a picture is a square of one colour, drawn without smoothing. A task's figure has what
was observed, the mean, the spread and the samples side by side; an interpolation's the functions
from one picture to another.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray
from torch import Tensor

from inftydiff._writing import whole_file
from inftydiff.pipelines.tasks import TaskResult

__all__ = [
    "Panel",
    "hidden_grey",
    "one_grey_a_channel",
    "save_figure",
    "save_pictures",
    "save_task_figure",
    "save_way_figure",
    "spread_picture",
    "to_pixels",
]

DPI = 100
GAP = 6
LEFT, RIGHT, TOP, BOTTOM = 150, 20, 50, 40
TITLE, COLUMNS = 36, 26
NARROWEST = 620
"""Pixels that the heading and the caption need."""


@final
@dataclass(frozen=True, eq=False)
class Panel:
    """A table of pictures.

    Args:
        title: what it shows.
        columns: the label of each column.
        rows: the label of each row.
        pictures: row by row, each of shape ``(c, h, w)`` with values in [-1, 1]; the last row may
            be shorter.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[str]
    pictures: Sequence[Sequence[Tensor]]


def to_pixels(picture: Float[Tensor, "c h w"]) -> UInt8[ndarray, "h w 3"]:
    """The values (x + 1) / 2, clamped to [0, 1], as eight-bit colours.

    Raises:
        ValueError: if there are not one or three channels.
    """
    if picture.shape[0] not in (1, 3):
        raise ValueError(
            f"A picture file shows 1 or 3 channels; got {picture.shape[0]}. Write an .npy file."
        )
    colours = ((picture.detach().cpu().float() + 1.0) * 127.5).round().clamp(0, 255)
    return colours.byte().expand(3, -1, -1).permute(1, 2, 0).contiguous().numpy()


def save_figure(
    path: Path, panels: Sequence[Panel], *, heading: str, caption: str, side: int = 256
) -> None:
    """Write panels, one below the other, to a PNG file, with all text as it is and no formulas.

    Args:
        path: the file.
        panels: what to show.
        heading: the line above them.
        caption: the line below them.
        side: the longest side of a picture on the sheet, in pixels.
    """
    from matplotlib.figure import Figure

    sheets = [_sheet(panel, side) for panel in panels]
    width = LEFT + max(NARROWEST, *(sheet.shape[1] for sheet in sheets)) + RIGHT
    tops = [COLUMNS + (TITLE if panel.title else 0) for panel in panels]
    height = TOP + sum(tops) + sum(sheet.shape[0] for sheet in sheets) + BOTTOM
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
    for text, place, look in (
        (heading, 1.0 - 28 / height, {"size": 15, "weight": "bold"}),
        (caption, 18 / height, {"size": 10, "color": "0.3"}),
    ):
        figure.text(LEFT / width, place, _line(text), look, va="center", parse_math=False)
    top = TOP
    for panel, sheet, above in zip(panels, sheets, tops, strict=True):
        top += above
        rows, columns = sheet.shape[:2]
        box = (LEFT / width, 1.0 - (top + rows) / height, columns / width, rows / height)
        axes = figure.add_axes(box)
        axes.imshow(sheet, interpolation="nearest", aspect="auto")
        axes.set_title(_line(panel.title), loc="left", size=12, pad=24, parse_math=False)
        axes.xaxis.tick_top()
        for set_ticks, length, labels in (
            (axes.set_xticks, columns, panel.columns),
            (axes.set_yticks, rows, panel.rows),
        ):
            texts = [_shown(label) for label in labels]
            set_ticks(_middles(length, len(texts)), texts, size=11, parse_math=False)
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)
        top += rows
    with whole_file(path) as partial:
        figure.savefig(partial)


def save_pictures(folder: Path, pictures: Float[Tensor, "n c h w"]) -> list[Path]:
    """Write ``0000.png``, ``0001.png``, … and return their paths."""
    from PIL import Image

    paths = [folder / f"{number:04d}.png" for number in range(len(pictures))]
    for path, picture in zip(paths, pictures, strict=True):
        Image.fromarray(to_pixels(picture)).save(path)
    return paths


def _line(text: str) -> str:
    """Text on one line."""
    return " ".join(_shown(text).split())


def _shown(text: str) -> str:
    """Text of which each character can be drawn: a path may have others."""
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)


def _sheet(panel: Panel, side: int) -> UInt8[ndarray, "h w 3"]:
    """The pictures of a panel side by side, white between them.

    Pictures of one domain and several sizes differ by some pixels when they are enlarged.
    """
    rows = [[_enlarged(to_pixels(picture), side) for picture in row] for row in panel.pictures]
    height = max(pixels.shape[0] for row in rows for pixels in row)
    width = max(pixels.shape[1] for row in rows for pixels in row)
    shape = (len(rows) * (height + GAP) - GAP, len(rows[0]) * (width + GAP) - GAP, 3)
    sheet = np.full(shape, 255, dtype=np.uint8)
    for i, row in enumerate(rows):
        for j, pixels in enumerate(row):
            top, left = i * (height + GAP), j * (width + GAP)
            sheet[top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels
    return sheet


def _enlarged(pixels: UInt8[ndarray, "h w 3"], side: int) -> UInt8[ndarray, "h2 w2 3"]:
    """The picture with its longest side drawn ``side`` pixels long, by repetition."""
    from PIL import Image

    scale = side / max(pixels.shape[:2])
    size = (round(pixels.shape[1] * scale), round(pixels.shape[0] * scale))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.NEAREST))


def _middles(length: int, count: int) -> list[float]:
    """Where the middles of ``count`` pictures are along a side of the sheet."""
    one = (length + GAP) / count
    return [(i + 0.5) * one - 0.5 * GAP - 0.5 for i in range(count)]


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
