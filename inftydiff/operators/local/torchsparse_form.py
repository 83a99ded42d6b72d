"""The local operator by TorchSparse, as a form among the others."""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from inftydiff.operators.local.form import Form, is_depthwise
from inftydiff.operators.local.torchsparse_kernels import convolve, depthwise

__all__ = ["TorchSparseForm"]


@final
@dataclass(frozen=True, eq=False)
class TorchSparseForm(Form):
    """The operator at some points of the reference lattice.

    Args:
        coordinates: the number of the sample and the cell of each row, of shape
            ``(rows, 1 + dim)``.
        size: the number of nodes of the kernel's table along each axis.
    """

    coordinates: Int[Tensor, "rows axes"]
    size: int

    def __call__(
        self,
        values: Float[Tensor, "copies *samples points channels"],
        weight: Float[Tensor, "images *window"],
        mass: Float[Tensor, "*samples points"],
    ) -> Float[Tensor, "copies *samples points images"]:
        """Sum over the neighbours, one copy after the other, and divide."""
        dim = self.coordinates.shape[1] - 1
        taps = weight.flatten(-dim)
        if is_depthwise(weight, dim):
            apply, taps = depthwise, taps.movedim(-1, 0)
        else:
            apply, taps = convolve, taps.permute(2, 1, 0)
        columns = values.reshape(len(values), -1, values.shape[-1])
        images = [apply(v, taps.contiguous(), self.coordinates, self.size, dim) for v in columns]
        image = torch.stack(images)
        return image.view(*values.shape[:-1], image.shape[-1]) / mass.unsqueeze(-1)
