r"""The local operator at few of a grid's points, by the pairs of points that see each other.

For each offset :math:`n` of the kernel there are the pairs of points :math:`(c, y)` with
:math:`c - y = n`; they are found once. The sum, its gradient in the values (the pairs read the
other way) and its gradient in the kernel each visit every pair once, one offset after the other,
and keep nothing between them.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, final

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from inftydiff.operators.local.definition import reach
from inftydiff.operators.local.dense import resample
from inftydiff.operators.local.numerator import Numerator

__all__ = ["PairsNumerator", "pairs"]


@final
@dataclass(frozen=True, eq=False)
class PairsNumerator(Numerator):
    """The numerator at some points of a grid from their pairs.

    Args:
        seeing: the rows of the points c of each pair, all samples' points in one column, ordered by
            the offset and then by the row.
        seen: the rows of the points y.
        rows: the number of points in the column.
        counts: how many pairs there are at each offset.
        grid: the grid's number of cells along each axis.
        ratios: the reference cell's side in spacings of the grid, along each axis.
    """

    seeing: Int[Tensor, "pairs"]
    seen: Int[Tensor, "pairs"]
    rows: int
    counts: tuple[int, ...]
    grid: tuple[int, ...]
    ratios: tuple[Fraction, ...]

    def __call__(
        self,
        values: Float[Tensor, "batch points channels"],
        weight: Float[Tensor, "channels *window"],
    ) -> Float[Tensor, "batch points channels"]:
        """Add up the pairs, by a step of autograd that can be differentiated once."""
        taps = resample(weight, self.ratios, self.grid).flatten(1).T.contiguous()
        return _Pairs.apply(values, taps, self)  # type: ignore[no-untyped-call]


def pairs(
    samples: Int[Tensor, "samples points"],
    grid: tuple[int, ...],
    ratios: tuple[Fraction, ...],
    size: int,
) -> PairsNumerator:
    """Find the pairs of points of a grid.

    Args:
        samples: the flat numbers of the points, of shape ``(samples, points)``.
        grid: the grid's number of cells along each axis.
        ratios: the reference cell's side in spacings of the grid, along each axis.
        size: the number of nodes of the kernel's table along each axis.
    """
    count, points = samples.shape
    device = samples.device
    where = torch.arange(count, device=device).unsqueeze(-1)
    taps = torch.zeros(1, dtype=torch.int64, device=device)
    wide = torch.Size([count])
    for cells, ratio, along in zip(grid, ratios, torch.unravel_index(samples, grid), strict=True):
        furthest = reach(size, ratio, cells)
        wide += (cells + 2 * furthest,)
        where = where * wide[-1] + along + furthest
        offsets = torch.arange(-furthest, furthest + 1, device=device)
        taps = (taps.unsqueeze(-1) * wide[-1] + offsets).flatten()
    rows = torch.full((wide.numel(),), -1, device=device)
    rows[where] = torch.arange(count * points, device=device).view(count, points)
    table = rows[where.flatten() - taps.unsqueeze(-1)]
    tap, seeing = (table >= 0).nonzero(as_tuple=True)
    counts = torch.bincount(tap, minlength=len(taps)).tolist()
    return PairsNumerator(seeing, table[tap, seeing], count * points, tuple(counts), grid, ratios)


@final
class _Pairs(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, taps: Tensor, plan: PairsNumerator) -> Tensor:
        ctx.save_for_backward(values, taps)
        ctx.plan = plan
        return _add(values, taps, plan, plan.seen, plan.seeing)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        values, taps = ctx.saved_tensors
        plan: PairsNumerator = ctx.plan
        d_values = d_taps = None
        if ctx.needs_input_grad[0]:
            d_values = _add(grad, taps, plan, plan.seeing, plan.seen)
        if ctx.needs_input_grad[1]:
            d_taps = _multiply(values, grad, plan)
        return d_values, d_taps, None


def _add(
    values: Tensor, taps: Tensor, plan: PairsNumerator, source: Tensor, target: Tensor
) -> Tensor:
    """Send the value at the source of each pair, times its tap, to the target."""
    total = torch.zeros_like(values, memory_format=torch.contiguous_format)
    columns = values.reshape(-1, plan.rows, values.shape[-1])
    images = total.view(columns.shape)
    ends = zip(taps, source.split(plan.counts), target.split(plan.counts), strict=True)
    for tap, start, end in ends:
        for column, image in zip(columns, images, strict=True):
            image.index_add_(0, end, column.index_select(0, start).mul_(tap))
    return total


def _multiply(values: Tensor, grad: Tensor, plan: PairsNumerator) -> Tensor:
    """Add up over the pairs of each tap the value seen times the gradient where it is seen."""
    channels = values.shape[-1]
    products = values.new_zeros(len(plan.counts), channels)
    columns = values.reshape(-1, plan.rows, channels)
    grads = grad.reshape(-1, plan.rows, channels)
    ends = zip(products, plan.seen.split(plan.counts), plan.seeing.split(plan.counts), strict=True)
    for product, seen, seeing in ends:
        for column, along in zip(columns, grads, strict=True):
            pairs = column.index_select(0, seen).mul_(along.index_select(0, seeing))
            product += pairs.sum(0)
    return products
