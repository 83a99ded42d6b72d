"""``inftydiff reconstruct``: pictures encoded from some of their points, decoded at any size."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, final

import torch
import tyro
from jaxtyping import Float
from torch import Tensor

from inftydiff import Function, random_subset
from inftydiff._typing import whole
from inftydiff._writing import whole_folder
from inftydiff.cli.command import MOST_PICTURES, Command, require_free, require_writable
from inftydiff.cli.drawing import SolverArguments, draw
from inftydiff.cli.figures import Panel, save_figure
from inftydiff.cli.real import Real, RealArray, RealFaces, RealFolder, is_array
from inftydiff.data.array import Layout
from inftydiff.pipelines import InftyDiff, load_pipeline
from inftydiff.processes._seeds import generator_of, seeds_from

__all__ = ["Reconstruct", "psnr"]

SHEET = "reconstructions.png"


def psnr(a: Float[Tensor, "*shape"], b: Float[Tensor, "*shape"]) -> float:
    r"""The peak signal-to-noise ratio :math:`10 \log_{10}(2^2 / \mathrm{mean}\,(a - b)^2)` in dB.

    Example:
        >>> round(psnr(torch.zeros(4), 0.2 * torch.ones(4)), 3)
        20.0
    """
    return float(10.0 * torch.log10(4.0 / (a - b).double().square().mean()))


@final
@dataclass(frozen=True)
class Reconstruct(Command):
    """Encode pictures from a random part of their points, and decode the latents at any sizes.

    Prints how far the reconstructions are from the pictures at every size, and writes a sheet.

    Args:
        checkpoint: a run folder or a checkpoint of a model with latents.
        data: "faces", a folder of image files, or a .npy or .npz file of pictures.
        count: how many pictures.
        points: the part of a picture's points that the encoder sees.
        size: pixels along the longest side of what the encoder sees; arrays keep theirs.
        sizes: pixels along the longest side that are decoded. Faces are compared at all of these,
            other pictures at their own.
        style: the style of faces.
        layout: the axes of an array: pictures (n), channels (c), rows (h), columns (w);
            by default nchw where there are one to four channels.
        seed: of the points and of the noise.
        how: how they are decoded.
        tile: pixels along a tile's sides, or its rows and columns, for sizes too large for the
            memory otherwise.
        out: a folder for reconstructions.png.
        overwrite: replace what is there.
    """

    checkpoint: tyro.conf.Positional[Path]
    data: str = "faces"
    count: int = 6
    points: float = 0.25
    size: int = 64
    sizes: tuple[int, ...] = (32, 64, 128, 256)
    style: str = "toon-head"
    layout: Layout | None = None
    seed: int = 0
    how: Annotated[SolverArguments, tyro.conf.arg(name="")] = field(default_factory=SolverArguments)
    tile: int | tuple[int, int] | None = None
    out: Path = Path("reconstructions")
    overwrite: bool = False

    def run(self, words: Sequence[str]) -> None:
        seeds_from(self.seed, whole(self.count, "--count", most=MOST_PICTURES), "--seed")
        whole(self.size, "--size")
        for size in self.sizes:
            whole(size, "--sizes")
        if not 0.0 < self.points <= 1.0:
            raise ValueError(f"--points is a fraction in (0, 1]; got {self.points}.")
        pipeline = load_pipeline(self.checkpoint)
        if pipeline.encoder is None:
            raise ValueError(
                f"{self.checkpoint} holds a model without latents, which cannot reconstruct. Train "
                "one with --latent."
            )
        if pipeline.config.channels not in (1, 3):
            raise ValueError(
                f"This model has {pipeline.config.channels} channels, and the sheet of pictures "
                "shows 1 or 3. Use InftyDiff.reconstruct in Python."
            )
        require_free(self.out, [SHEET], overwrite=self.overwrite)
        require_writable(self.out)
        real = self.real(pipeline)
        pictures = self.pictures(pipeline, real, self.size)
        latents = self.latents(pipeline, pictures)
        times = self.how.times(pipeline)
        columns, errors = [pictures], []
        for size in self.sizes:
            decoded = draw(
                pipeline,
                pipeline.grid(size),
                seeds_from(self.seed, len(pictures)),
                times=times,
                title=f"Decoding at {_named(pipeline.grid(size).shape)}",
                solver=self.how.chosen,
                latent=latents,
                tile=self.tile,
            )
            columns.append(decoded)
            truth = pictures
            if self.data == "faces":
                truth = self.pictures(pipeline, real, size)
            if truth.shape == decoded.shape:
                rms = (decoded - truth).square().mean().sqrt()
                name = _named(decoded.shape[-2:])
                errors.append(f"{name}: {psnr(decoded, truth):.1f} dB, rms {rms:.3f}")
        with whole_folder(self.out) as folder:
            self.save_sheet(folder, columns)
        seen = _named(pictures.shape[-2:])
        print(f"Reconstructed from {self.points:.0%} of the points at {seen}")
        print(*errors, sep="\n")
        print(f"Pictures in {self.out / SHEET}")

    def real(self, pipeline: InftyDiff) -> Real:
        """Where the pictures come from.

        Raises:
            ValueError: if there is no such source.
        """
        path = Path(self.data)
        if self.data == "faces":
            return RealFaces(self.style, "test")
        if is_array(path):
            return RealArray.read(path, self.layout)
        return RealFolder(path, 1 if pipeline.config.channels == 1 else 3)

    def pictures(self, pipeline: InftyDiff, real: Real, size: int) -> Float[Tensor, "n c h w"]:
        """The pictures in the proportions of the model's domain, in [-1, 1].

        Raises:
            ValueError: if there are too few, or they have other proportions or channels than the
                model.
        """
        shape = real.shape or _shape(pipeline, size)
        if shape != _shape(pipeline, max(shape)):
            rows, columns = _shape(pipeline, max(shape))
            raise ValueError(
                f"{self.data} holds pictures of {shape[0]} × {shape[1]} pixels, and this model's "
                f"of so many along the longest side have {rows} × {columns}. Crop them."
            )
        images = real.take(self.count, shape, advice="Change --count.")
        if images.shape[0] != pipeline.config.channels:
            raise ValueError(
                f"{self.data} has pictures of {images.shape[0]} channels, and this model "
                f"{pipeline.config.channels}. Give others by --data, or choose --layout."
            )
        return torch.stack([images[i] for i in range(self.count)])

    def latents(
        self, pipeline: InftyDiff, pictures: Float[Tensor, "n c h w"]
    ) -> Float[Tensor, "n features"]:
        """The latents of pictures, each seen at points of its own."""
        x0 = Function.from_image(pictures, pipeline.config.domain)
        if self.points < 1.0:
            generator = generator_of(self.seed)
            size = max(1, round(self.points * x0.on.size))
            grid = pipeline.grid((pictures.shape[-2], pictures.shape[-1]))
            x0 = x0.restrict(random_subset(grid, size, batch=len(pictures), generator=generator))
        return pipeline.encode(x0)

    def save_sheet(self, folder: Path, columns: Sequence[Tensor]) -> None:
        """Write the pictures and their reconstructions side by side, in a folder."""
        panel = Panel(
            "",
            [
                f"picture, {_named(columns[0].shape[-2:])}",
                *(_named(column.shape[-2:]) for column in columns[1:]),
            ],
            [f"{row + 1}" for row in range(len(columns[0]))],
            [[column[row] for column in columns] for row in range(len(columns[0]))],
        )
        save_figure(
            folder / SHEET,
            [panel],
            heading="One latent a row, decoded on every grid",
            caption=f"Encoded from {self.points:.0%} of the points; {self.checkpoint}.",
            side=160,
        )


def _shape(pipeline: InftyDiff, size: int) -> tuple[int, int]:
    """Rows and columns of a model's pictures with so many pixels along the longest side."""
    rows, columns = pipeline.grid(size).shape
    return rows, columns


def _named(shape: Sequence[int]) -> str:
    """Rows and columns in words."""
    rows, columns = shape
    return f"{rows}²" if rows == columns else f"{rows} × {columns}"
