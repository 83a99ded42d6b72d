r"""What an ∞-Diff model is made from, as a value that JSON keeps.

Its parts are components: a domain, a network, a process with its schedule, what the network
predicts, and for models with latents an encoder and a prior. Each is a frozen dataclass with a
kind, and a file names kinds; so what the library and the installed plug-ins have can be trained,
saved and sampled.

Every length is in the units of the domain, never in pixels: the mollifier's width and the network's
footprints stay what they are when the grid is refined. The noise's intensity is the root of a
cell's volume where it shall be one unit a cell, 1/64 for a grid of 64² on the unit box.
The networks of a model are built from it here.
"""

import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import final

from torch import nn

from inftydiff._components import from_record, kind_of, to_record
from inftydiff._reading import parse_json
from inftydiff._typing import (
    MOST_CHANNELS,
    entries,
    instance,
    number,
    positive,
    shown,
    store,
    whole,
)
from inftydiff.models import EncoderConfig, NetworkConfig, PriorConfig, capabilities_of, faces_64
from inftydiff.operators import Box, Domain
from inftydiff.pipelines._version_1 import from_version_1
from inftydiff.processes import (
    MollifiedProcess,
    Parameterisation,
    ProcessConfig,
    VelocityPrediction,
)
from inftydiff.processes._checks import MOST_STEPS, a_domain, bounds, conforming

__all__ = ["InftyDiffConfig", "build_encoder", "build_network"]

VERSION = 2
"""The version of the JSON form; it changes when a reader of the old one would be misled."""

WIDEST = 1e3
"""The widest mollifier of a preset, in units of the longest side."""

LARGEST = 1e6
"""The largest ratio, floor or weight."""

MOST_CELLS = 1 << 16
"""The most cells along a side of the grid that a model is trained on."""


def _bounds(values: object, name: str) -> tuple[float, ...]:
    """Two finite bounds, the lower first."""
    for bound in entries(values, name, count=2):
        number(bound, f"A bound of {name}")
    return bounds(values, name)


@final
@dataclass(frozen=True)
class InftyDiffConfig:
    r"""What an :class:`~inftydiff.pipelines.infty_diff.InftyDiff` is built from.

    Args:
        network: what the network is built from.
        process: what carries noise, with its schedule.
        predict: what the network predicts.
        channels: the number of channels of the functions.
        domain: where they live.
        latent: the number of features of a latent; None for a diffusion model alone. With one the
            model is a diffusion autoencoder, and the network is given a latent with each state.
        encoder: what the encoder is built from; None for one of the network's own sizes.
        kl_weight: the weight of the latents' divergence from the standard normal in the loss, in
            units of the loss a nat; None for an encoder that gives each function one latent.
        prior: what the network that draws latents is built from, if there is one.
        clip: bounds of the signal, and of estimates of :math:`x_0`, while sampling; or None.
        range_floor: while sampling, take out of each estimate of the signal the frequencies that
            the mollifier reduces to less than this fraction; None leaves it as it is. This and the
            next are idle where data are not mollified.
        noise_to_signal: the noise-to-signal ratio of the Wiener filter that undoes the mollifier.
        steps: the number of sampling steps unless others are asked for.
        training_resolution: the cells along the longest side of the grid that the network was
            trained on. Coarser pictures are averages over cells of one at least as fine; None for a
            model whose coarser pictures are point values.

    Raises:
        TypeError: if a field is of another kind.
        ValueError: if a number is out of range, or a part is for models with latents and there are
            none.

    Example:
        >>> from inftydiff import CosineSchedule
        >>> from inftydiff.processes import NoisePrediction, WhiteProcess
        >>> config = InftyDiffConfig(process=WhiteProcess(), predict=NoisePrediction())
        >>> InftyDiffConfig.from_json(config.to_json()) == config
        True
    """

    network: NetworkConfig = field(default_factory=faces_64)
    process: ProcessConfig = field(default_factory=MollifiedProcess)
    predict: Parameterisation = field(default_factory=VelocityPrediction)
    channels: int = 3
    domain: Domain = field(default_factory=lambda: Box((1.0, 1.0)))
    latent: int | None = None
    encoder: EncoderConfig | None = None
    kl_weight: float | None = None
    prior: PriorConfig | None = None
    clip: tuple[float, float] | None = (-1.0, 1.0)
    range_floor: float | None = None
    noise_to_signal: float = 0.05
    steps: int = 15
    training_resolution: int | None = None

    def __post_init__(self) -> None:
        conforming(self.network, NetworkConfig, "network", "Pass faces_64(), say.")
        conforming(self.process, ProcessConfig, "process", "Pass MollifiedProcess(), say.")
        instance(self.predict, Parameterisation, "predict", "Pass VelocityPrediction(), say.")
        a_domain(self.domain)
        store(self, whole, "channels", most=MOST_CHANNELS)
        if self.latent is not None:
            store(self, whole, "latent", most=MOST_CHANNELS)
        if self.encoder is not None:
            conforming(self.encoder, EncoderConfig, "encoder", "Pass faces_64(), say.")
        if self.prior is not None:
            conforming(self.prior, PriorConfig, "prior", "Pass LatentPriorConfig(), say.")
        store(self, positive, "noise_to_signal", most=LARGEST)
        for name in ("kl_weight", "range_floor"):
            if getattr(self, name) is not None:
                store(self, positive, name, most=LARGEST)
        store(self, whole, "steps", most=MOST_STEPS)
        if self.training_resolution is not None:
            store(self, whole, "training_resolution", most=MOST_CELLS)
        if self.clip is not None:
            store(self, _bounds, "clip")
        idle = [n for n in ("encoder", "kl_weight", "prior") if getattr(self, n) is not None]
        if self.latent is None and idle:
            raise ValueError(
                f"{' and '.join(idle)} of a model are for its latents, and it has none. Set "
                "latent to a number of features, or leave them out."
            )

    def to_json(self) -> str:
        """Return the configuration as JSON, with the version of its form.

        Raises:
            ValueError: if a part has no kind, so that no file can name it.
        """
        return json.dumps({"version": VERSION, **to_record(self)}, indent=2, allow_nan=False)

    @staticmethod
    def from_json(text: str) -> "InftyDiffConfig":
        """Read what :meth:`to_json` of this release, or of one before it, wrote.

        Raises:
            ValueError: if the text is not JSON, is of a newer version, names a kind that nothing
                installed has, or has a key or a value that this class does not know.
        """
        instance(text, str, "The JSON of an InftyDiffConfig")
        try:
            record = parse_json(text)
        except ValueError as error:
            said = str(error).removesuffix(".")
            raise ValueError(
                f"An InftyDiffConfig is read from JSON; {said}. Correct the text."
            ) from error
        if not isinstance(record, dict):
            raise ValueError(
                f"An InftyDiffConfig is read from a mapping; got {type(record).__name__}."
            )
        version = record.pop("version", None)
        if version == 1:
            record = from_version_1(record)
        elif isinstance(version, int) and version > VERSION:
            raise ValueError(
                f"This configuration is of version {version}, and this release of inftydiff reads "
                f"up to {VERSION}. Install a newer release."
            )
        elif version != VERSION:
            raise ValueError(
                f"This release reads configurations of the versions 1 to {VERSION}; got "
                f"{version!r:.80}."
            )
        return from_record(InftyDiffConfig, record)


def build_network(config: InftyDiffConfig) -> nn.Module:
    """Build the network of a model.

    Args:
        config: the model's configuration.

    Raises:
        TypeError: if the component builds no module.
        ValueError: if it cannot take the domain, or latents that the model has, or has no
            parameters.
    """
    name = _name(config.network, "network")
    if config.latent is None:
        network = config.network.build(config.channels, config.domain)
    else:
        if not _takes(config.network.build, "latent"):
            raise ValueError(
                f"{name} takes no latent; leave the model's latent out, or choose a network that "
                "does."
            )
        network = config.network.build(config.channels, config.domain, latent=config.latent)
    instance(network, nn.Module, f"What {name} builds", "Return the module from build.")
    inputs = () if config.latent is None else ("latent",)
    capabilities_of(network).check(config.domain, name, inputs=inputs)
    if not any(p.is_floating_point() for p in network.parameters()):
        raise ValueError(f"{name} has no parameters of floating point to train. Give it some.")
    return network


def build_encoder(config: InftyDiffConfig, latent: int) -> nn.Module:
    """Build the encoder of a model with latents.

    Args:
        config: the model's configuration.
        latent: the number of features of a latent.

    Raises:
        TypeError: if the component builds no module.
        ValueError: if there is none for this network, or it cannot take the domain.
    """
    chosen = config.network if config.encoder is None else config.encoder
    name = _name(chosen, "encoder")
    if not isinstance(chosen, EncoderConfig):
        raise ValueError(
            f"{_name(config.network, 'network')} has no encoder of its own; got {shown(chosen)}. "
            "Set encoder=, to faces_64() for instance."
        )
    variational = config.kl_weight is not None
    encoder = chosen.build_encoder(config.channels, config.domain, latent, variational=variational)
    instance(encoder, nn.Module, f"What {name} builds", "Return the module from build_encoder.")
    capabilities_of(encoder).check(config.domain, name)
    return encoder


def _name(part: object, what: str) -> str:
    kind = kind_of(part)
    return f"The {what} {type(part).__name__ if kind is None else repr(kind)}"


def _takes(build: Callable[..., object], name: str) -> bool:
    """Say whether a function has a parameter of this name."""
    parameters = inspect.signature(build).parameters.values()
    return any(p.name == name or p.kind is p.VAR_KEYWORD for p in parameters)
