"""The local operator by TorchSparse, as a form among the others."""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from inftydiff.operators.local._implementation import Form, is_depthwise
from inftydiff.operators.local._pairs import PairsForm
from inftydiff.operators.local._torchsparse_kernels import Maps, convolve, depthwise

__all__ = ["TorchSparseForm"]


@final
@dataclass(frozen=True, eq=False)
class TorchSparseForm(Form):
    """The operator at some points of the reference lattice.

    Args:
        coordinates: the number of the sample and the cell of each row, of shape
            ``(rows, 1 + dim)``.
        size: the number of nodes of the kernel's table along each axis.
        maps: what TorchSparse has found of the points, kept by it for all calls.
        pairs: the sum for depthwise tables over the pairs that TorchSparse has found; none where
            TorchSparse has one of its own.
    """

    coordinates: Int[Tensor, "rows axes"]
    size: int
    maps: Maps
    pairs: PairsForm | None

    def __call__(
        self,
        values: Float[Tensor, "*batch points channels"],
        weight: Float[Tensor, "images *window"],
        scale: Float[Tensor, "*samples points"],
    ) -> Float[Tensor, "*batch points images"]:
        """Sum over the neighbours, one copy after the other, and scale."""
        dim = self.coordinates.shape[1] - 1
        taps = weight.flatten(-dim)
        if not is_depthwise(weight, dim):
            apply, taps = convolve, taps.permute(2, 1, 0)
        elif self.pairs is not None:
            return self.pairs(values, weight, scale)
        else:
            apply, taps = depthwise, taps.movedim(-1, 0)
        columns = values.reshape(-1, len(self.coordinates), values.shape[-1])
        where = self.coordinates, self.size, dim, self.maps
        image = torch.stack([apply(v, taps.contiguous(), *where) for v in columns])
        return image.view(*values.shape[:-1], image.shape[-1]) * scale.unsqueeze(-1)
