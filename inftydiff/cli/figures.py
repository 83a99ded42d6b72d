"""Figures: sheets of pictures at their own resolution, with titles, row and column labels.

Each pixel of a picture is a square of one colour, drawn without smoothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray
from torch import Tensor

from inftydiff._writing import whole_file

__all__ = ["Panel", "save_figure", "save_pictures", "to_pixels"]

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
