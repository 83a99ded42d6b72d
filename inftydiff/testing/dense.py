r"""Dense linear and Gaussian algebra, for oracles and laws.

Conditioning by covariances squares the condition number: where a mollifier leaves
:math:`10^{-10}` of an amplitude, the variance is lost beside the rounding of the others'. So the
joint law of

.. math:: x = \mu + F w_1, \qquad y = A x + G w_2

is kept by its factors. With :math:`B = (A F, G)` and :math:`w = (w_1, w_2)` standard normal, what
:math:`y - A\mu = B w` says of :math:`w` is that it is :math:`B^+(y - A\mu)` plus what :math:`B`
does not see,

.. math:: E[x|y] = \mu + (F, 0)\, B^+ (y - A\mu), \qquad
          \mathrm{Cov}[x|y] = K K^T, \quad K = (F, 0)(I - B^+ B).

The rows of :math:`B` are scaled to length one before its singular values are taken. In coordinates
in which small and large amplitudes are different entries, those of the grid's eigenbasis
(``modes_of``), the small are then as exact as the large.
"""

from dataclasses import dataclass
from typing import NamedTuple, final

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._typing import dtype_of
from inftydiff.operators import Discretisation, Function, Grid, LinearOperator
from inftydiff.operators.basis import eigenbasis
from inftydiff.processes._checks import a_place, an_operator, channel_count, samples

__all__ = ["Gaussian", "LinearGaussian", "matrix_of", "modes_of"]

LARGEST_MATRIX = 1 << 28
"""The most entries of the matrix of an operator."""

RANK = 1e-12
"""Singular values below this part of the largest are zero, after the rows were scaled."""

LEAK = 1e-12
"""Entries of the scale below this part of its largest are taken for rounding."""


def matrix_of(
    operator: LinearOperator,
    on: Discretisation,
    *,
    batch: int = 1,
    channels: int = 1,
    dtype: torch.dtype = torch.float64,
) -> Float[Tensor, "batch rows columns"]:
    r"""The matrix of a linear operator between point values, one a sample.

    Costs one application a column. Rows and columns run over points, and over channels within a
    point. In the weighted inner products the matrix of the adjoint is :math:`W^{-1} A^T W'`.

    Args:
        operator: the operator.
        on: where its arguments live; with one set of points a sample, ``batch`` is their number.
        batch: the number of samples that it is applied to at once.
        channels: the number of channels of its arguments.
        dtype: the dtype that it is applied in.

    Example:
        >>> from inftydiff import Grid, Identity
        >>> matrix_of(2.0 * Identity(), Grid((2,)))[0].tolist()
        [[2.0, 0.0], [0.0, 2.0]]
    """
    an_operator(operator, "What has a matrix")
    a_place(on)
    batch, channels = samples(batch), channel_count(channels)
    dtype_of(dtype, "The dtype of a matrix")
    if batch * (on.size * channels) ** 2 > LARGEST_MATRIX:
        raise ValueError(
            f"The matrix has {batch} × {on.size * channels}² entries, more than {LARGEST_MATRIX}. "
            "Take fewer points, channels or samples."
        )
    columns = []
    for p in range(on.size):
        for c in range(channels):
            unit = torch.zeros(batch, on.size, channels, dtype=dtype)
            unit[:, p, c] = 1.0
            columns.append(operator(Function(on, unit)).values.flatten(1))
    return torch.stack(columns, -1)


def modes_of(grid: Grid) -> Float[Tensor, "points modes"]:
    """The orthogonal matrix whose columns are a grid's eigenvectors of the Laplacian.

    Args:
        grid: the grid.

    Example:
        >>> modes_of(Grid((2,))).square()
        tensor([[0.5000, 0.5000],
                [0.5000, 0.5000]], dtype=torch.float64)
    """
    units = torch.eye(grid.size, dtype=torch.float64).reshape(grid.size, *grid.shape)
    return eigenbasis(grid.domain).synthesis(units).reshape(grid.size, grid.size).mT


class Gaussian(NamedTuple):
    """A Gaussian law of point values, one a sample.

    Args:
        mean: of shape ``(batch, points)``.
        covariance: of shape ``(*batch, points, points)``.
    """

    mean: Tensor
    covariance: Tensor


@final
@dataclass(frozen=True, eq=False)
class LinearGaussian:
    r"""The joint law of :math:`x = \mu + F w_1` and :math:`y = A x + G w_2`, one a sample.

    Args:
        mean: the vectors :math:`\mu`, of shape ``(batch, points)``.
        factor: the matrices :math:`F`, of shape ``(*batch, points, modes)``.
        scale: the matrices :math:`A`, of shape ``(*batch, points, points)``.
        noise: the matrices :math:`G`, of shape ``(*batch, points, modes)``.

    Example:
        >>> one = torch.ones(1, 1, 1, dtype=torch.float64)
        >>> joint = LinearGaussian(torch.zeros(1, 1, dtype=torch.float64), one, one, one)
        >>> law = joint.given(torch.ones(1, 1, dtype=torch.float64))
        >>> round(law.mean.item(), 12), round(law.covariance.item(), 12)
        (0.5, 0.5)
    """

    mean: Float[Tensor, "batch points"]
    factor: Float[Tensor, "*#batch points modes"]
    scale: Float[Tensor, "*#batch points points"]
    noise: Float[Tensor, "*#batch points modes"]

    def given(self, observed: Float[Tensor, "batch points"]) -> Gaussian:
        """The law of x given y.

        Args:
            observed: the values of y.
        """
        largest = self.scale.abs().amax((-2, -1), keepdim=True)
        scale = torch.where(self.scale.abs() > LEAK * largest, self.scale, 0.0)
        seen, noise = torch.broadcast_tensors(scale @ self.factor, self.noise)
        factor = torch.cat([self.factor.expand_as(seen), torch.zeros_like(noise)], -1)
        both = torch.cat([seen, noise], -1)
        lengths = both.norm(dim=-1, keepdim=True)
        shrink = torch.where(lengths > 0.0, 1.0 / lengths, 0.0)
        left, sizes, right = torch.linalg.svd(shrink * both, full_matrices=False)
        kept = sizes > RANK * sizes[..., :1]
        inverse = torch.where(kept, 1.0 / sizes, 0.0).unsqueeze(-1)
        right = right * kept.unsqueeze(-1)
        surprise = shrink * (observed.unsqueeze(-1) - scale @ self.mean.unsqueeze(-1))
        shift = factor @ (right.mT @ (inverse * (left.mT @ surprise)))
        unseen = factor - (factor @ right.mT) @ right
        return Gaussian(self.mean + shift.squeeze(-1), unseen @ unseen.mT)
