r"""Dense matrices of linear operators, for oracles and laws; they cost one application a column."""

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff.operators import Discretisation, Function, LinearOperator

__all__ = ["matrix_of"]


def matrix_of(
    operator: LinearOperator,
    on: Discretisation,
    *,
    batch: int = 1,
    channels: int = 1,
    dtype: torch.dtype = torch.float64,
) -> Float[Tensor, "batch rows columns"]:
    r"""The matrix of a linear operator between point values, one a sample.

    Rows and columns run over points, and over channels within a point. In the weighted inner
    products the matrix of the adjoint is :math:`W^{-1} A^T W'`.

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
    columns = []
    for p in range(on.size):
        for c in range(channels):
            unit = torch.zeros(batch, on.size, channels, dtype=dtype)
            unit[:, p, c] = 1.0
            columns.append(operator(Function(on, unit)).values.flatten(1))
    return torch.stack(columns, -1)
