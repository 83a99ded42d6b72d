"""Sums over pairs of points with nothing but torch, on any device, tap after tap.

For each tap there are the pairs of points it joins. The sum, its gradient in the values (the pairs
read the other way) and its gradient in the table each visit every pair once, and keep nothing
between the taps. A table may also mix the channels, by a matrix a tap.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["pair_sum", "pair_sum_gradients"]


class _Pairs(NamedTuple):
    """The pairs of one tap: the rows that see, the rows that are seen, and the coefficients."""

    seeing: Int[Tensor, "pairs"]
    seen: Int[Tensor, "pairs"]
    factor: Float[Tensor, "pairs 1"] | None


def pair_sum(
    values: Float[Tensor, "copies rows channels"],
    taps: Float[Tensor, "taps *channels"],
    scale: Float[Tensor, "rows"],
    lists: Sequence[Tensor],
) -> Float[Tensor, "copies rows images"]:
    r"""Compute :math:`s_c \sum_e a_e\,T_{k_e} v(y_e)` over the entries of each row.

    Args:
        values: of shape ``(copies, rows, channels)``.
        taps: the table, of shape ``(taps, channels)``, or ``(taps, channels, images)``.
        scale: the factor of each row.
        lists: the entries, in the order of their taps, from ``PairList.by_tap``.
    """
    image = values.new_zeros(*values.shape[:-1], taps.shape[-1])
    for tap, pairs in zip(taps, _by_tap(lists, values), strict=True):
        for copy, out in zip(values, image, strict=True):
            seen = _times(copy.index_select(0, pairs.seen), pairs.factor)
            out.index_add_(0, pairs.seeing, seen * tap if tap.ndim == 1 else seen @ tap)
    return image.mul_(scale.unsqueeze(-1))


def pair_sum_gradients(
    grad: Float[Tensor, "copies rows images"],
    values: Float[Tensor, "copies rows channels"],
    taps: Float[Tensor, "taps *channels"],
    scale: Float[Tensor, "rows"],
    lists: Sequence[Tensor],
    *,
    of_values: bool = True,
    of_taps: bool = True,
) -> tuple[Float[Tensor, "copies rows channels"] | None, Float[Tensor, "taps *channels"] | None]:
    """The gradients of ``pair_sum`` in the values and in the table, or the one that is wanted."""
    d_values = torch.zeros_like(values, memory_format=torch.contiguous_format)
    d_taps = torch.zeros_like(taps, memory_format=torch.contiguous_format)
    grad = grad * scale.unsqueeze(-1)
    for tap, d_tap, pairs in zip(taps, d_taps, _by_tap(lists, values), strict=True):
        for along, copy, d_copy in zip(grad, values, d_values, strict=True):
            seeing = _times(along.index_select(0, pairs.seeing), pairs.factor)
            if of_values:
                d_copy.index_add_(0, pairs.seen, seeing * tap if tap.ndim == 1 else seeing @ tap.mT)
            if of_taps:
                seen = copy.index_select(0, pairs.seen)
                d_tap += seeing.mul_(seen).sum(0) if tap.ndim == 1 else seen.mT @ seeing
    return d_values if of_values else None, d_taps if of_taps else None


def _by_tap(lists: Sequence[Tensor], like: Tensor) -> Iterator[_Pairs]:
    counts, seeing, seen, *coefficient = lists
    sizes: list[int] = counts.tolist()
    ends = zip(seeing.split(sizes), seen.split(sizes), strict=True)
    if not coefficient:
        yield from (_Pairs(*pair, None) for pair in ends)
        return
    factors = coefficient[0].to(like.dtype).unsqueeze(-1).split(sizes)
    yield from (_Pairs(*pair, factor) for pair, factor in zip(ends, factors, strict=True))


def _times(values: Tensor, factor: Tensor | None) -> Tensor:
    return values if factor is None else values * factor
