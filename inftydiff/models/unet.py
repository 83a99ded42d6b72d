r"""A U-Net on a grid of fixed size, modulated by time and latent, and its way down alone.

Levels of 1, ½, ¼, … of the resolution; at each, residual blocks

.. math:: x \leftarrow W x + C_2\,\mathrm{SiLU}(\mathrm{mod}(C_1\,\mathrm{SiLU}(\mathrm{LN}(x)))),

with 3×3 convolutions :math:`C`, and softmax attention at chosen levels and in the middle. The way
up takes the outputs of the blocks of the way down in reverse order. Both normalisations are over
channels at each cell; a strided convolution goes down a level, a linear map and repetition of each
cell go up one. :math:`C_2` and the attention's last map start at zero.

References:
    Ronneberger, Fischer and Brox, "U-Net", MICCAI 2015.
    Nichol and Dhariwal, "Improved denoising diffusion probabilistic models", ICML 2021.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from inftydiff._typing import MOST_BLOCKS, MOST_CHANNELS, entries, fraction, whole
from inftydiff.models._checks import check_features
from inftydiff.models._initial import zero_init
from inftydiff.models._recompute import RecomputedBlock
from inftydiff.models.embedding import AdaptiveLayerNorm

__all__ = ["DownPath", "UNet"]


@final
class DownPath(nn.Module):
    """The way down of a U-Net, and its middle.

    Args:
        channels: the number of channels that come in, and are kept at the finest level.
        embedding: the width of the time embedding, or None for blocks that know no time.
        latent: the width of the latent's embedding, or None for blocks that know no latent.
        channel_multipliers: each level's width over ``channels``, finest first.
        blocks: the number of residual blocks a level.
        attention: the levels with attention after each block, 0 the finest.
        head_dim: the width of an attention head.
        dropout: the probability of dropping a feature before the last convolution of a block.
        dropout_from: the first level with dropout.

    Raises:
        TypeError: if an argument is no number.
        ValueError: if a width is not whole, from 1 to 65536, there are more than 1024 blocks, an
            attention level does not exist, or its width is no multiple of ``head_dim``.

    Example:
        >>> down = DownPath(8, None, channel_multipliers=(1, 2), head_dim=8)
        >>> x, skips = down(torch.ones(1, 8, 4, 6))
        >>> tuple(x.shape), len(skips)
        ((1, 16, 2, 3), 2)
    """

    def __init__(
        self,
        channels: int,
        embedding: int | None,
        *,
        latent: int | None = None,
        channel_multipliers: Sequence[int] = (1, 2, 4),
        blocks: int = 1,
        attention: Sequence[int] = (),
        head_dim: int = 32,
        dropout: float = 0.0,
        dropout_from: int = 0,
    ) -> None:
        super().__init__()
        channels = whole(channels, "The channels of a U-Net", most=MOST_CHANNELS)
        wide = entries(channel_multipliers, "The channel_multipliers of a U-Net", most=32)
        factors = [whole(m, "A multiplier of a U-Net", most=MOST_CHANNELS) for m in wide]
        widths = [
            whole(channels * m, "The width of a U-Net's level", most=MOST_CHANNELS) for m in factors
        ]
        if not widths:
            raise ValueError("A U-Net has at least one level; got no channel_multipliers.")
        head_dim = whole(head_dim, "The width of an attention head", most=MOST_CHANNELS)
        dropout = fraction(dropout, "The dropout of a U-Net", one=False)
        dropout_from = whole(dropout_from, "The first level with dropout", least=0)
        attention = [
            whole(level, "A level with attention", least=0)
            for level in entries(attention, "The levels with attention", most=32)
        ]
        unknown = sorted(set(attention) - set(range(len(widths))))
        if unknown:
            raise ValueError(
                f"Attention is asked for at level {unknown}; this U-Net has the levels 0 to "
                f"{len(widths) - 1}. Choose one of these."
            )
        self.widths = tuple(widths)
        self.blocks = blocks = whole(
            blocks, "The number of a U-Net's blocks a level", most=MOST_BLOCKS // len(widths)
        )

        self.levels = nn.ModuleList(
            _Block(
                width,
                width,
                embedding,
                latent=latent,
                head_dim=head_dim if level in attention else None,
                dropout=dropout if level >= dropout_from else 0.0,
            )
            for level, width in enumerate(widths)
            for _ in range(blocks)
        )
        self.shrink = nn.ModuleList(
            nn.Conv2d(fine, coarse, 3, stride=2, padding=1) for fine, coarse in pairwise(widths)
        )
        self.middle = nn.ModuleList(
            _Block(
                widths[-1], widths[-1], embedding, latent=latent, head_dim=attended, dropout=dropout
            )
            for attended in (head_dim, None)
        )

    def forward(
        self,
        x: Float[Tensor, "batch channels h w"],
        embedding: Float[Tensor, "batch features"] | None = None,
        latent: Float[Tensor, "batch codes"] | None = None,
    ) -> tuple[Float[Tensor, "batch wide rows columns"], list[Tensor]]:
        """Go down.

        Args:
            x: images; fastest in the memory format ``torch.channels_last``.
            embedding: the embedded times, for blocks that take them.
            latent: the embedded latents, for blocks that take them.

        Returns:
            The coarsest features, and those after each block of the levels, finest first.

        Raises:
            TypeError: if an argument is no floating-point tensor.
            ValueError: if the images have other channels, or a side that cannot be halved once a
                level.
        """
        like = next(self.parameters())
        check_features(x, like, self.widths[0], "The images of a U-Net", axes=4)
        factor = 2 ** (len(self.widths) - 1)
        if x.shape[-2] % factor or x.shape[-1] % factor:
            raise ValueError(
                f"This U-Net takes images with sides divisible by {factor}; got "
                f"{tuple(x.shape[-2:])}."
            )
        skips = []
        for number, block in enumerate(self.levels):
            level, first = divmod(number, self.blocks)
            x = self.shrink[level - 1](x) if level and not first else x
            x = block(x, embedding, latent)
            skips.append(x)
        for block in self.middle:
            x = block(x, embedding, latent)
        return x, skips


@final
class UNet(nn.Module):
    """Images and an embedding of the time to images of the same size.

    Args:
        channels: the number of channels that come in, go out, and are kept at the finest level.
        embedding: the width of the time embedding, or None for a network that knows no time.
        latent: the width of the latent's embedding, or None for a network that knows no latent.
        channel_multipliers: each level's width over ``channels``, finest first.
        blocks: the number of residual blocks a level, down and up.
        attention: the levels with attention after each block, 0 the finest.
        head_dim: the width of an attention head.
        dropout: the probability of dropping a feature before the last convolution of a block.
        dropout_from: the first level with dropout.

    Raises:
        TypeError: if an argument is no number.
        ValueError: if a width is not whole, from 1 to 65536, there are more than 1024 blocks, an
            attention level does not exist, or its width is no multiple of ``head_dim``.

    Example:
        >>> net = UNet(8, 16, channel_multipliers=(1, 2), attention=(1,), head_dim=8)
        >>> tuple(net(torch.ones(1, 8, 4, 6), torch.ones(1, 16)).shape)
        (1, 8, 4, 6)
    """

    def __init__(
        self,
        channels: int,
        embedding: int | None,
        *,
        latent: int | None = None,
        channel_multipliers: Sequence[int] = (1, 2, 4),
        blocks: int = 1,
        attention: Sequence[int] = (),
        head_dim: int = 32,
        dropout: float = 0.0,
        dropout_from: int = 0,
    ) -> None:
        super().__init__()
        self.descent = DownPath(
            channels,
            embedding,
            latent=latent,
            channel_multipliers=channel_multipliers,
            blocks=blocks,
            attention=attention,
            head_dim=head_dim,
            dropout=dropout,
            dropout_from=dropout_from,
        )
        widths, blocks = self.descent.widths, self.descent.blocks
        self.up = nn.ModuleList(
            _Block(
                2 * width,
                width,
                embedding,
                latent=latent,
                head_dim=head_dim if level in attention else None,
                dropout=dropout if level >= dropout_from else 0.0,
            )
            for level, width in enumerate(widths)
            for _ in range(blocks)
        )
        self.grow = nn.ModuleList(nn.Linear(coarse, fine) for fine, coarse in pairwise(widths))

    def forward(
        self,
        x: Float[Tensor, "batch channels h w"],
        embedding: Float[Tensor, "batch features"] | None = None,
        latent: Float[Tensor, "batch codes"] | None = None,
    ) -> Float[Tensor, "batch channels h w"]:
        """Apply the network.

        Args:
            x: images; fastest in the memory format ``torch.channels_last``.
            embedding: the embedded times, for a network that takes them.
            latent: the embedded latents, for a network that takes them.

        Raises:
            TypeError: if an argument is no floating-point tensor.
            ValueError: if the images have other channels, or a side that cannot be halved once a
                level.
        """
        x, skips = self.descent(x, embedding, latent)
        for number in reversed(range(len(self.up))):
            level, last = divmod(number, self.descent.blocks)
            x = self.up[number](torch.cat([x, skips.pop()], 1), embedding, latent)
            x = _repeated(_first(self.grow[level - 1](_last(x)))) if level and not last else x
        return x


@final
class _Block(RecomputedBlock):
    """A residual block, followed by attention unless ``head_dim`` is None."""

    def __init__(
        self,
        inner: int,
        outer: int,
        embedding: int | None,
        *,
        latent: int | None,
        head_dim: int | None,
        dropout: float,
    ) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(inner)
        self.first = nn.Conv2d(inner, outer, 3, padding=1)
        self.modulated = AdaptiveLayerNorm(outer, embedding, latent=latent)
        self.dropout = nn.Dropout(dropout)
        self.second = zero_init(nn.Conv2d(outer, outer, 3, padding=1))
        self.shortcut = nn.Identity() if inner == outer else nn.Linear(inner, outer)
        self.attention = nn.Identity() if head_dim is None else _Attention(outer, head_dim)

    def forward(
        self,
        x: Float[Tensor, "batch inner h w"],
        embedding: Float[Tensor, "batch features"] | None,
        latent: Float[Tensor, "batch codes"] | None,
    ) -> Float[Tensor, "batch outer h w"]:
        return self.kept(self._compute, x, embedding, latent)

    def _compute(self, x: Tensor, embedding: Tensor | None, latent: Tensor | None) -> Tensor:
        h = self.first(_first(F.silu(self.norm(_last(x)))))
        h = self.dropout(F.silu(self.modulated(_last(h), embedding, latent)))
        out: Tensor = self.attention(_first(self.shortcut(_last(x))) + self.second(_first(h)))
        return out


@final
class _Attention(nn.Module):
    """Residual softmax attention between the cells of an image."""

    def __init__(self, channels: int, head_dim: int) -> None:
        super().__init__()
        self.heads, rest = divmod(channels, head_dim)
        if rest:
            raise ValueError(
                f"Attention heads of width {head_dim} do not divide {channels} channels; choose "
                "another width, or other channels."
            )
        self.norm = nn.LayerNorm(channels)
        self.to_qkv = nn.Linear(channels, 3 * channels)
        self.to_out = zero_init(nn.Linear(channels, channels))

    def forward(self, x: Float[Tensor, "batch c h w"]) -> Float[Tensor, "batch c h w"]:
        cells = _last(x).flatten(1, 2)
        q, k, v = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in self.to_qkv(self.norm(cells)).chunk(3, -1)
        )
        read = _attended(q, k, v).transpose(1, 2).flatten(2)
        return x + _first(self.to_out(read).unflatten(1, x.shape[-2:]))


def _attended(
    q: Float[Tensor, "batch heads cells head_dim"],
    k: Float[Tensor, "batch heads cells head_dim"],
    v: Float[Tensor, "batch heads cells head_dim"],
) -> Float[Tensor, "batch heads cells head_dim"]:
    """Softmax attention; on a CPU in single precision, where PyTorch's bfloat16 kernel is slow."""
    if q.device.type != "cpu" or q.dtype not in (torch.bfloat16, torch.float16):
        return F.scaled_dot_product_attention(q, k, v)
    with torch.autocast("cpu", enabled=False):
        return F.scaled_dot_product_attention(q.float(), k.float(), v.float()).to(q.dtype)


def _last(x: Float[Tensor, "batch c h w"]) -> Float[Tensor, "batch h w c"]:
    return x.permute(0, 2, 3, 1)


def _first(x: Float[Tensor, "batch h w c"]) -> Float[Tensor, "batch c h w"]:
    return x.permute(0, 3, 1, 2)


def _repeated(x: Float[Tensor, "batch c h w"]) -> Float[Tensor, "batch c h2 w2"]:
    return F.interpolate(x, scale_factor=2.0, mode="nearest")
