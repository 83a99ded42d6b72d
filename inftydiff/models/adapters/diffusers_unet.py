r"""The U-Net of the library diffusers as a network: pictures whose sides halve once a level.

It counts times as the library does, :math:`i = 1000\,t - 1`, reads whole grids, and pads with
zeros at the sides, whatever the boundary. Its footprints are cells: on another grid than the one it
was trained on it is another operator.

References:
    Ronneberger, Fischer and Brox, "U-Net", MICCAI 2015; von Platen et al., "Diffusers", 2022.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast, final

from jaxtyping import Float
from torch import Tensor, nn

from inftydiff._components import component
from inftydiff._extras import extra
from inftydiff._typing import MOST_BLOCKS, MOST_CHANNELS, entries, flag, store, whole
from inftydiff.models.network import Capabilities
from inftydiff.models.neural_operator import GridNetwork
from inftydiff.operators import Discretisation, Domain, Function

__all__ = ["DiffusersUNet", "DiffusersUNetConfig"]


@component("network", "diffusers_unet")
@final
@dataclass(frozen=True)
class DiffusersUNetConfig:
    """What a :class:`DiffusersUNet` is built from.

    Args:
        channels: the number of channels of each level, finest first.
        blocks: the number of residual blocks a level.
        attention: whether each level has attention, finest first.
        head: the width of an attention head.
        groups: the number of groups of the normalisations, which divides every number of channels.

    Raises:
        TypeError: if a value is of another kind.
        ValueError: if a number is out of range, the levels have not one ``attention`` each, or the
            groups do not divide the channels.

    Example:
        >>> DiffusersUNetConfig(channels=(16, 32), attention=(False, True), groups=8).blocks
        2
    """

    channels: Sequence[int] = (64, 128, 256)
    blocks: int = 2
    attention: Sequence[bool] = (False, False, True)
    head: int = 8
    groups: int = 32

    def __post_init__(self) -> None:
        subject = "A diffusers U-Net's "
        store(self, whole, "head", "groups", subject=subject, most=MOST_CHANNELS)
        store(self, whole, "blocks", subject=subject, most=MOST_BLOCKS)
        store(self, _channels, "channels", subject=subject)
        store(self, _flags, "attention", subject=subject)
        if not self.channels or len(self.attention) != len(self.channels):
            raise ValueError(
                "A diffusers U-Net has one attention a level, and a level or more; got "
                f"{len(self.attention)} for {len(self.channels)}."
            )
        if any(count % self.groups for count in self.channels):
            raise ValueError(
                f"The groups of a normalisation divide the channels of every level; got "
                f"{self.groups} for {self.channels}."
            )

    def build(self, channels: int, domain: Domain) -> "DiffusersUNet":
        """Build the network.

        Args:
            channels: the number of channels of the pictures.
            domain: where they live, in the plane.

        Raises:
            ModuleNotFoundError: if diffusers is not installed.
            ValueError: if the domain has not two axes.
        """
        network = DiffusersUNet(self, channels)
        network.capabilities.check(domain, "A DiffusersUNet")
        return network


@final
class DiffusersUNet(nn.Module):
    """A ``diffusers.UNet2DModel`` on the functions on a grid in the plane.

    Args:
        config: the sizes of its parts.
        channels: the number of channels in and out.

    Raises:
        ModuleNotFoundError: if diffusers is not installed.
    """

    capabilities = Capabilities(dims=(2,), subsets=False)

    def __init__(self, config: DiffusersUNetConfig, channels: int) -> None:
        super().__init__()
        with extra("diffusers"):
            from diffusers import UNet2DModel

        self.config = config
        self.factor = 2 ** (len(config.channels) - 1)
        kinds = [("Attn" if attended else "") for attended in config.attention]
        unet = UNet2DModel(
            in_channels=channels,
            out_channels=channels,
            layers_per_block=config.blocks,
            block_out_channels=tuple(config.channels),
            down_block_types=tuple(f"{kind}DownBlock2D" for kind in kinds),
            up_block_types=tuple(f"{kind}UpBlock2D" for kind in reversed(kinds)),
            attention_head_dim=config.head,
            norm_num_groups=config.groups,
        )
        self.network = GridNetwork(cast(nn.Module, unet), clock=_index)

    def forward(
        self,
        x: Function,
        t: Float[Tensor, "batch"],
        *,
        on: Discretisation | None = None,
        latent: Float[Tensor, "batch features"] | None = None,
        condition: Function | None = None,
    ) -> Function:
        """Apply the network to functions on a grid.

        Raises:
            ValueError: if ``x`` does not live on a grid whose sides halve once a level, or ``on``
                is another discretisation.
            TypeError: if a latent or a condition is given.
        """
        shape = getattr(x.on, "shape", ())
        if any(side % self.factor for side in shape):
            raise ValueError(
                f"A U-Net of {len(self.config.channels)} levels takes grids whose sides are "
                f"multiples of {self.factor}; got {' × '.join(map(str, shape))}. Ask for such a "
                "size."
            )
        answer: Function = self.network(x, t, on=on, latent=latent, condition=condition)
        return answer


def _index(t: Tensor) -> Tensor:
    """The number of the step, of a thousand, that the library counts."""
    return 1000.0 * t - 1.0


def _channels(values: object, name: str) -> tuple[int, ...]:
    found = entries(values, name, most=MOST_BLOCKS)
    return tuple(whole(n, f"Each of {name}", most=MOST_CHANNELS) for n in found)


def _flags(values: object, name: str) -> tuple[bool, ...]:
    return tuple(flag(each, f"Each of {name}") for each in entries(values, name, most=MOST_BLOCKS))
