"""Networks as components: configurations that build them, and what they say of themselves.

A network of one's own is a frozen dataclass with a ``build``, and the module that it builds::

    @component("network", "mine")
    @dataclass(frozen=True)
    class MyConfig:
        width: int = 32

        def build(self, channels, domain, *, latent=None):
            return MyNetwork(self, channels)

The module is a :class:`~inftydiff.models.neural_operator.NeuralOperator`. What it takes, where, and
what may be done with it is in its ``capabilities``; a module without any is taken for one that
reads functions on every discretisation of every domain, and nothing besides.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

from torch import nn

from inftydiff._components import declare
from inftydiff._typing import (
    FAINTEST,
    MOST_AXES,
    STRONGEST,
    choice,
    entries,
    flag,
    instance,
    length,
    positive,
    store,
    whole,
)
from inftydiff.operators.domain import BOUNDARIES, Domain, require_domain

__all__ = [
    "INPUTS",
    "Capabilities",
    "Described",
    "EncoderConfig",
    "NetworkConfig",
    "capabilities_of",
]

INPUTS = ("latent", "label", "condition")
"""The inputs that a network may take besides states and times."""


@final
@dataclass(frozen=True)
class Capabilities:
    r"""The domains, inputs and lengths of a network, as it states them.

    Args:
        dims: the dimensions of the domains that it reads functions on; None for all.
        boundaries: the boundary conditions that it can read; None for all.
        subsets: whether it reads subsets of grids and scattered points, and not whole grids alone.
        inputs: what it takes besides states and times, of ``"latent"``, ``"label"`` and
            ``"condition"``.
        cell: its finest length, such as the distance between the nodes of a kernel, in the domain's
            units: the side of the cells of the grid that it is made for; None if it has none.
        halo: how far from a tile it has to read to answer on the tile, in the domain's units; None
            for a network that cannot be evaluated tile by tile.
        scale: the standard deviation of the states that it is made for. The loss of training is
            measured in its square.
        static: the parts, by their names, that have one shape at every step, so that they may be
            compiled.
        mixed_precision: whether automatic mixed precision may compute it in 16 bits.

    Raises:
        TypeError: if a value is of another kind.
        ValueError: if a name is unknown, or a number out of range.

    Example:
        >>> Capabilities(dims=[1, 2], subsets=False).dims
        (1, 2)
    """

    dims: Sequence[int] | None = None
    boundaries: Sequence[str] | None = None
    subsets: bool = True
    inputs: Sequence[str] = ()
    cell: float | None = None
    halo: float | None = None
    scale: float = 1.0
    static: Sequence[str] = ()
    mixed_precision: bool = True

    def __post_init__(self) -> None:
        subject = "A network's "
        for name, allowed in (("boundaries", BOUNDARIES), ("inputs", INPUTS)):
            found = getattr(self, name)
            if found is not None:
                store(self, entries, name, subject=subject)
                for each in getattr(self, name):
                    choice(each, allowed, f"Each of a network's {name}")
        if self.dims is not None:
            store(self, _dims, "dims", subject=subject)
        store(self, entries, "static", subject=subject)
        store(self, flag, "subsets", "mixed_precision", subject=subject)
        for name in ("cell", "halo"):
            if getattr(self, name) is not None:
                store(self, length, name, subject=subject)
        store(self, positive, "scale", subject=subject, least=FAINTEST, most=STRONGEST)

    def check(self, domain: Domain, name: str, *, inputs: Sequence[str] = ()) -> None:
        """Refuse a domain or inputs that the network does not take.

        Args:
            domain: where the functions live.
            name: the network, the subject of the message.
            inputs: what it is to be given.

        Raises:
            TypeError: if the domain is none.
            ValueError: if it cannot take them; the message says what it takes.
        """
        require_domain(domain, "The domain of a network")
        if self.dims is not None and domain.dim not in self.dims:
            takes = " or ".join(map(str, self.dims)) or "no number of"
            raise ValueError(
                f"{name} reads functions on domains of {takes} axes; got one of {domain.dim}. "
                "Choose another network, or another domain."
            )
        read = domain.boundaries if self.boundaries is None else self.boundaries
        other = sorted(set(domain.boundaries) - set(read))
        if other:
            raise ValueError(
                f"{name} reads functions on domains with {' or '.join(read) or 'no'} sides; got "
                f"{', '.join(other)} ones. Choose another network, or another boundary."
            )
        wanted = [choice(each, INPUTS, "Each of a network's inputs") for each in inputs]
        unknown = [each for each in wanted if each not in self.inputs]
        if unknown:
            raise ValueError(
                f"{name} takes no {' and no '.join(unknown)}; leave it out, or choose a network "
                "that does."
            )


@runtime_checkable
class Described(Protocol):
    """A network that says what it can do."""

    @property
    def capabilities(self) -> Capabilities:
        """The domains, inputs and lengths of the network."""


@runtime_checkable
class NetworkConfig(Protocol):
    """The configuration of a network: a frozen dataclass with a kind."""

    def build(self, channels: int, domain: Domain, *, latent: int | None = None) -> nn.Module:
        """Build the network, a neural operator with as many channels out as in.

        Args:
            channels: the number of channels of the functions.
            domain: where they live.
            latent: the number of features of a latent that it is given with each state, or None. A
                network that takes none may leave the argument out of its ``build``.
        """


@runtime_checkable
class EncoderConfig(Protocol):
    """The configuration of an encoder: a frozen dataclass with a kind."""

    def build_encoder(
        self, channels: int, domain: Domain, latent: int, *, variational: bool = False
    ) -> nn.Module:
        """Build the encoder, from functions to :class:`~inftydiff.models.DiagonalGaussian`.

        Args:
            channels: the number of channels of the functions.
            domain: where they live.
            latent: the number of features of a latent.
            variational: whether it gives a variance, too.
        """


declare("network", NetworkConfig)
declare("encoder", EncoderConfig)


def capabilities_of(network: object) -> Capabilities:
    """Return what a network says of itself, or what is said of one that is silent.

    Raises:
        TypeError: if what it says is of another kind.

    Example:
        >>> capabilities_of(nn.Identity()).subsets
        True
    """
    if not isinstance(network, Described):
        return Capabilities()
    advice = "Return a Capabilities(…)."
    return instance(network.capabilities, Capabilities, "A network's capabilities", advice)


def _dims(values: object, name: str) -> tuple[int, ...]:
    found = entries(values, name, most=MOST_AXES)
    return tuple(whole(n, f"Each of {name}", least=0, most=MOST_AXES) for n in found)
