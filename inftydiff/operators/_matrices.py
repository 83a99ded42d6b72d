r"""Matrices that are applied to values and never formed.

A transfer between discretisations is a matrix :math:`A` that acts on the points' axis of values of
shape ``(*batch, points, channels)``. Two kinds are here:

.. math:: A = A_1 ⊗ … ⊗ A_d \ \text{(separable)}, \qquad
          A_{pq} \ne 0 \text{ for } k \text{ columns a row (sparse)};

``windows`` has a third. The products of all but the separable have the transposed product as their
derivative and keep no activations; they are differentiable any number of times. Products are
computed in float32 or float64, under ``torch.autocast`` too. What they need of the geometry is
worked out when first applied, and kept; from then on ``torch.compile`` takes them whole.
"""

import functools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, TypeVar, final

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

__all__ = [
    "Constants",
    "Matrix",
    "SparseMatrix",
    "multiply",
    "prepared",
    "separable",
]

Owner = TypeVar("Owner")
Made = TypeVar("Made")
Key: TypeAlias = tuple[int, torch.dtype, torch.device]


@final
class Constants:
    """Tensors of geometry, and their casts to the dtype and place of the values they have met.

    Args:
        tensors: floating-point tensors (cast) and integer ones (moved only).
    """

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self.tensors = tuple(tensors)
        self._casts: dict[tuple[torch.dtype, torch.device], tuple[Tensor, ...]] = {}

    def like(self, values: Tensor) -> tuple[Tensor, ...]:
        """The tensors in the dtype and place of ``values``."""
        key = (values.dtype, values.device)
        if key not in self._casts:
            with torch.inference_mode(False), torch.no_grad():
                self._casts[key] = tuple(
                    t.to(values) if t.is_floating_point() else t.to(values.device)
                    for t in self.tensors
                )
        return self._casts[key]


def prepared(build: Callable[[Owner], Made]) -> functools.cached_property[Made]:
    """Turn a method that works out geometry into a cached property.

    Its tensors are ordinary ones without a graph, even if first asked for in inference mode.
    """

    def built(owner: Owner) -> Made:
        with torch.inference_mode(False), torch.no_grad():
            return build(owner)

    return functools.cached_property(built)


def separable(
    values: Float[Tensor, "*batch points channels"], factors: Sequence[Float[Tensor, "_ _"]]
) -> Float[Tensor, "*batch nodes channels"]:
    r"""The product with :math:`A_1 ⊗ … ⊗ A_d`, one factor an axis of the row-major points.

    Args:
        values: values on the lattice of the factors' columns.
        factors: matrices of shape ``(rows, columns)``, in the dtype and place of the values.

    Example:
        >>> swap = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
        >>> separable(torch.tensor([[1.0], [2.0], [3.0], [4.0]]), [swap, torch.eye(2)]).flatten()
        tensor([3., 4., 1., 2.])
    """
    batch, channels = values.shape[:-2], values.shape[-1]
    before = math.prod(batch)
    after = math.prod([factor.shape[1] for factor in factors]) * channels
    with torch.autocast(values.device.type, enabled=False):
        for factor in factors:
            rows, columns = factor.shape
            after //= columns
            values = torch.matmul(factor, values.reshape(before, columns, after))
            before *= rows
    nodes = math.prod([factor.shape[0] for factor in factors])
    return values.reshape(*batch, nodes, channels)


class Matrix(ABC):
    """One matrix, or one a sample, known by its products with values."""

    @abstractmethod
    def prepare(self, values: Tensor, *, transpose: bool) -> None:
        """Work out, and keep, what the product or the transposed product with values needs."""

    @abstractmethod
    def product(self, values: Tensor) -> Tensor:
        """The product, from columns to rows."""

    @abstractmethod
    def transposed_product(self, values: Tensor) -> Tensor:
        """The product with the transpose, from rows to columns."""


def multiply(matrix: Matrix, values: Tensor, *, transpose: bool = False) -> Tensor:
    """The product of a matrix, or of its transpose, with values; differentiable in the values."""
    matrix.prepare(values, transpose=transpose)
    if values.requires_grad:
        matrix.prepare(values, transpose=not transpose)
    with torch.autocast(values.device.type, enabled=False):
        result: Tensor = _Product.apply(values, matrix, transpose)  # type: ignore[no-untyped-call]
    return result


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, matrix: Matrix, transpose: bool) -> Tensor:
        ctx.matrix, ctx.transpose = matrix, transpose
        return matrix.transposed_product(values) if transpose else matrix.product(values)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return multiply(ctx.matrix, gradient, transpose=not ctx.transpose), None, None


@final
class SparseMatrix(Matrix):
    """A matrix with the same number of entries in each row.

    Args:
        columns: the columns of a row's entries, of shape ``(*samples, rows, entries)``, where
            ``samples`` is one axis or none.
        entries: the entries, of the same shape.
        width: the number of columns.
    """

    def __init__(
        self,
        columns: Int[Tensor, "*samples rows entries"],
        entries: Float[Tensor, "*samples rows entries"],
        width: int,
    ) -> None:
        self.width = width
        self.rows, self.entries_per_row = columns.shape[-2:]
        one_each = (-1, self.rows, self.entries_per_row)
        self._geometry = Constants([columns.reshape(one_each), entries.reshape(one_each)])
        self._stacked: dict[Key, tuple[Tensor, ...]] = {}
        self._transposed: dict[Key, tuple[Tensor, ...]] = {}

    def prepare(self, values: Float[Tensor, "*batch _ channels"], *, transpose: bool) -> None:
        """Stack the samples' matrices, and sort the entries by columns for the transpose."""
        if transpose:
            self._transpose(values)
        else:
            self._stack(values)

    def product(
        self, values: Float[Tensor, "*batch columns channels"]
    ) -> Float[Tensor, "*batch rows channels"]:
        """Sum each row's entries times the values in their columns."""
        batch, channels = values.shape[:-2], values.shape[-1]
        columns, entries = self._stack(values)
        result = F.embedding_bag(
            columns, values.reshape(-1, channels), per_sample_weights=entries, mode="sum"
        )
        return result.reshape(*batch, self.rows, channels)

    def transposed_product(
        self, values: Float[Tensor, "*batch rows channels"]
    ) -> Float[Tensor, "*batch columns channels"]:
        """Sum each column's entries times the values in their rows: no scatter, no atomics."""
        batch, channels = values.shape[:-2], values.shape[-1]
        rows, entries, starts = self._transpose(values)
        result = F.embedding_bag(
            rows, values.reshape(-1, channels), starts, per_sample_weights=entries, mode="sum"
        )
        return result.reshape(*batch, self.width, channels)

    def _stack(self, values: Tensor) -> tuple[Tensor, ...]:
        key = _key(values)
        if key not in self._stacked:
            columns, entries = self._geometry.like(values)
            copies = key[0] // columns.shape[0]
            first = torch.arange(key[0], device=columns.device) * self.width
            columns = columns.repeat(copies, 1, 1) + first[:, None, None]
            entries = entries.repeat(copies, 1, 1)
            self._stacked[key] = columns.flatten(0, 1), entries.flatten(0, 1)
        return self._stacked[key]

    def _transpose(self, values: Tensor) -> tuple[Tensor, ...]:
        key = _key(values)
        if key not in self._transposed:
            columns, entries = self._geometry.like(values)
            samples, copies = len(columns), key[0] // len(columns)
            first = torch.arange(samples, device=columns.device) * self.width
            columns = (columns + first[:, None, None]).flatten()
            short = samples * self.width < 2**31
            order = (columns.int() if short else columns).argsort(stable=True)
            counts = torch.bincount(columns, minlength=samples * self.width).repeat(copies)
            later = torch.arange(copies, device=columns.device) * samples * self.rows
            rows = (order // self.entries_per_row + later[:, None]).flatten()
            sorted_entries = entries.flatten()[order].repeat(copies)
            self._transposed[key] = rows, sorted_entries, counts.cumsum(0) - counts
        return self._transposed[key]


def _key(values: Tensor) -> Key:
    return math.prod(values.shape[:-2]), values.dtype, values.device
