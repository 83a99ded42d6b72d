"""The sizes of the parts of an ∞-Diff network, as a value that JSON keeps."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

from inftydiff._components import component
from inftydiff._typing import (
    FAINTEST,
    MOST_CHANNELS,
    STRONGEST,
    entries,
    flag,
    fraction,
    length,
    positive,
    store,
    whole,
)
from inftydiff.operators.domain import Domain

if TYPE_CHECKING:
    from inftydiff.models.encoder import Encoder
    from inftydiff.models.multiscale import MultiscaleNetwork

__all__ = ["MultiscaleConfig"]

LARGEST_GRID = 2**14
"""The most cells along a side of a U-Net's grid."""

MOST_LAYERS = 2**8
"""The most blocks: local ones on one side of the grid, or those of the U-Net's levels."""


@component("network", "multiscale")
@component("encoder", "multiscale")
@final
@dataclass(frozen=True)
class MultiscaleConfig:
    r"""What a multiscale network is built from; ``dataclasses.asdict`` and JSON keep it.

    Args:
        width: the number of channels at the points.
        local_blocks: the number of local blocks before the grid, and again after it.
        kernel_size: the number of nodes of a local kernel along each axis, odd.
        cell: the distance between two nodes of a kernel, in the domain's units: the side of the
            cells of the grid that the network is trained on.
        grid: the cells of the U-Net's grid, which covers the domain.
        grid_channels: the number of channels of the U-Net's finest level.
        channel_multipliers: the width of each level of the U-Net over ``grid_channels``, finest
            first.
        blocks_per_level: the number of residual blocks a level, down and again up.
        attention: the levels with attention, by the cells along their longest side.
        head_dim: the width of an attention head.
        embedding: the width of the time embedding.
        transfer_width: the standard deviation of the window that averages points onto the grid, by
            default one ``cell``.
        dropout: the probability of dropping a feature in the U-Net's blocks.
        dropout_at_most: the levels with dropout: those of at most so many cells along their longest
            side; by default all.
        position: whether the U-Net is given a learnt feature of each of its grid's cells.
        scale: the standard deviation :math:`a` of what comes in.

    Raises:
        TypeError: if a value is of another kind than its default.
        ValueError: if a number is not positive, the kernel is even, the grid does not halve once a
            level, or there is no level of the size asked for attention. A number of channels or
            features is at most 65536, at every level; a side of the grid 16384, the kernel's size
            1023; there are at most 256 local blocks on each side, and 256 on the levels' way down.
    """

    width: int = 48
    local_blocks: int = 2
    kernel_size: int = 7
    cell: float = 1 / 64
    grid: Sequence[int] = (32, 32)
    grid_channels: int = 32
    channel_multipliers: Sequence[int] = (1, 2, 4)
    blocks_per_level: int = 1
    attention: Sequence[int] = (8,)
    head_dim: int = 32
    embedding: int = 128
    transfer_width: float | None = None
    dropout: float = 0.0
    dropout_at_most: int | None = None
    position: bool = False
    scale: float = 1.0

    def __post_init__(self) -> None:
        subject = "A MultiscaleConfig's "
        counts = ("width", "grid_channels", "head_dim", "embedding")
        store(self, whole, *counts, subject=subject, most=MOST_CHANNELS)
        store(self, whole, "local_blocks", "blocks_per_level", subject=subject, most=MOST_LAYERS)
        store(self, whole, "kernel_size", subject=subject, most=1023)
        store(self, _sizes, "grid", "channel_multipliers", "attention", subject=subject)
        store(self, length, "cell", subject=subject)
        if self.transfer_width is not None:
            store(self, length, "transfer_width", subject=subject)
        if self.dropout_at_most is not None:
            store(self, whole, "dropout_at_most", subject=subject)
        store(self, positive, "scale", subject=subject, least=FAINTEST, most=STRONGEST)
        store(self, fraction, "dropout", subject=subject, one=False)
        store(self, flag, "position", subject=subject)
        if self.kernel_size % 2 == 0:
            raise ValueError(
                f"A kernel has a node in its middle, so its size is odd; got {self.kernel_size}."
            )
        self._check_levels()

    def build(
        self,
        channels: int,
        domain: Domain,
        *,
        latent: int | None = None,
        out_channels: int | None = None,
    ) -> "MultiscaleNetwork":
        """Build the network; see :class:`~inftydiff.models.multiscale.MultiscaleNetwork`.

        Args:
            channels: the number of channels that come in.
            domain: where the functions live, in the plane.
            latent: the number of features of the latent that modulates every block, or None.
            out_channels: the number of channels that go out; as many as come in by default.

        Raises:
            ValueError: if the domain has not two axes with reflecting sides, or a number is out of
                range.

        Example:
            >>> from inftydiff import Box
            >>> MultiscaleConfig().build(1, Box((1.0, 1.0))).channels
            1
        """
        from inftydiff.models.multiscale import MultiscaleNetwork

        network = MultiscaleNetwork(self, channels, latent=latent, out_channels=out_channels)
        network.capabilities.check(domain, "A MultiscaleNetwork")
        return network

    def build_encoder(
        self, channels: int, domain: Domain, latent: int, *, variational: bool = False
    ) -> "Encoder":
        """Build an encoder of these sizes; see :class:`~inftydiff.models.encoder.Encoder`.

        Args:
            channels: the number of channels that come in.
            domain: where the functions live, in the plane.
            latent: the number of features of a latent.
            variational: whether it gives a variance, too.

        Raises:
            ValueError: if the domain has not two axes with reflecting sides, or a number is out of
                range.
        """
        from inftydiff.models.encoder import Encoder

        encoder = Encoder(self, channels, latent, variational=variational)
        encoder.capabilities.check(domain, "An Encoder")
        return encoder

    def _check_levels(self) -> None:
        if not self.channel_multipliers:
            raise ValueError("A U-Net has at least one level; got no channel_multipliers.")
        whole(
            self.grid_channels * max(self.channel_multipliers),
            "A level's width",
            most=MOST_CHANNELS,
        )
        blocks = self.blocks_per_level * len(self.channel_multipliers)
        whole(blocks, "The number of blocks of a U-Net's levels", most=MOST_LAYERS)
        factor = 2 ** (len(self.channel_multipliers) - 1)
        if len(self.grid) != 2 or any(n % factor for n in self.grid):
            raise ValueError(
                f"{len(self.channel_multipliers)} levels take a grid of two sides divisible by "
                f"{factor}; got {self.grid}."
            )
        missing = sorted(set(self.attention) - set(self.level_sizes))
        if missing:
            raise ValueError(
                f"Attention is asked for at {missing} cells; the levels of this U-Net have "
                f"{list(self.level_sizes)} along their longest side. Choose one of these."
            )

    @property
    def level_sizes(self) -> tuple[int, ...]:
        """The cells along the longest side of each level of the U-Net, finest first."""
        return tuple(max(self.grid) // 2**level for level in range(len(self.channel_multipliers)))

    @property
    def levels(self) -> dict[str, Any]:
        """The arguments of the U-Net, and of its way down, but for what modulates its blocks."""
        most = max(self.grid) if self.dropout_at_most is None else self.dropout_at_most
        return {
            "channel_multipliers": self.channel_multipliers,
            "blocks": self.blocks_per_level,
            "attention": [self.level_sizes.index(size) for size in self.attention],
            "head_dim": self.head_dim,
            "dropout": self.dropout,
            "dropout_from": sum(size > most for size in self.level_sizes),
        }


def _sizes(numbers: Sequence[int], name: str) -> tuple[int, ...]:
    return tuple(whole(n, f"Each of {name}", most=LARGEST_GRID) for n in entries(numbers, name))
