"""The U-Net of diffusers, ``diffusers.UNet2DModel``, as a component.

Its weights keep their names, after ``network.module.`` in a model's file. Its convolutions span
numbers of cells and not lengths, so that on a grid of another size it is another operator: it is
for models that are sampled on the grid that they were trained on.

References:
    von Platen et al., "Diffusers: state-of-the-art diffusion models", 2022.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from torch import Tensor

from inftydiff._components import component
from inftydiff._extras import extra
from inftydiff._typing import MOST_CHANNELS, entries, fraction, store, whole
from inftydiff.models.network import Capabilities
from inftydiff.models.neural_operator import functionalise
from inftydiff.operators.domain import Domain

if TYPE_CHECKING:
    from inftydiff.models.neural_operator import GridNetwork

__all__ = ["DiffusersUNetConfig", "step_index"]

MOST_LEVELS = 16
MOST_LAYERS = 2**8
"""The most residual blocks a level."""


def step_index(t: Tensor) -> Tensor:
    r"""Return the number of a step in a thousand, :math:`1000\,t - 1`, at a time.

    Example:
        >>> import torch
        >>> step_index(torch.tensor([0.001, 1.0]))
        tensor([  0., 999.])
    """
    return 1000.0 * t - 1.0


@component("network", "diffusers_unet")
@final
@dataclass(frozen=True)
class DiffusersUNetConfig:
    """The sizes of a U-Net of diffusers; the extra ``diffusers`` installs it.

    The sides of the grids that it reads are multiples of :math:`2^{levels - 1}`.

    Args:
        block_out_channels: the number of channels of each level, finest first.
        layers_per_block: the number of residual blocks a level.
        attention: the number of levels with attention, the coarsest ones.
        attention_head_dim: the width of an attention head.
        norm_num_groups: the number of groups of a normalisation, which divides all channels.
        dropout: the probability of dropping a feature.

    Raises:
        TypeError: if a value is of another kind than its default.
        ValueError: if a number is out of range, the groups do not divide the channels, or there are
            fewer levels than are to have attention.

    Example:
        >>> DiffusersUNetConfig(block_out_channels=(32, 64)).multiple
        2
    """

    block_out_channels: Sequence[int] = (64, 128, 128)
    layers_per_block: int = 2
    attention: int = 1
    attention_head_dim: int = 8
    norm_num_groups: int = 32
    dropout: float = 0.0

    def __post_init__(self) -> None:
        subject = "A DiffusersUNetConfig's "
        store(self, _widths, "block_out_channels", subject=subject)
        store(self, whole, "layers_per_block", subject=subject, most=MOST_LAYERS)
        levels = len(self.block_out_channels)
        store(self, whole, "attention", subject=subject, least=0, most=levels)
        counts = ("attention_head_dim", "norm_num_groups")
        store(self, whole, *counts, subject=subject, most=MOST_CHANNELS)
        store(self, fraction, "dropout", subject=subject, one=False)
        attended = self.block_out_channels[levels - max(1, self.attention) :]  # the middle, too
        self._check_divisor("norm_num_groups", self.block_out_channels)
        self._check_divisor("attention_head_dim", attended)

    def _check_divisor(self, name: str, widths: Sequence[int]) -> None:
        divisor = getattr(self, name)
        if any(width % divisor for width in widths):
            raise ValueError(
                f"A DiffusersUNetConfig's block_out_channels must be multiples of its {name}, "
                f"{divisor}; got {', '.join(map(str, widths))}. Change one of the two."
            )

    @property
    def multiple(self) -> int:
        """The number of cells that divides the sides of every grid."""
        return 2 ** (len(self.block_out_channels) - 1)

    def build(self, channels: int, domain: Domain) -> "GridNetwork":
        """Build the network.

        Args:
            channels: the number of channels of the functions.
            domain: where they live, in the plane.

        Raises:
            ModuleNotFoundError: if diffusers is not installed; the message gives the command.
            ValueError: if the domain has not two axes.
        """
        capabilities = Capabilities(dims=(2,), subsets=False)
        capabilities.check(domain, "A U-Net of diffusers")
        with extra("diffusers"):
            from diffusers import UNet2DModel

        plain = len(self.block_out_channels) - self.attention
        kinds = ["plain"] * plain + ["attention"] * self.attention
        down = {"plain": "DownBlock2D", "attention": "AttnDownBlock2D"}
        up = {"plain": "UpBlock2D", "attention": "AttnUpBlock2D"}
        module = UNet2DModel(
            in_channels=channels,
            out_channels=channels,
            block_out_channels=tuple(self.block_out_channels),
            layers_per_block=self.layers_per_block,
            down_block_types=tuple(down[kind] for kind in kinds),
            up_block_types=tuple(up[kind] for kind in reversed(kinds)),
            attention_head_dim=self.attention_head_dim,
            norm_num_groups=self.norm_num_groups,
            dropout=self.dropout,
        )
        return functionalise(
            module, clock=step_index, multiple=self.multiple, capabilities=capabilities
        )


def _widths(values: object, name: str) -> tuple[int, ...]:
    """The channels of the levels."""
    found = entries(values, name, most=MOST_LEVELS)
    widths = tuple(whole(n, f"Each of {name}", most=MOST_CHANNELS) for n in found)
    if not widths:
        raise ValueError(f"{name} must be those of one level or more; got none.")
    return widths
