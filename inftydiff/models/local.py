r"""The sparse residual block: a local operator and a pointwise network, modulated.

.. math::
   x \leftarrow x + K\,\mathrm{mod}_1(x), \qquad
   x \leftarrow x + W_2\,\mathrm{GELU}(W_1\,\mathrm{mod}_2(x)),

with :math:`\mathrm{mod}` of :mod:`inftydiff.models.embedding` and :math:`K` the depthwise local
operator: at each point, the mean of :math:`\kappa(c - y) ⊙ v(y)` over the points :math:`y` observed
in a window of fixed physical size.

The paper divides by the share of the window that is observed, not by the count, so that its
operator is :math:`k^2` times this mean. Here the kernel's table is :math:`\kappa = k^2 \theta` with
:math:`\theta` the parameter: it starts as a depthwise convolution of PyTorch does, uniform in
:math:`±1/k`, and an optimiser's step moves the output as far as it does in the paper. Where
autograd keeps nothing of it, what is computed point by point is computed some points at a time.

References:
    Bond-Taylor and Willcocks, "∞-Diff", ICLR 2024, section 4.1.
"""

from collections.abc import Callable
from typing import final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from inftydiff._typing import MOST_CHANNELS, flag, whole
from inftydiff.models._checks import check_features
from inftydiff.models._initial import zero_init
from inftydiff.models._recompute import RecomputedBlock
from inftydiff.models.embedding import AdaptiveLayerNorm
from inftydiff.operators.local import Neighbours, local_operator
from inftydiff.operators.local.definition import odd

__all__ = ["LocalBlock", "pointwise"]

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


@final
class LocalBlock(RecomputedBlock):
    """A residual block at the points of a discretisation.

    Args:
        width: the number of channels.
        embedding: the width of the time embedding, or None for a block that knows no time.
        latent: the width of the latent's embedding, or None for a block that knows no latent.
        size: the number of nodes k of the kernel's table along each axis.
        expansion: the width of the pointwise network's hidden layer over ``width``.
        skip: whether the block takes the features of an earlier block, concatenated and mapped back
            to ``width`` at its entry.

    Raises:
        TypeError: if a number is none, or ``skip`` no bool.
        ValueError: if a number is not whole, from 1 to 65536, or the kernel's size is even or above
            1023.

    Example:
        >>> from inftydiff import Grid
        >>> from inftydiff.operators.local import neighbours
        >>> near = neighbours(Grid((4, 4)), size=3, cell=1 / 4)
        >>> block = LocalBlock(8, 16, size=3)
        >>> tuple(block(torch.ones(2, 16, 8), torch.ones(2, 16), near).shape)
        (2, 16, 8)
    """

    def __init__(
        self,
        width: int,
        embedding: int | None,
        *,
        latent: int | None = None,
        size: int = 7,
        expansion: int = 2,
        skip: bool = False,
    ) -> None:
        super().__init__()
        width = whole(width, "The width of a local block", most=MOST_CHANNELS)
        expansion = whole(expansion, "The expansion of a local block", most=MOST_CHANNELS // width)
        flag(skip, "Whether a local block takes a skip")
        self.size = size = odd(size)
        self.entry = nn.Linear(2 * width, width) if skip else None
        self.first_norm = AdaptiveLayerNorm(width, embedding, latent=latent)
        self.kernel = nn.Parameter(torch.empty(width, size, size))
        nn.init.uniform_(self.kernel, -1.0 / size, 1.0 / size)
        self.second_norm = AdaptiveLayerNorm(width, embedding, latent=latent)
        self.expand = nn.Linear(width, expansion * width)
        self.contract = zero_init(nn.Linear(expansion * width, width))

    def forward(
        self,
        x: Float[Tensor, "batch points channels"],
        embedding: Float[Tensor, "batch features"] | None,
        near: Neighbours,
        skip: Float[Tensor, "batch points channels"] | None = None,
        *,
        latent: Float[Tensor, "batch codes"] | None = None,
    ) -> Float[Tensor, "batch points channels"]:
        """Apply the block.

        Args:
            x: the features.
            embedding: the embedded times.
            near: the neighbours of each point.
            skip: the features of an earlier block, for a block that takes them.
            latent: the embedded latents, for a block that takes them.

        Raises:
            TypeError: if the features are no floating-point tensors.
            ValueError: if a skip is given to a block without one, or missing where there is one, or
                the features have other channels.
        """
        for features in (x,) if skip is None else (x, skip):
            check_features(
                features, self.kernel, len(self.kernel), "The features of a local block", axes=3
            )
        if (skip is None) is not (self.entry is None):
            wanted = (
                "takes no skip, and got one" if self.entry is None else "takes a skip, and got none"
            )
            raise ValueError(
                f"This block {wanted}; see its argument skip. Leave the skip out, or give one."
            )
        return self.kept(self._compute, x, embedding, near, skip, latent)

    def _compute(
        self,
        x: Tensor,
        embedding: Tensor | None,
        near: Neighbours,
        skip: Tensor | None,
        latent: Tensor | None,
    ) -> Tensor:
        entry = self.entry
        if skip is not None and entry is not None:
            x = pointwise(lambda x, skip: entry(torch.cat([x, skip], -1)), x, skip)
        normed = pointwise(lambda x: self.first_norm(x, embedding, latent), x)
        image = local_operator(normed, self.size**2 * self.kernel, near)
        del normed  # where no gradient wants it, its memory is free for the next

        def network(x: Tensor, image: Tensor) -> Tensor:
            x = x + image
            hidden = F.gelu(self.expand(self.second_norm(x, embedding, latent)))
            out: Tensor = x + self.contract(hidden)
            return out

        return pointwise(network, x, image)
