"""The local operator by the pairs of points that see each other: as fast as the points are few."""

from dataclasses import dataclass
from importlib import import_module
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff.operators.local import torch_kernels
from inftydiff.operators.local.bilinear import bilinear
from inftydiff.operators.local.dense import resample
from inftydiff.operators.local.form import Form, is_depthwise
from inftydiff.operators.local.pair_list import PairList

__all__ = ["KERNELS", "PairsForm"]

KERNELS = ("torch", "numba", "triton")
"""The backends that sum over pairs."""


@final
@dataclass(frozen=True, eq=False)
class PairsForm(Form):
    """The operator at any points from their pairs.

    A kernel that mixes channels is a matrix product for each tap, which torch does best; every
    backend leaves it to torch.

    Args:
        pairs: the pairs, all samples' points in one column.
        backend: what sums over them, one of ``KERNELS``.
        dim: the number of axes.
        hats: what reads the table at a grid's offsets, from ``lattice_hats``; none for scattered
            points.
        weights: the quadrature weights of the rows, where they are not all equal.
    """

    pairs: PairList
    backend: str
    dim: int
    hats: tuple[Float[Tensor, "_ _"] | None, ...] | None = None
    weights: Float[Tensor, "rows"] | None = None

    def __call__(
        self,
        values: Float[Tensor, "copies *samples points channels"],
        weight: Float[Tensor, "images *window"],
        mass: Float[Tensor, "*samples points"],
    ) -> Float[Tensor, "copies *samples points images"]:
        """Sum over the pairs of each point, and divide."""
        column = values.reshape(len(values), self.pairs.rows, values.shape[-1])
        if self.weights is not None:
            column = column * self.weights.to(values).unsqueeze(-1)
        scale = torch.where(mass > 0, 1.0 / mass, 0.0).flatten()
        if self.hats is not None:
            weight = resample(weight, self.hats)
        if is_depthwise(weight, self.dim):
            taps, backend = weight.flatten(1).movedim(1, 0), self.backend
        else:
            taps, backend = weight.flatten(2).permute(2, 1, 0), "torch"
        image: Tensor = _pair_sum(column, taps, scale, self.pairs.lists(backend), backend)
        return image.view(*values.shape[:-1], image.shape[-1])


def _image(
    values: Tensor, taps: Tensor, scale: Tensor, lists: list[Tensor], backend: str
) -> Tensor:
    if backend == "torch":
        return torch_kernels.pair_sum(values, taps, scale, lists)
    kernels, pairs = _compiled(backend, values, taps, scale), PairList.of(lists, len(taps))
    image: Tensor = kernels.pair_sum(values, taps, pairs, scale)
    return image


def _gradients(
    grad: Tensor,
    values: Tensor,
    taps: Tensor,
    scale: Tensor,
    lists: list[Tensor],
    backend: str,
    of_values: bool,
    of_taps: bool,
) -> tuple[Tensor | None, Tensor | None]:
    wanted = {"of_values": of_values, "of_taps": of_taps}
    if backend == "torch":
        return torch_kernels.pair_sum_gradients(grad, values, taps, scale, lists, **wanted)
    kernels, pairs = _compiled(backend, grad, values, taps, scale), PairList.of(lists, len(taps))
    found: tuple[Tensor | None, Tensor | None]
    if backend == "triton":
        found = kernels.pair_sum_gradients(grad, values, taps, pairs, scale, **wanted)
    elif of_taps:
        found = kernels.pair_sum_gradients(grad, values, taps, pairs, scale)
    else:
        along, ones = grad * scale.unsqueeze(-1), torch.ones_like(scale)
        found = kernels.pair_sum(along, taps.flip(0), pairs, ones), None
    return found


def _compiled(backend: str, *tensors: Tensor) -> Any:
    """The module of kernels, which is imported when it is first used."""
    dtypes = {x.dtype for x in tensors}
    if dtypes not in ({torch.float32}, {torch.float64}):
        raise TypeError(
            f"The kernels of {backend!r} take tensors of one dtype, float32 or float64; got "
            f"{', '.join(sorted(map(str, dtypes)))}. local_operator converts them."
        )
    return import_module(f"inftydiff.operators.local.{backend}_kernels")


_pair_sum = bilinear(
    "pair_sum", _image, _gradients, rest=", Tensor scale, Tensor[] lists, str backend"
)
