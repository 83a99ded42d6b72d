"""``inftydiff inpaint``: pictures of which a part is hidden, completed."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, final

import torch
import tyro
from jaxtyping import Bool
from torch import Tensor

from inftydiff import Projection, ReconstructionGuidance
from inftydiff.cli.command import Command
from inftydiff.cli.figures import hidden_grey
from inftydiff.cli.tasks import Prepared, TaskArguments
from inftydiff.data._masks import painted, touched
from inftydiff.pipelines.tasks import inpaint

__all__ = ["Inpaint", "box_mask"]

ROUNDING = 1e-6
"""The part of a cell by which a box may miss its edge and yet not touch it."""


def box_mask(
    box: tuple[float, float, float, float], shape: tuple[int, int]
) -> Bool[Tensor, "rows columns"]:
    """True in the cells that have no part in a box.

    Args:
        box: its top, left, bottom and right, as fractions of the height and the width.
        shape: rows and columns.

    Raises:
        ValueError: if the fractions are not in order within [0, 1].

    Example:
        >>> box_mask((0.0, 0.5, 1.0, 1.0), (1, 4)).tolist()
        [[True, True, False, False]]
    """
    top, left, bottom, right = box
    if not (0.0 <= top < bottom <= 1.0 and 0.0 <= left < right <= 1.0):
        raise ValueError(
            "--box takes the top, left, bottom and right of what is hidden, as fractions of the "
            f"height and the width, such as 0.25 0.25 0.75 0.75; got {top} {left} {bottom} {right}."
        )
    inside, across = (
        (begin < (cells + 1) / n - ROUNDING / n) & (end > cells / n + ROUNDING / n)
        for n, begin, end in zip(shape, (top, left), (bottom, right), strict=True)
        for cells in (torch.arange(n, dtype=torch.float64),)
    )
    return ~(inside.unsqueeze(1) & across)


@final
@dataclass(frozen=True)
class Inpaint(Command):
    """Sample what is hidden of pictures; the rest stays as it is.

    Args:
        task: the pictures, the sizes and the samples.
        mask: a picture that is white where pictures are hidden and black or transparent where they
            are known, of as many pixels as they have, or as they are taken at. A pixel of the
            pictures as they are taken is known if all of it is.
        box: hide a box instead, and the pixels that it touches: its top, left, bottom and right, as
            fractions of the sides.
        start_time: below 1, begin with what the pictures show, noised up to this time: the smaller
            it is, the nearer the hidden part stays to that.
        guide: "projection", or "reconstruction", the paper's.
        strength: of reconstruction guidance.
        noise_std: the deviation of the errors of the known values, which range from -1 to 1.
        composite: put the known values back in the end, exactly.
    """

    task: Annotated[TaskArguments, tyro.conf.arg(name="")]
    mask: Path | None = None
    box: tuple[float, float, float, float] | None = None
    start_time: float = 1.0
    guide: Literal["projection", "reconstruction"] = "projection"
    strength: float = 1.0
    noise_std: float = 0.02
    composite: bool = True

    def run(self, words: Sequence[str]) -> None:
        if (self.mask is None) == (self.box is None):
            raise ValueError(
                "Say what is hidden: by --mask, a picture that is white there, or by --box, such "
                "as --box 0.25 0.25 0.75 0.75. Got both, or neither."
            )
        if not 0.0 < self.start_time <= 1.0:
            raise ValueError(f"--start-time lies above 0 and at most at 1; got {self.start_time}.")
        if self.strength != 1.0 and self.guide != "reconstruction":
            raise ValueError(
                "--strength belongs to --guide reconstruction. "
                f"Got --guide {self.guide}: leave --strength out, or change the guide."
            )
        ready = self.task.prepare(taken_at=None, size=None)
        known = self.known(ready)
        paper = self.guide == "reconstruction"
        guide = ReconstructionGuidance(self.strength) if paper else Projection()
        result = self.task.sample(
            ready.pipeline,
            lambda how, generator: inpaint(
                ready.pipeline,
                ready.x,
                known,
                generator=generator,
                on=ready.on,
                samples=self.task.samples,
                start_time=self.start_time,
                noise_std=self.noise_std,
                guide=guide,
                composite=self.composite,
                how=how,
            ),
        )
        self.task.save(
            result,
            observed=hidden_grey(ready.pictures, known),
            names=ready.source.names,
            truth=ready.truth(),
            heading=f"Inpainting, {(~known).float().mean():.0%} hidden",
            caption=f"{self.task.checkpoint}, by {self.guide}, from t = {self.start_time:g}.",
        )

    def known(self, ready: Prepared) -> Bool[Tensor, "rows columns"]:
        """Where the pictures are known, on the grid that they are taken at.

        Raises:
            ValueError: if the mask has another shape than the pictures, or hides nothing or all.
        """
        rows, columns = ready.pictures.shape[-2:]
        if self.mask is None:
            assert self.box is not None
            known = box_mask(self.box, (rows, columns))
        else:
            known = read_mask(self.mask, ready)
        if not bool(known.any()):
            raise ValueError("The mask hides everything. Draw pictures by inftydiff sample.")
        if bool(known.all()):
            raise ValueError(
                f"Nothing is hidden at {rows} × {columns}. Paint what is to be sampled white in "
                "the mask, or make the box larger."
            )
        return known


def read_mask(file: Path, ready: Prepared) -> Bool[Tensor, "rows columns"]:
    """A mask's file as booleans, true where pictures are known: cells that no paint touches.

    Args:
        file: white where pictures are hidden; what is transparent hides nothing.
        ready: the pictures.

    Raises:
        ValueError: if there is no such file, it cannot be read, or it has other pixels than the
            pictures.
    """
    if not file.is_file():
        raise ValueError(f"--mask {file} is no file. Give a picture.")
    paint = painted(file)
    rows, columns = ready.pictures.shape[-2:]
    allowed = {(rows, columns), *ready.source.sizes()}
    found = tuple(paint.shape)
    if found not in allowed:
        wanted = " or ".join(f"{h} × {w}" for h, w in sorted(allowed))
        raise ValueError(
            f"The mask has as many pixels as the pictures, {wanted}; {file} has {found[0]} × "
            f"{found[1]}. Resize the mask."
        )
    return ~touched(paint, (rows, columns))
