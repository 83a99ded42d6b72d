"""``inftydiff from-sensors``: fields of which values at some points are known."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, final

import torch
import tyro
from jaxtyping import Float
from torch import Tensor

from inftydiff import Function, Grid, random_subset
from inftydiff._typing import checked_seed, whole
from inftydiff.cli.command import Command
from inftydiff.cli.field_source import read_ranges
from inftydiff.cli.readings import holds_readings, read_readings
from inftydiff.cli.task_pictures import default_size
from inftydiff.cli.tasks import TaskArguments, rms
from inftydiff.data import FieldScale
from inftydiff.pipelines import InftyDiff
from inftydiff.pipelines.tasks import TaskResult, from_sensors
from inftydiff.pipelines.tasks._grids import filled
from inftydiff.processes._seeds import generator_of

__all__ = ["FromSensors", "how_many", "sensors_shown"]

POINTS = 0.05
"""The part of a picture's points that is read unless told otherwise."""

SHOWN = 32
"""Readings of a file are shown as cells, so many along the longest side, or fewer."""


@final
@dataclass(frozen=True)
class FromSensors(Command):
    """Sample functions of which values at some points are known.

    The points are random ones of pictures, the same for all of them; or the readings of your own
    sensors in a .csv or .npz file, in place of the pictures. Each line of a .csv file has two
    coordinates, down and across, from 0 to the sides of the model's domain, of which the longest is
    1, and a value a channel, in [-1, 1]. An .npz file has the arrays points, of shape (sensors, 2),
    and values, of shape (sensors, channels) or (fields, sensors, channels).

    Args:
        task: the pictures, the sizes and the samples.
        points: how many points of pictures are read: a whole number of them, or a part below 1; by
            default 0.05, a twentieth.
        points_seed: of the points, and of the errors that are added.
        added_noise: add errors of this deviation to what is read of pictures; the model is told.
        noise_std: the deviation of the errors that the values have by themselves, which range from
            -1 to 1.
        ranges: the ranges.json of a run on fields. Readings of a file, and answer.npz, are in the
            units of these ranges, and not in [-1, 1].
    """

    task: Annotated[TaskArguments, tyro.conf.arg(name="")]
    points: float | None = None
    points_seed: int = 0
    added_noise: float = 0.0
    noise_std: float = 0.02
    ranges: Path | None = None

    def run(self, words: Sequence[str]) -> None:
        for name, deviation in (("added-noise", self.added_noise), ("noise-std", self.noise_std)):
            if not 0.0 <= deviation < math.inf:
                raise ValueError(f"--{name} is a deviation, not negative; got {deviation}.")
        checked_seed(self.points_seed, "--points-seed")
        files = [Path(word) for word in self.task.pictures]
        if any(holds_readings(file) for file in files):
            self.of_readings(files)
        else:
            self.of_pictures()

    def of_readings(self, files: Sequence[Path]) -> None:
        """Answer for the readings in a file.

        Raises:
            ValueError: if there are other files, or arguments that are for pictures.
        """
        if len(files) > 1:
            raise ValueError(f"Readings are those of one file; got {len(files)}.")
        if self.points is not None or self.added_noise or self.task.taken_at is not None:
            raise ValueError(
                "--points, --added-noise and --taken-at say how pictures are read; the readings in "
                f"{files[0]} are what they are. Leave them out."
            )
        pipeline = self.task.load()
        scale = None if self.ranges is None else FieldScale(read_ranges(self.ranges))
        readings = read_readings(files[0], pipeline, noise_std=self.noise_std, scale=scale)
        on = pipeline.grid(self.task.size or default_size(pipeline))
        result = self.sample(pipeline, readings, on)
        fields = readings.batch[0]
        self.task.save(
            result,
            observed=sensors_shown(readings, pipeline.grid(min(SHOWN, max(on.shape)))),
            names=[files[0].stem, *(f"field {number + 1}" for number in range(1, fields))],
            truth=None,
            heading=f"{readings.on.size} sensors",
            caption=f"{self.task.checkpoint}, given {files[0].name}.",
            scale=scale,
        )

    def of_pictures(self) -> None:
        """Answer for pictures, of which some points are read.

        Raises:
            ValueError: if there are more points to be read than the pictures have.
        """
        if self.ranges is not None:
            raise ValueError(
                "--ranges is for readings in a file; pictures have none. Leave it out."
            )
        count = POINTS if self.points is None else self.points
        if not 0.0 < count < math.inf:
            raise ValueError(f"--points is above zero; got {count}.")
        ready = self.task.prepare(taken_at=None, size=None)
        grid = ready.x.on
        assert isinstance(grid, Grid)
        generator = generator_of(self.points_seed)
        places = random_subset(grid, how_many(count, grid), generator=generator)
        readings = ready.x.restrict(places)
        errors = torch.randn(readings.values.shape, generator=generator)
        readings = Function(places, readings.values + self.added_noise * errors)
        result = self.sample(ready.pipeline, readings, ready.on)
        truth = ready.truth()
        if truth is not None:
            nearest = filled(readings, ready.on).to_image()
            print(f"rms error: means of the nearest sensors {rms(nearest - truth):.4f}")
        self.task.save(
            result,
            observed=sensors_shown(readings, grid),
            names=ready.source.names,
            truth=truth,
            heading=f"{places.size} sensors, {places.size / grid.size:.1%} of "
            f"{grid.shape[0]} × {grid.shape[1]}",
            caption=f"{self.task.checkpoint}, errors of deviation {self.deviation:.2g}.",
        )

    @property
    def deviation(self) -> float:
        """The deviation of all errors."""
        return math.hypot(self.noise_std, self.added_noise)

    def sample(self, pipeline: InftyDiff, readings: Function, on: Grid) -> TaskResult:
        """Samples given readings."""
        return self.task.sample(
            pipeline,
            lambda how, generator: from_sensors(
                pipeline,
                readings,
                on=on,
                generator=generator,
                samples=self.task.samples,
                noise_std=self.deviation,
                how=how,
            ),
        )


def how_many(points: float, grid: Grid) -> int:
    """How many points of a grid are read.

    Args:
        points: a whole number of them, or a part below 1.
        grid: the grid.

    Raises:
        ValueError: if it is neither, or more than the grid has.

    Example:
        >>> how_many(0.25, Grid((8, 8))), how_many(3.0, Grid((8, 8)))
        (16, 3)
    """
    if points < 1.0:
        return max(1, round(points * grid.size))
    if not points.is_integer() or whole(int(points), "--points") > grid.size:
        raise ValueError(
            f"--points is a whole number, at most the {grid.size} that pictures of "
            f"{grid.shape[0]} × {grid.shape[1]} have, or a part below 1; got {points:g}."
        )
    return int(points)


def sensors_shown(readings: Function, grid: Grid) -> Float[Tensor, "n c rows columns"]:
    """Pictures of readings: the mean of those in each cell of a grid, and a middle grey elsewhere.

    Args:
        readings: values at points of the grid's domain, of shape ``(n, points, c)``.
        grid: the grid.
    """
    spacing = torch.tensor(grid.spacing, dtype=torch.float64)
    most = torch.tensor(grid.shape) - 1
    row, column = torch.minimum((readings.on.points / spacing).long(), most).unbind(-1)
    cell = row * grid.shape[1] + column
    counts = torch.bincount(cell, minlength=grid.size).clamp(min=1)
    sums = readings.values.new_zeros(readings.batch[0], grid.size, readings.channels)
    sums.index_add_(1, cell, readings.values)
    return Function(grid, sums / counts.to(sums).unsqueeze(-1)).to_image()
