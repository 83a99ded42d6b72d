"""Where training pictures come from: vector faces, a folder of image files, an array, fields."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, final

import torch
import tyro
from torch import Tensor
from torch.utils.data import Dataset, Subset

from inftydiff._typing import whole
from inftydiff.cli.field_source import HELD_OUT, FieldSource, Source, how_many_held_out
from inftydiff.data import (
    ImageArray,
    ImageFolder,
    Images,
    face_credit,
    face_seeds,
    faces,
    image_array,
    image_folder,
)
from inftydiff.data._field_sources import HDF5, NETCDF, refuse_address
from inftydiff.data._files import picture_files
from inftydiff.data.array import Layout
from inftydiff.data.lazy import OnError
from inftydiff.processes._seeds import generator_of

__all__ = [
    "LAZY_BYTES",
    "ArraySource",
    "FaceSource",
    "FolderSource",
    "PictureArguments",
    "split",
]

LAZY_BYTES = 2**30
"""Pictures that take more memory than this are read when they are needed."""


@final
@dataclass(frozen=True)
class FaceSource(Source):
    """Vector faces.

    Args:
        style: the style's name.
        images: how many to train on.
        held_out: how many to hold out.
        resolution: pixels a side.
    """

    style: str
    images: int
    held_out: int
    resolution: int

    def __post_init__(self) -> None:
        face_credit(self.style)
        face_seeds("train", self.images)
        face_seeds("validation", self.held_out)

    @property
    def shape(self) -> tuple[int, int, int]:
        return 3, self.resolution, self.resolution

    def load(self) -> tuple[Dataset[Tensor], Images]:
        return (
            faces(self.style, face_seeds("train", self.images), self.resolution),
            faces(self.style, face_seeds("validation", self.held_out), self.resolution),
        )


@final
@dataclass(frozen=True)
class FolderSource(Source):
    """A folder of image files, in memory unless it is large.

    Args:
        folder: the folder.
        held_out: how many to hold out; None for a tenth, at most 128.
        resolution: rows and columns that they are reduced to.
        seed: of the choice of those held out.
        channels: 3 for colours, 1 for grey.
        lazy: read them when they are needed, however small the folder is.
        on_error: what files that cannot be read do.
    """

    folder: Path
    held_out: int | None
    resolution: tuple[int, int]
    seed: int
    channels: Literal[1, 3] = 3
    lazy: bool = False
    on_error: OnError = "raise"

    @staticmethod
    def shape_of(
        folder: Path, resolution: tuple[int, ...], keep_proportions: bool, on_error: OnError
    ) -> tuple[int, int]:
        """Rows and columns of the pictures: as given, or in the proportions of most files.

        Args:
            folder: the folder.
            resolution: one number of pixels, or rows and columns.
            keep_proportions: whether one number is that of the longest side, else of both.
            on_error: what files that cannot be read do.

        Raises:
            ValueError: if a number is out of range, or files cannot be read.
        """
        if len(resolution) == 2 or not keep_proportions:
            return whole(resolution[0], "rows"), whole(resolution[-1], "columns")
        images = ImageFolder(folder, longest=resolution[0], check=False, on_error=on_error)
        return images.shape[1:]

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.channels, *self.resolution

    def load(self) -> tuple[Dataset[Tensor], Images]:
        c, h, w = self.shape
        if not self.lazy and len(picture_files(self.folder, None)) * c * h * w <= LAZY_BYTES:
            images = image_folder(
                self.folder, self.resolution, channels=self.channels, on_error=self.on_error
            )
            train, held_out = split(len(images), self.held_out, self.seed)
            return Images(images.pixels[train]), Images(images.pixels[held_out])
        lazy = ImageFolder(
            self.folder, self.resolution, channels=self.channels, on_error=self.on_error
        )
        train, held_out = split(len(lazy), self.held_out, self.seed)
        return lazy.select(train.tolist()), lazy.select(held_out.tolist()).in_memory()


@final
@dataclass(frozen=True)
class ArraySource(Source):
    """A ``.npy`` or ``.npz`` file, in memory unless it is a large ``.npy``.

    Args:
        pictures: what it holds.
        held_out: how many to hold out; None for a tenth, at most 128.
        seed: of the choice of those held out.
    """

    pictures: Images | ImageArray
    held_out: int | None
    seed: int

    @staticmethod
    def read(
        file: Path, layout: Layout | None, held_out: int | None, seed: int, lazy: bool = False
    ) -> "ArraySource":
        """Read the file, or open it if it is large or ``lazy`` is set."""
        kept = file.suffix.lower() == ".npy" and file.is_file()
        if lazy or (kept and file.stat().st_size > LAZY_BYTES):
            return ArraySource(ImageArray(file, layout=layout), held_out, seed)
        return ArraySource(image_array(file, layout=layout), held_out, seed)

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.pictures.shape

    def load(self) -> tuple[Dataset[Tensor], Images]:
        pictures = self.pictures
        train, held_out = split(len(pictures), self.held_out, self.seed)
        if isinstance(pictures, Images):
            return Images(pictures.pixels[train]), Images(pictures.pixels[held_out])
        kept = torch.stack([pictures[row] for row in held_out.tolist()])
        return Subset(pictures, train.tolist()), Images(kept)


@final
@dataclass(frozen=True)
class PictureArguments:
    """The arguments of a command that is given pictures to train on.

    Args:
        pictures: "faces", a folder of image files, a .npy or .npz file of pictures, a zarr store or
            a NetCDF file.
        data: the same by its name, for settings files.
        resolution: pixels that faces and image files get: of the longest side, or rows and columns;
            arrays keep theirs.
        style: the style of faces.
        images: how many faces to draw.
        held_out: how many pictures to hold out, for the held-out loss; by default 128 faces, and of
            other pictures a tenth, at most 128.
        keep_proportions: where the resolution is one number, let image files have the proportions
            of most of them, to which the others are cropped; without, all are cropped to squares.
        channels: of image files, 3 for colours or 1 for grey.
        on_error: what image files that cannot be read do, end the program or be left out.
        lazy: read a folder or a .npy file picture by picture; if it would take more than a gigabyte
            of memory, that is done without being asked.
        layout: the axes of an array: pictures (n), channels (c), rows (h), columns (w);
            by default nchw where there are one to four channels.
        variables: of fields, those that become channels; by default the only one.
        axes: of fields, the names of the axes of rows and columns; by default the last two.
        ranges: of fields, a JSON file with the minimum and the maximum of each variable, which
            become -1 and 1; by default those of the data, which are kept as ranges.json in the run
            folder.
        missing: of fields, what stands for missing values, which are refused without.
    """

    pictures: tyro.conf.Positional[str | None] = None
    data: str | None = None
    resolution: tuple[int] | tuple[int, int] = (64,)
    style: str = "toon-head"
    images: int = 5000
    held_out: int | None = None
    keep_proportions: bool = True
    channels: Literal[1, 3] = 3
    on_error: OnError = "raise"
    lazy: bool = False
    layout: Layout | None = None
    variables: tuple[str, ...] = ()
    axes: tuple[str, str] | None = None
    ranges: Path | None = None
    missing: float | None = None

    @property
    def name(self) -> str:
        """What the source is called, by word or by ``--data``."""
        return self.pictures or self.data or ""

    def source(self, seed: int) -> Source:
        """Where the pictures come from.

        Args:
            seed: of the choice of those held out.

        Raises:
            ValueError: if there is no such source, or its settings are wrong.
        """
        if (self.pictures is None) == (self.data is None):
            raise ValueError(
                "Say once where the pictures come from: 'faces', a folder, a .npy or .npz file, a "
                "zarr store or a NetCDF file, as the first word or by --data; got "
                f"{self.pictures!r} and {self.data!r}."
            )
        name = self.name
        refuse_address(name)
        path = Path(name)
        if FieldSource.holds(path):
            return FieldSource.read(
                path,
                self.held_out,
                variables=self.variables,
                axes=self.axes,
                ranges=self.ranges,
                missing=self.missing,
            )
        for option in ("variables", "axes", "ranges", "missing"):
            if getattr(self, option) not in (None, ()):
                raise ValueError(
                    f"--{option} is for fields, and {name!r} is no zarr store or NetCDF file. "
                    "Leave it out."
                )
        if name == "faces":
            if len(set(self.resolution)) != 1:
                raise ValueError(f"Faces are square; got --resolution {self.resolution}.")
            if self.lazy:
                raise ValueError(
                    "Faces are drawn into memory; --lazy is for folders and .npy. They take none: "
                    "leave it out."
                )
            held_out = HELD_OUT if self.held_out is None else self.held_out
            return FaceSource(self.style, self.images, held_out, self.resolution[0])
        if path.suffix.lower() in (".npy", ".npz"):
            return ArraySource.read(path, self.layout, self.held_out, seed, self.lazy)
        if not path.is_dir():
            raise ValueError(
                f"{name!r} is neither 'faces', nor a folder, nor a .npy or .npz file, nor a zarr "
                f"store or a NetCDF file ({', '.join(NETCDF)}), nor an HDF5 file "
                f"({', '.join(HDF5)}). Give one of these."
            )
        size = FolderSource.shape_of(path, self.resolution, self.keep_proportions, self.on_error)
        return FolderSource(
            path, self.held_out, size, seed, self.channels, self.lazy, self.on_error
        )


def split(count: int, held_out: int | None, seed: int) -> tuple[Tensor, Tensor]:
    """Which pictures to train on, and a random part to hold out."""
    held_out = how_many_held_out(count, held_out)
    order = torch.randperm(count, generator=generator_of(seed))
    return order[held_out:], order[:held_out]
