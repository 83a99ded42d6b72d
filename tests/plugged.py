"""Installed plug-ins for tests: a folder with modules and the metadata of a distribution."""

import importlib
from pathlib import Path

import pytest

__all__ = ["NETWORK", "install"]

NETWORK = """
from dataclasses import dataclass

import torch

from inftydiff import Function


class Affine(torch.nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.linear = torch.nn.Linear(channels, channels)

    def forward(self, x, t, *, on=None, latent=None, condition=None):
        return Function(x.on, self.linear(x.values) * (1.0 - t[:, None, None]))


@dataclass(frozen=True)
class AffineConfig:
    width: int = 3

    def build(self, channels, domain):
        return Affine(channels)
"""
"""A module with a network of someone's own, ``AffineConfig``."""


def install(
    patch: pytest.MonkeyPatch,
    folder: Path,
    points: dict[str, str],
    *,
    package: str = "someones",
    **modules: str,
) -> None:
    """Put modules, and a distribution with these entry points, on the path."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in modules.items():
        (folder / f"{name}.py").write_text(text)
    info = folder / f"{package}-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2\n")
    lines = [f"{name} = {value}\n" for name, value in points.items()]
    (info / "entry_points.txt").write_text("[inftydiff.components]\n" + "".join(lines))
    patch.syspath_prepend(folder)
    importlib.invalidate_caches()
