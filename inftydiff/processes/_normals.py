r"""Independent standard normals that are a function of their place: a counter-based generator.

The number at (seed, sample, channel, mode) is :math:`\sqrt2\,\mathrm{erf}^{-1}(2u - 1)` with
:math:`u` a SplitMix64 output, whose stream is keyed by (seed, sample, channel) and whose counter
is the mode. So it does not matter which other numbers are asked for, nor in what order, nor on
which device.

References:
    G. L. Steele, D. Lea and C. H. Flood, "Fast splittable pseudorandom number generators", OOPSLA
    2014; D. Stafford's mix 13 as the finaliser.
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["normals"]

MASK = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15
MIX = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))
LAST_SHIFT = 31

CHUNK = 1 << 16
"""The numbers that are made at a time; so many stay in a processor's cache."""


def normals(
    seed: int,
    *,
    batch: int,
    channels: int,
    counts: Sequence[int],
    first: int = 0,
    device: torch.device | str | None = None,
) -> Float[Tensor, "batch channels *modes"]:
    r"""Standard normals for the modes :math:`0 ≤ k_a <` ``counts[a]``, in float64.

    Args:
        seed: a number in [0, 2⁶³).
        batch: the number of samples.
        channels: the number of channels.
        counts: the number of modes along each axis.
        first: the number of the first sample.
        device: where the numbers are wanted.

    Returns:
        A tensor of shape ``(batch, channels, *counts)``; without axes there is one mode.

    Raises:
        ValueError: if an axis has more modes than a counter can tell apart (2³¹ in two dimensions).

    Example:
        >>> few = normals(7, batch=1, channels=1, counts=(3, 2))
        >>> many = normals(7, batch=2, channels=3, counts=(8, 9))
        >>> bool(torch.equal(few, many[:1, :1, :3, :2]))
        True
    """
    modes = _counters(counts, device)
    seeds = _mix(torch.tensor(_signed(GOLDEN * (seed + 1) & MASK), device=device))
    keys = _mix(
        _mix(seeds + _counters((first + batch,), device)[first:]).unsqueeze(1)
        + _counters((channels,), device)
    )
    result = torch.empty(batch, channels, modes.numel(), dtype=torch.float64, device=device)
    group = max(1, CHUNK // (channels * modes.numel()))
    for part, key in zip(result.split(group), keys.split(group), strict=True):
        bits = _mix(key.unsqueeze(-1) + modes)
        torch.erfinv((bits >> 11).to(torch.float64).add_(0.5).mul_(2.0**-52), out=part)
    return result.mul_(math.sqrt(2.0)).reshape(batch, channels, *counts)


def _counters(counts: Sequence[int], device: torch.device | str | None) -> Tensor:
    bits = 63 // max(1, len(counts))
    if max(counts, default=0) > 1 << bits:
        raise ValueError(
            f"At most 2^{bits} modes an axis in {len(counts)} dimensions; got {counts}."
        )
    total = torch.zeros((), dtype=torch.int64, device=device)
    for axis, count in enumerate(counts):
        place = torch.arange(1, count + 1, dtype=torch.int64, device=device) << (bits * axis)
        total = total.unsqueeze(-1) + place
    return total.flatten() * _signed(GOLDEN)


def _mix(z: Tensor) -> Tensor:
    for shift, factor in MIX:
        z = (z ^ _logical_shift(z, shift)).mul_(_signed(factor))
    return z.bitwise_xor_(_logical_shift(z, LAST_SHIFT))


def _logical_shift(z: Tensor, shift: int) -> Tensor:
    return (z >> shift).bitwise_and_((1 << (64 - shift)) - 1)


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value
