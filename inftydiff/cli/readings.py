"""Readings of sensors in a file: coordinates and values.

::

    readings.csv    a line a sensor: its coordinates, down and then across, and a value a channel;
                    a first line of names may stand above
    readings.npz    points, of shape (sensors, 2), and values, of shape (sensors, channels), or
                    (fields, sensors, channels) for several fields read at the same places

Coordinates are those of the model's domain, whose longest side is 1: the middle of the picture's
top left corner pixel, of n pixels along the longest side, is (0.5/n, 0.5/n).
"""

import csv
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inftydiff import Function, Scattered
from inftydiff._reading import require_regular
from inftydiff.data import FieldScale
from inftydiff.data._npy import read_array
from inftydiff.pipelines import InftyDiff

__all__ = ["holds_readings", "read_readings"]

NAMES = ("points", "values")
"""The arrays of an ``.npz`` file of readings."""

DEVIATIONS = 6.0
"""So many deviations of the errors may a value be out of the model's range."""


def holds_readings(file: Path) -> bool:
    """Whether a file is one of readings, by its name or by the arrays in it."""
    if file.suffix.lower() == ".csv":
        return True
    if file.suffix.lower() != ".npz" or not file.is_file():
        return False
    try:
        with np.load(file, allow_pickle=False) as arrays:
            return set(NAMES) <= set(arrays.files)
    except Exception:  # damaged archives raise anything; what reads pictures will tell of it
        return False


def read_readings(
    file: Path, pipeline: InftyDiff, *, noise_std: float, scale: FieldScale | None = None
) -> Function:
    """The readings in a file, as a function at the places of the sensors.

    Args:
        file: the file.
        pipeline: the model.
        noise_std: the deviation of the values' errors, where values range from -1 to 1.
        scale: the ranges of the channels, if the values have their units; else they have those of
            the model, [-1, 1].

    Returns:
        Values of shape ``(fields, sensors, channels)``.

    Raises:
        ValueError: if the file cannot be read, has no readings or ones that are not finite, other
            channels than the model, coordinates outside its domain, or values out of its range.
    """
    points, values = _csv(file) if file.suffix.lower() == ".csv" else _npz(file)
    channels, lengths = pipeline.config.channels, pipeline.config.domain.lengths
    if not len(points):
        raise ValueError(f"{file} has no readings. Give one sensor at least.")
    for name, array in (("coordinates", points), ("values", values)):
        if not bool(array.isfinite().all()):
            raise ValueError(f"{file} has {name} that are not finite. Leave these sensors out.")
    if values.shape[-1] != channels:
        raise ValueError(
            f"{file} has {values.shape[-1]} values a sensor, after two coordinates, and this "
            f"model's functions have {channels}. Give as many, or take another model."
        )
    outside = int(((points < 0.0) | (points > torch.tensor(lengths).double())).any(-1).sum())
    if outside:
        raise ValueError(
            f"{outside} of {len(points)} sensors of {file} lie outside the model's domain, "
            f"[0, {lengths[0]:g}] down and [0, {lengths[1]:g}] across. Divide coordinates by the "
            "longest side; that across comes last."
        )
    if scale is not None:
        if len(scale.ranges) != channels:
            raise ValueError(
                f"--ranges has {len(scale.ranges)} variables, {', '.join(scale.ranges)}, and this "
                f"model's functions have {channels} channels. State one range a channel."
            )
        values = scale(values.mT.unsqueeze(-1)).squeeze(-1).mT
    most, allowed = values.abs().max().item(), 1.0 + DEVIATIONS * noise_std
    if most > allowed:
        raise ValueError(
            f"{file} has values up to {most:.3g} times the model's range, -1 to 1, more than "
            f"errors of the deviation {noise_std:g} explain. Bring them to this range, say what "
            "it is in their units by --ranges, or raise --noise-std."
        )
    return Function(Scattered(points, domain=pipeline.config.domain), values)


def _csv(file: Path) -> tuple[Tensor, Tensor]:
    """Points of shape ``(sensors, 2)`` and values of shape ``(1, sensors, channels)``."""
    try:
        require_regular(file)
        with file.open(newline="", encoding="utf-8-sig") as opened:
            lines = [
                (number, [cell.strip() for cell in cells])
                for number, cells in enumerate(csv.reader(opened), 1)
                if any(cell.strip() for cell in cells)
            ]
    except (OSError, ValueError, csv.Error) as error:
        said = str(error).removesuffix(".")
        raise ValueError(
            f"{file} cannot be read as lines of numbers: {said}. Write it as text in UTF-8, a "
            "sensor a line."
        ) from error
    if lines and all(_number(cell) is None for cell in lines[0][1]):
        lines = lines[1:]
    width = len(lines[0][1]) if lines else 3
    rows = []
    for number, cells in lines:
        row = [_number(cell) for cell in cells]
        if len(row) != width or width < 3 or None in row:
            raise ValueError(
                f"Line {number} of {file} reads {','.join(cells)!r}. Each has two coordinates, "
                "down and across, and a value a channel, with commas between them. Correct the "
                "line."
            )
        rows.append([math.nan if found is None else found for found in row])
    table = torch.tensor(rows, dtype=torch.float64).reshape(-1, width)
    return table[:, :2], table[None, :, 2:]


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _npz(file: Path) -> tuple[Tensor, Tensor]:
    """Points of shape ``(sensors, 2)`` and values of shape ``(fields, sensors, channels)``."""
    try:
        points, values = (_real(read_array(file, name)) for name in NAMES)
    except Exception as error:  # damaged archives raise anything
        raise ValueError(
            f"{file} cannot be read as readings: {error}. Write it by np.savez(file, points=…, "
            "values=…)."
        ) from error
    if points.ndim != 2 or points.shape[1] != 2 or values.shape[-2:-1] != points.shape[:1]:
        raise ValueError(
            f"{file} has points of shape {tuple(points.shape)} and values of shape "
            f"{tuple(values.shape)}; they are (sensors, 2) and (sensors, channels), or (fields, "
            "sensors, channels). Bring them to these shapes."
        )
    if values.ndim not in (2, 3):
        raise ValueError(
            f"{file} has values of {values.ndim} axes; they are two or three. Reshape them to "
            "(fields, sensors, channels)."
        )
    return points, values if values.ndim == 3 else values.unsqueeze(0)


def _real(array: NDArray[Any]) -> Tensor:
    if array.dtype.kind not in "fiu":
        raise ValueError(f"readings are real numbers, and these are {array.dtype}")
    return torch.from_numpy(array.astype(np.float64))
