r"""The embedding of the diffusion time, and normalisation modulated by it.

The time :math:`t \in [0, 1]` is embedded by sines and cosines of :math:`1000\,t` at geometrically
spaced frequencies :math:`\omega_j = 10^{-4j/J}`, :math:`j < J`, and two linear maps, each followed
by a GELU. Every block then reads a scale and a shift for each channel from the embedding :math:`e`,

.. math:: \mathrm{mod}(h) = \mathrm{LN}(h)\,(1 + s_t(e)) + b_t(e),

with LN the layer normalisation over channels at each point. The linear map :math:`e \mapsto (s_t,
b_t)` starts at zero, so that a new block normalises and no more.

References:
    Vaswani et al., "Attention is all you need", NeurIPS 2017, section 3.5.
    Bond-Taylor and Willcocks, "∞-Diff", ICLR 2024, section 4.
"""

import math
from typing import final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from inftydiff._typing import whole
from inftydiff.models._initial import zeroed

__all__ = ["ModulatedNorm", "TimeEmbedding", "sinusoidal"]


def sinusoidal(t: Float[Tensor, "batch"], features: int) -> Float[Tensor, "batch features"]:
    r"""The sines, then the cosines, of :math:`1000\,t\,\omega_j`, :math:`\omega_j = 10^{-4j/J}`.

    Args:
        t: times in [0, 1], of shape ``(batch,)``.
        features: the number :math:`2J` of features, even.

    Returns:
        The features, of shape ``(batch, features)``; half precision is computed in float32.

    Raises:
        ValueError: if the number of features is odd or below two.

    Example:
        >>> sinusoidal(torch.zeros(1), 4)
        tensor([[0., 0., 1., 1.]])
    """
    half, odd = divmod(whole(features, "The number of features of a time"), 2)
    if odd:
        raise ValueError(
            f"A time has as many sines as cosines; got an odd number of features, {features}."
        )
    t = t.float() if t.dtype in (torch.float16, torch.bfloat16) else t
    frequencies = torch.arange(half, dtype=t.dtype, device=t.device) * (-math.log(1e4) / half)
    angles = torch.outer(1000.0 * t, frequencies.exp())
    return torch.cat([angles.sin(), angles.cos()], -1)


@final
class TimeEmbedding(nn.Module):
    """Sines and cosines of the time → Linear → GELU → Linear → GELU.

    Args:
        width: the number of channels of the embedding.
        features: the number of sines and cosines together; the paper's code has 256.

    Example:
        >>> embedding = TimeEmbedding(16)
        >>> tuple(embedding(torch.tensor([0.1, 0.9])).shape)
        (2, 16)
    """

    def __init__(self, width: int, *, features: int = 256) -> None:
        super().__init__()
        self.width = whole(width, "The width of a time embedding")
        self.features = features
        self.first = nn.Linear(features, width)
        self.second = nn.Linear(width, width)

    def forward(self, t: Float[Tensor, "batch"]) -> Float[Tensor, "batch width"]:
        """Embed times in [0, 1], of shape ``(batch,)``."""
        features = sinusoidal(t, self.features).to(self.first.weight.dtype)
        return F.gelu(self.second(F.gelu(self.first(features))))


@final
class ModulatedNorm(nn.Module):
    """Layer normalisation over channels, scaled and shifted by the time embedding.

    Args:
        channels: the number of channels.
        embedding: the width of the time embedding.

    Example:
        >>> norm = ModulatedNorm(2, 8)
        >>> norm(torch.tensor([[[1.0, 3.0]]]), torch.ones(1, 8)).round().tolist()
        [[[-1.0, 1.0]]]
    """

    def __init__(self, channels: int, embedding: int) -> None:
        super().__init__()
        self.channels = channels
        self.modulation = zeroed(nn.Linear(embedding, 2 * channels))

    def forward(
        self, x: Float[Tensor, "batch *points channels"], embedding: Float[Tensor, "batch width"]
    ) -> Float[Tensor, "batch *points channels"]:
        """Normalise and modulate features, channels last, sample by sample."""
        modulation: Tensor = self.modulation(embedding)
        shape = (x.shape[0], *(1,) * (x.ndim - 2), self.channels)
        scale, shift = (part.reshape(shape) for part in modulation.chunk(2, -1))
        return F.layer_norm(x, (self.channels,)) * (1.0 + scale) + shift
