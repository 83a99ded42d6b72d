"""Configurations of version 1, as records of today.

Version 1 had one network, three processes with two schedules, and boxes in the plane whose longest
side is 1. Its fields were words and numbers; a configuration of today is made of components.
"""

from collections.abc import Mapping
from typing import Any

__all__ = ["from_version_1"]

FLAT = ("process", "schedule", "mollifier_width", "noise_intensity", "predict", "lengths")
"""The fields that became components, or parts of one."""

OF_THE_MODEL = ("channels", "latent")
"""The fields of the network that became those of the model."""

RENAMED = {
    "multipliers": "channel_multipliers",
    "grid_blocks": "blocks_per_level",
    "head": "head_dim",
    "trained_at": "training_resolution",
}
"""The fields, of the model and of the network, that have another name today."""

DEFAULTS = {
    "process": "mollified",
    "schedule": "cosine",
    "mollifier_width": 1 / 64,
    "noise_intensity": 1 / 64,
    "predict": "velocity",
    "lengths": [1.0, 1.0],
}
NETWORK = {"channels": 3, "latent": None, "local_blocks": 1, "position": True, "scale": 0.285}
"""The network of a record without one, where it differs from the defaults."""


def from_version_1(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the record of today that says what one of version 1 said.

    What it does not know it leaves as it is, for the reader to refuse.

    Example:
        >>> from_version_1({"process": "white", "noise_intensity": 0.5})["process"]["noise"]
        {'kind': 'white', 'intensity': 0.5}
    """
    old = {**DEFAULTS, **record}
    network = old.get("network", NETWORK)
    new = {RENAMED.get(name, name): value for name, value in old.items() if name not in FLAT}
    if isinstance(network, Mapping):
        left = (*OF_THE_MODEL, "out_channels")
        sizes = {RENAMED.get(k, k): value for k, value in network.items() if k not in left}
        new["network"] = {"kind": "multiscale", **sizes}
        channels = new["channels"] = network.get("channels", 3)
        new["latent"] = network.get("latent")
        if network.get("out_channels") not in (None, channels):
            new["network"]["out_channels"] = network["out_channels"]
    if isinstance(old.get("prior"), Mapping):
        new["prior"] = {"kind": "skip_mlp", **old["prior"]}
    new["process"] = {
        "kind": old["process"],
        "schedule": {"kind": old["schedule"]},
        "noise": {"kind": "white", "intensity": old["noise_intensity"]},
    }
    if old["process"] != "white":
        new["process"]["mollifier"] = {"kind": "heat", "width": old["mollifier_width"]}
    new["predict"] = {"kind": old["predict"]}
    new["domain"] = {"kind": "box", "lengths": old["lengths"]}
    return new
