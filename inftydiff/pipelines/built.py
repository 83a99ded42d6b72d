"""The networks of a model, built from its configuration."""

import inspect
from collections.abc import Callable

from torch import nn

from inftydiff._components import kind_of
from inftydiff._typing import instance, shown
from inftydiff.models import EncoderConfig, capabilities_of
from inftydiff.pipelines.config import InftyDiffConfig

__all__ = ["build_encoder", "build_network"]


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
