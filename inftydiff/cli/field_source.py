"""Physical fields to train on, from a zarr store or a NetCDF file, and what all sources share."""

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, final

import torch
from torch import Tensor
from torch.utils.data import Dataset, Subset

from inftydiff._reading import read_json
from inftydiff._writing import whole_file
from inftydiff.data import Fields, FieldScale, Images, field_array
from inftydiff.data._field_sources import HDF5, NETCDF
from inftydiff.data._field_variable import said

__all__ = ["HELD_OUT", "RANGES", "FieldSource", "Source", "how_many_held_out", "read_ranges"]

HELD_OUT: Final = 128
"""How many pictures are held out unless said otherwise; of few, a tenth."""


class Source(ABC):
    """Pictures whose shape is known before they are drawn or read."""

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int, int]:
        """Channels, rows and columns of every picture."""

    @abstractmethod
    def load(self) -> tuple[Dataset[Tensor], Images]:
        """The pictures to train on, and those held out."""

    def keep(self, run: Path) -> None:  # noqa: B027
        """Write what samples cannot be read without into the run folder; of pictures, nothing.

        Raises:
            ValueError: if the run folder says something else.
        """


def how_many_held_out(count: int, held_out: int | None) -> int:
    """How many of so many pictures are held out: as given, or a tenth, at most 128.

    Raises:
        ValueError: if there are none left to train on, or none held out.

    Example:
        >>> how_many_held_out(40, None)
        4
    """
    if count < 2:
        raise ValueError(f"One picture is held out and others are trained on; got {count} in all.")
    if held_out is None:
        return max(1, min(HELD_OUT, count // 10))
    if not 1 <= held_out < count:
        raise ValueError(
            f"Of {count} pictures, 1 to {count - 1} can be held out; got {held_out}. Change "
            "--held-out."
        )
    return held_out


RANGES = "ranges.json"
"""The file in a run folder that says which values became −1 and 1."""

ZARR = ("zarr.json", ".zgroup", ".zarray", ".zmetadata")
"""What a zarr store has one of at least."""


@final
@dataclass(frozen=True)
class FieldSource(Source):
    """Fields of a zarr store or a NetCDF file, read when they are needed.

    Those that follow each other are alike, so the held-out ones are the last.

    Args:
        fields: the fields.
        held_out: how many to hold out; None for a tenth, at most 128.
    """

    fields: Fields
    held_out: int | None

    @staticmethod
    def holds(path: Path) -> bool:
        """Whether a path is that of fields, by its name or by what the folder has inside."""
        suffix = path.suffix.lower()
        if path.is_dir():
            return suffix == ".zarr" or any((path / name).is_file() for name in ZARR)
        return suffix in NETCDF + HDF5 and path.is_file()

    @staticmethod
    def read(
        path: Path,
        held_out: int | None,
        *,
        variables: Sequence[str],
        axes: tuple[str, str] | None,
        ranges: Path | None,
        missing: float | None,
    ) -> "FieldSource":
        """Open fields, and find the ranges of their variables unless a file has them.

        Raises:
            ModuleNotFoundError: if the ``fields`` extra is not installed.
            ValueError: if the fields or the ranges cannot be read, or as
                :func:`~inftydiff.data.fields.field_array`.
        """
        fields = field_array(
            path,
            list(variables) or None,
            axes=axes or (-2, -1),
            ranges=None if ranges is None else read_ranges(ranges),
            missing=missing,
        )
        return FieldSource(fields, held_out)

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.fields.shape

    def load(self) -> tuple[Dataset[Tensor], Images]:
        count = len(self.fields)
        train = count - how_many_held_out(count, self.held_out)
        held_out = torch.stack([self.fields[index] for index in range(train, count)])
        return Subset(self.fields, range(train)), Images(held_out)

    def keep(self, run: Path) -> None:
        file = run / RANGES
        ranges = {name: list(ends) for name, ends in self.fields.scale.ranges.items()}
        if file.is_symlink():
            raise ValueError(f"{file} is a link, and a run follows none. Remove it.")
        if not file.exists():
            with whole_file(file) as partial:
                partial.write_text(json.dumps(ranges, indent=2) + "\n", encoding="utf-8")
        elif read_ranges(file) != ranges:
            raise ValueError(
                f"{file} has other ranges than these fields: {read_ranges(file)}, and {ranges}. Go "
                f"on with --ranges {file}."
            )


def read_ranges(file: Path) -> dict[str, list[float]]:
    """The ranges that a file states.

    Raises:
        ValueError: if it does not state some.
    """
    try:
        scale = FieldScale(read_json(file))
        return {name: [float(low), float(high)] for name, (low, high) in scale.ranges.items()}
    except (OSError, ValueError, TypeError) as error:
        raise ValueError(
            f'{file} cannot be read as ranges, such as {{"t": [250.0, 310.0]}}: {said(error)}. '
            "Correct it, or leave --ranges out."
        ) from error
