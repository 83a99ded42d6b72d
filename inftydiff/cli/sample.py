"""``inftydiff sample``: pictures from a checkpoint, at any size."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, final

import numpy as np
import tyro
from jaxtyping import Float
from torch import Tensor

from inftydiff._typing import whole
from inftydiff._writing import whole_file, whole_folder
from inftydiff.cli.command import MOST_PICTURES, Command, require_free, require_writable
from inftydiff.cli.drawing import SolverArguments, draw
from inftydiff.cli.figures import Panel, save_figure, save_pictures
from inftydiff.cli.labels import condition_of
from inftydiff.pipelines import load_pipeline
from inftydiff.processes._seeds import seeds_from

__all__ = ["Sample"]

ACROSS = 8
"""How many pictures stand side by side on a sheet."""


@final
@dataclass(frozen=True)
class Sample(Command):
    """Draw pictures from a trained model, at any size; a seed is one picture, whatever the size.

    Args:
        checkpoint: a run folder, of which the newest checkpoint is taken, or one checkpoint; or a
            saved model: its folder, or its name on the Hugging Face Hub.
        size: pixels along the longest side, or rows and columns.
        count: how many pictures; they have the seeds SEED, SEED + 1, …
        seed: the seed of the first picture.
        how: how they are drawn.
        tile: pixels along a tile's sides, or its rows and columns, for pictures too large for the
            memory otherwise: the same pictures, in more time.
        label: a class, for a model whose prior was trained with --labels; without it, all classes
            as they come.
        condition: the numbers of a condition that is no class.
        guidance: the strength of label or condition: 1 for what is like the data, more for what is
            typical of the class.
        out: a folder for sheet.png and 0000.png, 0001.png, …; or a file that ends with .npy, for
            one float32 array of shape (count, channels, rows, columns), about [-1, 1].
        overwrite: replace what is there.
    """

    checkpoint: tyro.conf.Positional[Path]
    size: tuple[int] | tuple[int, int] = (64,)
    count: int = 8
    seed: int = 0
    how: Annotated[SolverArguments, tyro.conf.arg(name="")] = field(default_factory=SolverArguments)
    label: int | None = None
    condition: tuple[float, ...] | None = None
    guidance: float = 1.0
    tile: int | tuple[int, int] | None = None
    out: Path = Path("samples")
    overwrite: bool = False

    def run(self, words: Sequence[str]) -> None:
        whole(self.count, "--count", most=MOST_PICTURES)
        seeds = seeds_from(self.seed, self.count, "--seed")
        pipeline = load_pipeline(self.checkpoint)
        condition = condition_of(pipeline, self.label, self.condition)
        if condition is None and self.guidance != 1.0:
            raise ValueError(
                "--guidance is the strength of --label or --condition; give one. There is neither."
            )
        size = self.size[0] if len(self.size) == 1 else self.size
        on = pipeline.grid(size)
        array = self.out.suffix == ".npy"
        if array and self.out.exists() and not self.overwrite:
            raise ValueError(f"{self.out} exists. Choose another --out, or pass --overwrite.")
        if not array:
            require_free(self.out, ["sheet.png", "0000.png, …"], overwrite=self.overwrite)
        if not array and pipeline.config.channels not in (1, 3):
            raise ValueError(
                f"This model has {pipeline.config.channels} channels, and picture files show 1 or "
                "3. Give --out a name that ends with .npy."
            )
        require_writable(self.out.parent if array else self.out)
        pictures = draw(
            pipeline,
            on,
            seeds,
            solver=self.how.chosen,
            times=self.how.times(pipeline),
            title="Sampling",
            condition=None if condition is None else condition.expand(self.count, -1),
            guidance=self.guidance,
            tile=self.tile,
        )
        if array:
            with whole_file(self.out) as partial:
                np.save(partial, pictures.float().numpy())
        else:
            with whole_folder(self.out) as folder:
                save_pictures(folder, pictures)
                self.save_sheet(folder, pictures)
        print(f"{self.count} pictures of {on.shape[0]} × {on.shape[1]} in {self.out}")

    def save_sheet(self, folder: Path, pictures: Float[Tensor, "n c h w"]) -> None:
        """Write all pictures on one sheet in a folder."""
        columns = min(ACROSS, len(pictures))
        rows, width = pictures.shape[-2:]
        panel = Panel(
            f"{rows} × {width} pixels",
            [f"+{column}" for column in range(columns)],
            [f"seed {self.seed + first}" for first in range(0, len(pictures), columns)],
            [list(row) for row in pictures.split(columns)],
        )
        save_figure(
            folder / "sheet.png",
            [panel],
            heading=f"Samples from {self.checkpoint}",
            caption=f"{self.how.said}. The seed of a picture is its row's plus its column's.",
            side=max(128, rows, width),
        )
