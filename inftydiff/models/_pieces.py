"""What is computed point by point, computed in pieces where autograd keeps nothing of it."""

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["pointwise"]

_PIECE = 2**20
"""About how many values of an input are taken at once: what a processor's cache holds."""


def pointwise(function: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
    """A function of the features at each point, without memory for all points on the way.

    Where gradients are recorded, and under a compiler, which fuses such functions by itself, it is
    called once.

    Args:
        function: a function of features that treats every point alike.
        inputs: features of the same points, of shape ``(batch, points, channels)``.

    Returns:
        The function's values, of shape ``(batch, points, images)``.
    """
    first, points = inputs[0], inputs[0].shape[1]
    size = max(1, _PIECE // max(1, first.shape[0] * first.shape[-1]))
    if size >= points or torch.is_grad_enabled() or torch.compiler.is_compiling():
        return function(*inputs)
    piece = function(*(x[:, :size] for x in inputs))
    image = piece.new_empty(len(piece), points, *piece.shape[2:])  # with vmap's axes, as it has
    image[:, :size] = piece
    for start in range(size, points, size):
        image[:, start : start + size] = function(*(x[:, start : start + size] for x in inputs))
    return image
