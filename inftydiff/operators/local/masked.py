r"""The local operator at many of a grid's points, by convolving their lattice.

The values of a few samples at a time are put on their lattice, zero elsewhere; the lattice is
convolved, and the image read at the points. The backward pass puts them there again, so that
nothing of the lattice's size is kept between the two.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, final

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from inftydiff.operators.local.convolution import convolve, correlate_pitched, pitch
from inftydiff.operators.local.definition import reach
from inftydiff.operators.local.dense import resample
from inftydiff.operators.local.numerator import Numerator

__all__ = ["MaskedNumerator", "masked"]

_CHUNK = 2**21
"""About how many values of a lattice are convolved at once."""


@final
@dataclass(frozen=True, eq=False)
class MaskedNumerator(Numerator):
    """The numerator at some points of a grid by convolving their lattice.

    Args:
        where: the flat numbers of the points in the pitched lattice, of shape
            ``(samples, points)``.
        rows: which point lies at each node of the pitched lattice, or the number of points where
            none does, of shape ``(samples, nodes)``.
        shape: the shape of the pitched lattice.
        grid: the grid's number of cells along each axis.
        ratios: the reference cell's side in spacings of the grid, along each axis.
    """

    where: Int[Tensor, "samples points"]
    rows: Int[Tensor, "samples nodes"]
    shape: tuple[int, ...]
    grid: tuple[int, ...]
    ratios: tuple[Fraction, ...]

    def __call__(
        self,
        values: Float[Tensor, "batch points channels"],
        weight: Float[Tensor, "channels *window"],
    ) -> Float[Tensor, "batch points channels"]:
        """Convolve at the points, by a step of autograd that can be differentiated once."""
        table = resample(weight, self.ratios, self.grid)
        return _Masked.apply(values, table, self)  # type: ignore[no-untyped-call]

    def chunks(self, samples: int, channels: int) -> Iterator[slice]:
        """The samples that are put on their lattice together."""
        rounds = max(1, math.ceil(samples * self.rows.shape[1] * channels / _CHUNK))
        count = max(1, math.ceil(samples / rounds))
        return (slice(i, i + count) for i in range(0, samples, count))

    def lattice(
        self, padded: Float[Tensor, "batch rows channels"], some: slice, slack: int = 0
    ) -> Float[Tensor, "nodes channels"]:
        """Some samples on their lattices, with rows of zeros before and after.

        Args:
            padded: the values, and after them a row of zeros.
            some: the samples.
            slack: how many rows of zeros there are before, and how many after.
        """
        padded = padded[some]
        rows = _flat(self.rows, some, padded.shape[:2])
        lattice = padded.new_empty(len(rows) + 2 * slack, padded.shape[-1])
        lattice[:slack] = 0
        lattice[len(lattice) - slack :] = 0
        inner = lattice[slack : len(lattice) - slack]
        torch.index_select(padded.flatten(0, 1), 0, rows, out=inner)
        return lattice

    def read(
        self, lattice: Float[Tensor, "batch *shape channels"], some: slice, out: Tensor
    ) -> None:
        """Write the values of lattices at the points into ``out[some]``."""
        nodes = lattice.flatten(1, -2)
        rows = _flat(self.where, some, nodes.shape[:2])
        torch.index_select(nodes.flatten(0, 1), 0, rows, out=out[some].flatten(0, 1))


def masked(
    samples: Int[Tensor, "samples points"],
    grid: tuple[int, ...],
    ratios: tuple[Fraction, ...],
    size: int,
) -> MaskedNumerator:
    """Prepare the numerator at some points of a grid.

    Args:
        samples: the flat numbers of the points, of shape ``(samples, points)``.
        grid: the grid's number of cells along each axis.
        ratios: the reference cell's side in spacings of the grid, along each axis.
        size: the number of nodes of the kernel's table along each axis.
    """
    count, points = samples.shape
    *before, width = grid
    shape = (*before, pitch(width, reach(size, ratios[-1], width)))
    where = samples // width * shape[-1] + samples % width + 1
    rows = torch.full((count, math.prod(shape)), points, device=samples.device)
    rows.scatter_(1, where, torch.arange(points, device=samples.device).expand(count, -1))
    return MaskedNumerator(where, rows, shape, grid, ratios)


def _pad(values: Tensor) -> Tensor:
    return F.pad(values, (0, 0, 0, 1))


def _flat(rows: Tensor, some: slice, shape: torch.Size) -> Tensor:
    """Row numbers within each sample as row numbers within a chunk of samples."""
    rows = rows if len(rows) == 1 else rows[some]
    samples, height = shape
    first = torch.arange(0, samples * height, height, device=rows.device)
    return (rows + first.unsqueeze(-1)).flatten()


@final
class _Masked(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, table: Tensor, plan: MaskedNumerator) -> Tensor:
        ctx.save_for_backward(values, table)
        ctx.plan = plan
        image = torch.empty_like(values, memory_format=torch.contiguous_format)
        padded = _pad(values)
        for some in plan.chunks(len(values), values.shape[-1]):
            lattice = plan.lattice(padded, some).view(-1, *plan.shape, values.shape[-1])
            plan.read(convolve(lattice, table), some, image)
        return image

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        values, table = ctx.saved_tensors
        plan: MaskedNumerator = ctx.plan
        window = tuple(table.shape[1:])
        mirrored = table.flip(tuple(range(1, table.ndim)))
        d_values = torch.empty_like(grad, memory_format=torch.contiguous_format)
        d_table = torch.zeros_like(table)
        padded, padded_grad = _pad(values), _pad(grad)
        for some in plan.chunks(len(values), values.shape[-1]):
            lattice = plan.lattice(padded_grad, some).view(-1, *plan.shape, values.shape[-1])
            if ctx.needs_input_grad[0]:
                plan.read(convolve(lattice, mirrored), some, d_values)
            if ctx.needs_input_grad[1]:
                rows = plan.lattice(padded, some, window[-1] // 2)
                d_table += correlate_pitched(lattice, rows, window)
        return d_values, d_table, None
