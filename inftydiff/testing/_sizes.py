"""Sizes: which probes a law is tried on beside the one asked for, from the smallest up.

*Beginnings* are a few small probes that every law is tried on first, since a class that is right on
some grid may be wrong on one cell, on an odd number of cells, for one sample or for one channel.
*Smaller* are all probes of no more than the size asked for that come before one which breaks a law,
in the order of their numbers of points, then samples, then channels, then seeds, so that the first
of them to break it is the smallest.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from inftydiff.operators import Discretisation, Grid, Scattered, Subset
from inftydiff.testing.probe import Probe

__all__ = ["beginnings", "smaller"]

ALL_UP_TO = 8
"""Up to this number every number of cells, samples or channels is tried; above, two an octave."""

MOST = 500
"""The number of probes that are looked at for the smallest."""


def beginnings(probe: Probe, *, coarser: bool = True) -> list[Probe]:
    """A few probes of less than the size asked for, which an object may refuse.

    Args:
        probe: the probe asked for.
        coarser: whether to take fewer points and channels as well as fewer samples.

    Example:
        >>> import torch
        >>> for small in beginnings(Probe(Grid((6, 5)), 2, 3, torch.float64, seed=0)):
        ...     print(small)
        Grid((1, 1)), batch 1, 1 channel, float64, cpu, seed 0
        Grid((2, 2)), batch 2, 2 channels, float64, cpu, seed 0
        Grid((3, 3)), batch 1, 3 channels, float64, cpu, seed 0
    """
    if not coarser:
        return [_resized(probe, probe.on, 1, probe.channels)] if probe.batch > 1 else []
    found: list[Probe] = []
    for number, on in enumerate(_few(probe.on), start=1):
        batch = probe.batch if number == 2 else 1
        small = _resized(probe, on, batch, min(number, probe.channels))
        if small not in (probe, *found):
            found.append(small)
    return found


def smaller(
    probe: Probe, asked: Probe, seeds: Sequence[int], *, coarser: bool = True
) -> Iterator[Probe]:
    """All probes before one, in ascending order: points, samples, channels, seeds.

    At most 500; of more than eight cells an axis (and points, samples, channels) not all numbers
    are tried, but two an octave.

    Args:
        probe: the probe to stay below.
        asked: the largest sizes to try.
        seeds: the seeds to try, in this order.
        coarser: whether to try fewer points and channels as well as fewer samples.

    Example:
        >>> import torch
        >>> asked = Probe(Grid((3,)), 2, 1, torch.float64, seed=0)
        >>> probe = Probe(Grid((2,)), 2, 1, torch.float64, seed=0)
        >>> [(p.on.shape, p.batch) for p in smaller(probe, asked, seeds=[0])]
        [((1,), 1), ((1,), 2), ((2,), 1)]
    """
    places = _coarser(asked.on) if coarser else [asked.on]
    channels = _numbers(asked.channels) if coarser else [asked.channels]
    sizes = itertools.product(places, _numbers(asked.batch), channels, seeds)
    candidates = (replace(_resized(asked, on, b, c), seed=seed) for on, b, c, seed in sizes)
    before = itertools.takewhile(lambda candidate: _order(candidate) < _order(probe), candidates)
    return itertools.islice(before, MOST)


def _order(probe: Probe) -> tuple[object, ...]:
    shape = probe.on.shape if isinstance(probe.on, Grid) else ()
    return probe.on.size, shape, probe.batch, probe.channels, probe.seed


def _resized(probe: Probe, on: Discretisation, batch: int, channels: int) -> Probe:
    """The probe with so many samples, of a discretisation with one set of points a sample too."""
    match on:
        case Subset() if on.index.ndim > 1:
            on = Subset(on.grid, on.index[:batch])
        case Scattered() if on.points.ndim > 2:
            on = Scattered(on.points[:batch], on.weights[:batch], on.domain)
    return replace(probe, on=on, batch=batch, channels=channels)


def _few(on: Discretisation) -> list[Discretisation]:
    if isinstance(on, Grid):
        return [Grid(tuple(min(n, cells) for n in on.shape), on.domain) for cells in (1, 2, 3)]
    return [_first_points(on, 1), _first_points(on, max(1, on.size // 2)), on]


def _coarser(on: Discretisation) -> list[Discretisation]:
    """The grids of no more cells along any axis, or the first points, in ascending order."""
    if not isinstance(on, Grid):
        return [_first_points(on, size) for size in _numbers(on.size)]
    shapes = sorted(
        itertools.product(*map(_numbers, on.shape)), key=lambda shape: (math.prod(shape), shape)
    )
    return [Grid(shape, on.domain) for shape in shapes]


def _first_points(on: Subset | Scattered, size: int) -> Subset | Scattered:
    if isinstance(on, Subset):
        return Subset(on.grid, on.index[..., :size])
    weights = on.weights[..., :size]
    points = on.points[..., :size, :]
    if not bool((weights.sum(-1) > 0.0).all()):
        return Scattered(points, domain=on.domain)
    return Scattered(points, weights, on.domain)


def _numbers(most: int) -> list[int]:
    octaves = itertools.chain.from_iterable((2**k, 3 * 2 ** (k - 1)) for k in range(3, 40))
    above = itertools.takewhile(lambda number: number < most, octaves)
    return sorted({*range(1, min(most, ALL_UP_TO) + 1), *above, most})
