"""The Fourier neural operator of the library neuraloperator as a network.

The time is one more channel. The network reads whole grids, of any size and any number of axes up
to three.

References:
    Kossaifi et al., "A library for learning neural operators", 2024; Li et al., "Fourier neural
    operator for parametric partial differential equations", ICLR 2021.
"""

from dataclasses import dataclass
from typing import Any, final

from jaxtyping import Float
from torch import Tensor, nn

from inftydiff._components import component
from inftydiff._extras import extra
from inftydiff._typing import MOST_BLOCKS, MOST_CHANNELS, store, whole
from inftydiff.models.network import Capabilities
from inftydiff.models.neural_operator import GridNetwork
from inftydiff.operators import Discretisation, Domain, Function

__all__ = ["NeuralOperatorFNO", "NeuralOperatorFNOConfig"]


@component("network", "neuraloperator_fno")
@final
@dataclass(frozen=True)
class NeuralOperatorFNOConfig:
    """What a :class:`NeuralOperatorFNO` is built from.

    Args:
        modes: the number of Fourier modes that are kept along every axis.
        width: the number of channels of the features.
        layers: the number of layers.

    Raises:
        TypeError: if a value is no number.
        ValueError: if a number is out of range.

    Example:
        >>> NeuralOperatorFNOConfig(modes=8).width
        32
    """

    modes: int = 16
    width: int = 32
    layers: int = 4

    def __post_init__(self) -> None:
        subject = "A Fourier neural operator's "
        store(self, whole, "modes", "width", subject=subject, most=MOST_CHANNELS)
        store(self, whole, "layers", subject=subject, most=MOST_BLOCKS)

    def build(self, channels: int, domain: Domain) -> "NeuralOperatorFNO":
        """Build the network.

        Args:
            channels: the number of channels of the functions.
            domain: where they live.

        Raises:
            ModuleNotFoundError: if neuraloperator is not installed.
            ValueError: if the domain has not one to three axes.
        """
        NeuralOperatorFNO.capabilities.check(domain, "A NeuralOperatorFNO")
        return NeuralOperatorFNO(self, channels, domain.dim)


@final
class NeuralOperatorFNO(nn.Module):
    """A ``neuralop.models.FNO`` on the functions on a grid.

    Args:
        config: the sizes of its parts.
        channels: the number of channels in and out.
        dim: the number of axes.

    Raises:
        ModuleNotFoundError: if neuraloperator is not installed.
    """

    capabilities = Capabilities(dims=(1, 2, 3), subsets=False, mixed_precision=False)

    def __init__(self, config: NeuralOperatorFNOConfig, channels: int, dim: int) -> None:
        super().__init__()
        with extra("neuraloperator"):
            from neuralop.models import FNO

        self.config = config
        fno = FNO(
            n_modes=(config.modes,) * dim,
            in_channels=channels + 1,
            out_channels=channels,
            hidden_channels=config.width,
            n_layers=config.layers,
        )
        self.network = GridNetwork(fno, time="channel")

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
            ValueError: if ``x`` does not live on a grid, or ``on`` is another discretisation.
            TypeError: if a latent or a condition is given.
        """
        answer: Function = self.network(x, t, on=on, latent=latent, condition=condition)
        return answer

    def state_dict(
        self, *, destination: Any = None, prefix: str = "", keep_vars: bool = False
    ) -> Any:
        """Return the weights, without what the library keeps among them of how it was made."""
        state = super().state_dict(destination=destination, prefix=prefix, keep_vars=keep_vars)
        state.pop("_metadata", None)
        return state
