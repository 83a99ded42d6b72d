"""Anderson's acceleration of fixed-point iterations, sample by sample.

References:
    Anderson, "Iterative procedures for nonlinear integral equations", J. ACM 12 (1965).
"""

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff.operators.function import Function

__all__ = ["Iterates"]

REMEMBERED = 5
"""How many differences of iterates the fixed point's acceleration combines."""

RIDGE = 1e-10
"""What its least squares add to the squares of the normed differences, which may be parallel."""


class Iterates:
    r"""Anderson's acceleration of :math:`x \leftarrow x + f(x)`, sample by sample.

    Of the last iterates the combination is taken whose :math:`f`, were it affine, is least.
    """

    def __init__(self) -> None:
        self._last: tuple[Tensor, Tensor] | None = None
        self._steps: list[Tensor] = []
        self._changes: list[Tensor] = []

    def next(self, x: Function, change: Function) -> Function:
        """The next iterate, of the present one and the change that it asks for."""
        here, wanted = x.values.flatten(1), change.values.flatten(1)
        if self._last is not None:
            self._steps = [*self._steps, here - self._last[0]][-REMEMBERED:]
            self._changes = [*self._changes, wanted - self._last[1]][-REMEMBERED:]
        self._last = here, wanted
        following = here + wanted
        if self._steps:
            changes = torch.stack(self._changes, 1)
            weights = _least_squares(changes, wanted)
            moves = torch.stack(self._steps, 1) + changes
            following = following - (weights.unsqueeze(1) @ moves).squeeze(1)
        return Function(x.on, following.reshape(x.values.shape))


def _least_squares(
    rows: Float[Tensor, "batch rows values"], target: Float[Tensor, "batch values"]
) -> Float[Tensor, "batch rows"]:
    """The combination of rows nearest to a target, sample by sample, and not a long one."""
    wide = rows.double()
    length = wide.square().sum(-1, keepdim=True).sqrt().clamp(min=torch.finfo(wide.dtype).tiny)
    wide = wide / length
    ridge = RIDGE * torch.eye(rows.shape[1], dtype=wide.dtype, device=wide.device)
    weights = torch.linalg.solve(wide @ wide.mT + ridge, wide @ target.double().unsqueeze(-1))
    return (weights / length).squeeze(-1).to(rows.dtype)
