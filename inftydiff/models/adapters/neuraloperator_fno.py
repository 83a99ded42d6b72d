"""The Fourier neural operator of neuraloperator, ``neuralop.models.FNO``, as a component.

It is told the time by a channel. Its weights keep their names, after ``network.module.`` in a
model's file; some are complex. Modes are counted in the domain, so that it reads grids of all
sizes.

References:
    Kossaifi et al., "A library for learning neural operators", 2024.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

from torch import nn

from inftydiff._components import component
from inftydiff._extras import extra
from inftydiff._typing import MOST_CHANNELS, fraction, store, whole
from inftydiff.models.network import Capabilities
from inftydiff.models.neural_operator import functionalise
from inftydiff.operators.domain import Domain

if TYPE_CHECKING:
    from inftydiff.models.neural_operator import GridNetwork

__all__ = ["NeuralOperatorFNOConfig"]

MOST_MODES = 2**12
"""The most modes along an axis."""

MOST_LAYERS = 2**8
"""The most layers."""


@component("network", "neuraloperator_fno")
@final
@dataclass(frozen=True)
class NeuralOperatorFNOConfig:
    """The sizes of a Fourier neural operator; the extra ``neuraloperator`` installs it.

    Args:
        modes: the number of Fourier modes that are kept along each axis, of both signs.
        hidden_channels: the number of channels.
        n_layers: the number of Fourier layers.
        domain_padding: the part of a side that is added on both ends of it, with zeros, while the
            layers act; 0 for functions that are periodic.

    Raises:
        TypeError: if a value is of another kind than its default.
        ValueError: if a number is out of range.

    Example:
        >>> NeuralOperatorFNOConfig(modes=12).hidden_channels
        32
    """

    modes: int = 16
    hidden_channels: int = 32
    n_layers: int = 4
    domain_padding: float = 0.0

    def __post_init__(self) -> None:
        subject = "A NeuralOperatorFNOConfig's "
        store(self, whole, "modes", subject=subject, most=MOST_MODES)
        store(self, whole, "hidden_channels", subject=subject, most=MOST_CHANNELS)
        store(self, whole, "n_layers", subject=subject, most=MOST_LAYERS)
        store(self, fraction, "domain_padding", subject=subject)

    def build(self, channels: int, domain: Domain) -> "GridNetwork":
        """Build the network.

        Args:
            channels: the number of channels of the functions.
            domain: where they live, in one to three dimensions.

        Raises:
            ModuleNotFoundError: if neuraloperator is not installed; the message gives the command.
            ValueError: if the domain has no axis.
        """
        capabilities = Capabilities(dims=(1, 2, 3), subsets=False, mixed_precision=False)
        capabilities.check(domain, "A Fourier neural operator")
        with extra("neuraloperator"):
            from neuralop.models import FNO

        module = FNO(
            n_modes=(self.modes,) * domain.dim,
            in_channels=channels + 1,
            out_channels=channels,
            hidden_channels=self.hidden_channels,
            n_layers=self.n_layers,
            domain_padding=self.domain_padding or None,
        )
        network = functionalise(module, time="channel", capabilities=capabilities)
        nn.Module.register_state_dict_post_hook(network, _without_arguments)
        return network


def _without_arguments(
    module: nn.Module, state: dict[str, Any], prefix: str, metadata: Mapping[str, Any]
) -> None:
    """Leave out the arguments that neuraloperator puts among the weights."""
    state.pop("_metadata", None)
