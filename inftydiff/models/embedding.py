r"""The embeddings of the diffusion time and of a latent, and normalisation modulated by them.

The time :math:`t \in [0, 1]` is embedded by sines and cosines of :math:`1000\,t` at geometrically
spaced frequencies :math:`\omega_j = 10^{-4j/J}`, :math:`j < J`, and two linear maps, each followed
by a GELU. Every block then reads a scale and a shift for each channel from the embedding :math:`e`,

.. math:: \mathrm{mod}(h) = \mathrm{LN}(h)\,(1 + s_t(e)) + b_t(e),

with LN the layer normalisation over channels at each point. A latent :math:`z` goes through two
linear maps with a GELU each, and a linear map of the outcome scales all of it,

.. math:: \mathrm{mod}(h) = \bigl(\mathrm{LN}(h)\,(1 + s_t(e)) + b_t(e)\bigr)\,(1 + s_z(z)).

The maps to :math:`s_t, b_t` and :math:`s_z` start at zero, so that a new block normalises and no
more. Where there is no time, :math:`s_t` and :math:`b_t` are parameters.

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

from inftydiff._typing import MOST_CHANNELS, check_device, floating, shown, whole
from inftydiff.models._checks import check_features
from inftydiff.models._initial import zero_init

__all__ = ["AdaptiveLayerNorm", "LatentEmbedding", "TimeEmbedding", "timestep_embedding"]


def timestep_embedding(t: Float[Tensor, "batch"], features: int) -> Float[Tensor, "batch features"]:
    r"""The sines, then the cosines, of :math:`1000\,t\,\omega_j`, :math:`\omega_j = 10^{-4j/J}`.

    Args:
        t: times in [0, 1], of shape ``(batch,)``.
        features: the number :math:`2J` of features, even.

    Returns:
        The features, of shape ``(batch, features)``; half precision is computed in float32.

    Raises:
        TypeError: if the times are no floating-point tensor, or the number of features is none.
        ValueError: if the times are not of shape ``(batch,)``, or the number of features is odd,
            below two or above 65536.

    Example:
        >>> timestep_embedding(torch.zeros(1), 4)
        tensor([[0., 0., 1., 1.]])
    """
    half, odd = divmod(_count(features, "The number of features of a time"), 2)
    if odd:
        raise ValueError(
            f"A time has as many sines as cosines; got an odd number of features, {features}."
        )
    if floating(t, "The times of an embedding", held=False).ndim != 1:
        raise ValueError(f"The times of an embedding are one a sample; got {shown(t)}.")
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

    Raises:
        TypeError: if a number is none.
        ValueError: if one is not whole, from 1 to 65536, or there are not as many sines as cosines.

    Example:
        >>> embedding = TimeEmbedding(16)
        >>> tuple(embedding(torch.tensor([0.1, 0.9])).shape)
        (2, 16)
    """

    def __init__(self, width: int, *, features: int = 256) -> None:
        super().__init__()
        self.width = width = _count(width, "The width of a time embedding")
        self.features = _count(features, "The number of features of a time")
        if self.features % 2:
            raise ValueError(
                f"A time has as many sines as cosines; got an odd number of features, {features}."
            )
        self.first = nn.Linear(self.features, width)
        self.second = nn.Linear(width, width)

    def forward(self, t: Float[Tensor, "batch"]) -> Float[Tensor, "batch width"]:
        """Embed times in [0, 1], of shape ``(batch,)``.

        Raises:
            TypeError: if they are no floating-point tensor.
            ValueError: if they have another shape, or lie on another device than the parameters.
        """
        floating(t, "The times of an embedding", held=False)
        check_device(
            t.device, self.first.weight.device, "Times and parameters", "Move one of them."
        )
        features = timestep_embedding(t, self.features).to(self.first.weight.dtype)
        return F.gelu(self.second(F.gelu(self.first(features))))


@final
class LatentEmbedding(nn.Module):
    """A latent → Linear → GELU → Linear → GELU.

    Args:
        latent: the number of features of a latent.
        width: the number of channels of the embedding.

    Raises:
        TypeError: if a number is none.
        ValueError: if one is not whole, from 1 to 65536.

    Example:
        >>> tuple(LatentEmbedding(4, 16)(torch.zeros(2, 4)).shape)
        (2, 16)
    """

    def __init__(self, latent: int, width: int) -> None:
        super().__init__()
        width = _count(width, "The width of a latent's embedding")
        self.first = nn.Linear(_count(latent, "The number of features of a latent"), width)
        self.second = nn.Linear(width, width)

    def forward(self, latent: Float[Tensor, "batch features"]) -> Float[Tensor, "batch width"]:
        """Embed latents of shape ``(batch, features)``.

        Raises:
            TypeError: if they are no floating-point tensor.
            ValueError: if they have another shape, or lie on another device than the parameters.
        """
        floating(latent, "The latents of an embedding", held=False)
        latent = latent.to(self.first.weight.dtype)
        check_features(latent, self.first.weight, self.first.in_features, "Latents")
        return F.gelu(self.second(F.gelu(self.first(latent))))


@final
class AdaptiveLayerNorm(nn.Module):
    """Layer normalisation over channels, scaled and shifted by the time, and scaled by a latent.

    Args:
        channels: the number of channels.
        embedding: the width of the time embedding, or None for a norm that knows no time.
        latent: the width of the latent's embedding, or None for a norm that knows no latent.

    Raises:
        TypeError: if a number is none.
        ValueError: if one is not whole, from 1 to 65536.

    Example:
        >>> norm = AdaptiveLayerNorm(2, 8)
        >>> norm(torch.tensor([[[1.0, 3.0]]]), torch.ones(1, 8)).round().tolist()
        [[[-1.0, 1.0]]]
    """

    def __init__(self, channels: int, embedding: int | None, *, latent: int | None = None) -> None:
        super().__init__()
        self.channels = channels = _count(channels, "The channels of a norm")
        self.modulation: nn.Linear | None = None
        if embedding is None:
            self.constant = nn.Parameter(torch.zeros(1, 2 * channels))
        else:
            width = _count(embedding, "The width of a time embedding")
            self.modulation = zero_init(nn.Linear(width, 2 * channels))
        self.latent_scale: nn.Linear | None = None
        if latent is not None:
            width = _count(latent, "The width of a latent's embedding")
            self.latent_scale = zero_init(nn.Linear(width, channels))

    def forward(
        self,
        x: Float[Tensor, "batch *points channels"],
        embedding: Float[Tensor, "batch width"] | None = None,
        latent: Float[Tensor, "batch features"] | None = None,
    ) -> Float[Tensor, "batch *points channels"]:
        """Normalise and modulate features, channels last, sample by sample.

        Args:
            x: the features.
            embedding: the embedded times, for a norm that takes them.
            latent: the embedded latents, for a norm that takes them.

        Raises:
            TypeError: if one is no floating-point tensor.
            ValueError: if one has another number of channels, or there is not one a sample.
        """
        floating(x, "What is normalised")
        if x.ndim < 2 or x.shape[-1] != self.channels:
            raise ValueError(
                f"What is normalised must have the shape (batch, …, {self.channels}); got "
                f"{shown(x)}."
            )
        timed, coded = self.modulation, self.latent_scale
        if timed is not None:
            name = "The embedded times of a norm"
            check_features(embedding, timed.weight, timed.in_features, name, axes=2)
        if coded is not None:
            name = "The embedded latents of a norm"
            check_features(latent, coded.weight, coded.in_features, name, axes=2)
        modulation: Tensor = (
            self.constant if self.modulation is None else self.modulation(embedding)
        )
        scale, shift = modulation.chunk(2, -1)
        scale = 1.0 + scale
        if self.latent_scale is not None:
            factor = 1.0 + self.latent_scale(latent)
            scale, shift = scale * factor, shift * factor
        shape = (-1, *(1,) * (x.ndim - 2), self.channels)
        normed = F.layer_norm(x, (self.channels,))
        return torch.addcmul(shift.reshape(shape), normed, scale.reshape(shape))


def _count(number: int, name: str) -> int:
    return whole(number, name, most=MOST_CHANNELS)
