"""The local operator by the pairs of points that see each other: as fast as the points are few."""

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff.operators.local import _torch_kernels as torch_kernels
from inftydiff.operators.local._bilinear import bilinear
from inftydiff.operators.local._dense import resample
from inftydiff.operators.local._implementation import Form, is_depthwise
from inftydiff.operators.local._pair_list import PairList

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
        hats: what reads the table at a grid's offsets, from ``lattice_hats``; none where nothing
            has to.
        weights: the quadrature weights of the points, where they are not all equal.
    """

    pairs: PairList
    backend: str
    dim: int
    hats: tuple[Float[Tensor, "_ _"] | None, ...] | None = None
    weights: Float[Tensor, "*samples points"] | None = None

    def __call__(
        self,
        values: Float[Tensor, "*batch points channels"],
        weight: Float[Tensor, "images *window"],
        scale: Float[Tensor, "*samples points"],
    ) -> Float[Tensor, "*batch points images"]:
        """Sum over the pairs of each point, and scale."""
        if self.weights is not None:
            values = values * self.weights.to(values).unsqueeze(-1)
        if self.hats is not None:
            weight = resample(weight, self.hats)
        backend = self.backend if is_depthwise(weight, self.dim) else "torch"
        return _pair_sum(values, weight, scale, self.pairs.lists(backend), self.dim, backend)


def _image(
    values: Tensor, weight: Tensor, scale: Tensor, lists: list[Tensor], dim: int, backend: str
) -> Tensor:
    taps = _taps(weight, dim)
    if backend != "torch":
        _check(backend, values, weight, scale)
        pairs = PairList.of(lists, weight.shape[-dim:].numel())
    if backend == "numba":
        return _kernels(backend).pair_sum(values, taps, pairs, scale)
    column, taps, scale = _column(values, scale), taps.flatten(0, dim - 1), scale.flatten()
    if backend == "torch":
        image = torch_kernels.pair_sum(column, taps, scale, lists)
    else:
        image = _kernels(backend).pair_sum(column, taps, pairs, scale)
    return image.view(*values.shape[:-1], image.shape[-1])


def _gradients(
    grad: Tensor,
    values: Tensor,
    weight: Tensor,
    scale: Tensor,
    lists: list[Tensor],
    dim: int,
    backend: str,
    of_values: bool,
    of_taps: bool,
) -> tuple[Tensor | None, Tensor | None]:
    taps, wanted = _taps(weight, dim), {"of_values": of_values, "of_taps": of_taps}
    if backend != "torch":
        _check(backend, grad, values, weight, scale)
        pairs = PairList.of(lists, weight.shape[-dim:].numel())
    if backend == "numba":
        kernel = _kernels(backend).pair_sum_gradients
        d_values, d_taps = kernel(grad, values, taps, pairs, scale, **wanted)
        return d_values, None if d_taps is None else _weight(d_taps, dim)
    along, column = _column(grad, scale), _column(values, scale)
    taps, scale = taps.flatten(0, dim - 1), scale.flatten()
    if backend == "torch":
        found = torch_kernels.pair_sum_gradients(along, column, taps, scale, lists, **wanted)
    else:
        found = _kernels(backend).pair_sum_gradients(along, column, taps, pairs, scale, **wanted)
    d_values, d_taps = found
    return (
        None if d_values is None else d_values.view(values.shape),
        None if d_taps is None else _weight(d_taps.unflatten(0, weight.shape[-dim:]), dim),
    )


def _column(values: Tensor, scale: Tensor) -> Float[Tensor, "copies rows channels"]:
    """The values of all samples' points in one column a copy."""
    rows = scale.numel()
    return values.reshape(values.shape[:-1].numel() // rows, rows, values.shape[-1])


def _taps(weight: Tensor, dim: int) -> Float[Tensor, "*window_and_channels"]:
    """The table with the channels, or the matrix of channels and images, last."""
    channels = weight.ndim - dim
    return weight.permute(*range(channels, weight.ndim), *range(channels)[::-1])


def _weight(taps: Tensor, dim: int) -> Float[Tensor, "*channels_and_window"]:
    """The table with the channels, or the matrix of images and channels, first, contiguous."""
    return taps.permute(*range(dim, taps.ndim)[::-1], *range(dim)).contiguous()


@cache
def _kernels(backend: str) -> Any:
    """The module of kernels, which is imported when it is first used."""
    return import_module(f"inftydiff.operators.local._{backend}_kernels")


def _check(backend: str, *tensors: Tensor) -> None:
    dtypes = {x.dtype for x in tensors}
    if dtypes not in ({torch.float32}, {torch.float64}):
        raise TypeError(
            f"The kernels of {backend!r} take tensors of one dtype, float32 or float64; got "
            f"{', '.join(sorted(map(str, dtypes)))}. local_operator converts them."
        )


_pair_sum = bilinear(
    "pair_sum", _image, _gradients, rest=", Tensor scale, Tensor[] lists, int dim, str backend"
)
