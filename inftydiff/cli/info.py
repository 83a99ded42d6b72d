"""``inftydiff info``: what is installed, what the local operator runs on, what presets need.

What is installed are the libraries of every extra, a compiler, and the weights in the package.
"""

import json
import os
import platform
import shutil
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final, final

import torch

from inftydiff import Grid, Scattered, Subset
from inftydiff._components import installed, kinds
from inftydiff._components.plugins import provider
from inftydiff._components.registry import FAMILIES
from inftydiff.cli.command import Command, parameters
from inftydiff.cli.front import EXTRAS
from inftydiff.operators.local import BACKENDS, Backend, automatic_backend, installed_backends
from inftydiff.operators.local._thread_pool import threading_layer
from inftydiff.operators.local.backend import importable
from inftydiff.pipelines import PRESETS, InftyDiff, preset
from inftydiff.pipelines._pretrained import WEIGHTS, shipped

__all__ = ["Info", "installed_lines", "size_of"]

OTHERS: Final = ("datasets",)
"""What is used if it is installed, and no extra installs."""

COMPILERS: Final = ("g++", "clang++", "c++")
WIDTH: Final = 100


def installed_lines() -> Iterator[str]:
    """The lines of the report on what is installed."""
    yield "Libraries, by the extra that installs them"
    for extra, names in EXTRAS.items():
        yield _line(extra, names, f'pip install "inftydiff[{extra}]"')
    yield _line("others", OTHERS, f"pip install {' '.join(n for n in OTHERS if not _found(n))}")
    yield ""
    compiler = _compiler()
    yield f"For --compile: {compiler or 'no compiler was found, such as ' + COMPILERS[0]}"
    sizes = [f"{n} ({size_of((f / WEIGHTS).stat().st_size)})" for n, f in shipped().items()]
    yield f"Weights in the package: {', '.join(sizes) or 'none'}"


def size_of(count: int) -> str:
    """A number of bytes, in units that suit it.

    Example:
        >>> size_of(2_500_000)
        '2.50 MB'
    """
    return f"{count / 1e9:.2f} GB" if count >= 1e8 else f"{count / 1e6:.2f} MB"


def _line(extra: str, names: tuple[str, ...], command: str) -> str:
    """The versions of an extra's libraries, and how to install those that are missing."""
    found = [f"{name} {_found(name) or 'missing'}" for name in names]
    more = "" if all(map(_found, names)) else f"; {command}"
    return textwrap.fill(
        ", ".join(found) + more,
        WIDTH,
        initial_indent=f"  {extra:12s} ",
        subsequent_indent=" " * 15,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _found(name: str) -> str | None:
    """The version of a library, if it is installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _compiler() -> str | None:
    """Where a compiler of C++ is that torch would call."""
    names = (os.environ.get("CXX", ""), *COMPILERS)
    return next((path for name in names if name and (path := shutil.which(name))), None)


WHAT: dict[Backend, str] = {
    "reference": "the definition, in float64; only on request",
    "dense": "convolutions of whole grids",
    "torch": "pairs of points, on CPUs and CUDA",
    "numba": "pairs of points, compiled for CPUs",
    "triton": "pairs of points, compiled for CUDA; so far run by Triton's interpreter only",
    "torchsparse": "TorchSparse's maps; only on request; so far never run on a device",
}

THREADS = {
    "OpenMP": "the OpenMP threads of torch",
    "Python": "Python's threads; the OpenMP of torch was not found",
}

TRAINED = 4 * 5
"""Bytes a parameter while it is trained in single precision."""

ACTIVATIONS = Path(__file__).with_name("activations.json")
"""What a step keeps of a picture for its backward pass, as ``benchmarks/activations.py`` counts."""


@final
@dataclass(frozen=True)
class Info(Command):
    """Say what is installed here, which backends are taken, and what the presets need."""

    def run(self, words: Sequence[str]) -> None:
        print(*report(), sep="\n")


def report() -> Iterator[str]:
    """The lines of the report."""
    yield f"inftydiff {version('inftydiff')}, Python {platform.python_version()}"
    yield f"torch {torch.__version__}, {torch.get_num_threads()} threads, {instructions()}"
    for device in devices()[1:]:
        yield f"{device}: {torch.cuda.get_device_name(device)}"
    yield ""
    yield from installed_lines()
    yield ""
    yield "Backends of the local operator"
    for backend in BACKENDS:
        yield f"  {backend:12s} {standing(backend):20s} {WHAT[backend]}"
    yield ""
    yield f"Kernels for CPUs run on {THREADS[threading_layer()]}"
    yield ""
    yield "Taken if none is named, for a kernel whose nodes are the points of a 64² grid"
    for device in devices():
        for name, on in places().items():
            backend = automatic_backend(on, device, size=7, cell=1 / 64)
            yield f"  {device.type:5s} {name:28s} {backend}"
    yield ""
    yield from component_lines()
    yield ""
    yield from preset_lines()


def standing(backend: Backend) -> str:
    """What a backend stands on here."""
    library = installed_backends().get(backend)
    if library is None:
        return "not installed"
    fits = backend not in ("numba", "triton") or importable(backend)
    return library if fits else f"{library}, which cannot be imported"


def places() -> dict[str, Grid | Subset | Scattered]:
    """Points of every kind: of a grid, of one that is refined fourfold, and anywhere."""
    found: dict[str, Grid | Subset | Scattered] = {}
    for side in (64, 256):
        grid = Grid((side, side))
        found[f"a {side}² grid"] = grid
        for share in (2, 16):
            found[f"1/{share} of the points of {side}²"] = Subset(
                grid, torch.arange(grid.size // share)
            )
    return {**found, "scattered points": Scattered(torch.full((1, 2), 0.5))}


def component_lines() -> Iterator[str]:
    """The kinds of every family, and the plug-ins that add some; none of them is imported."""
    yield "Components, by their kinds"
    for family in FAMILIES:
        yield f"  {family:16s} {', '.join(kinds(family))}"
    for point in installed():
        yield f"  {point.name}: a plug-in, of {provider(point)} ({point.value})"


def preset_lines() -> Iterator[str]:
    """The parameters of each preset and the memory it takes, built without allocating it."""
    kept = json.loads(ACTIVATIONS.read_text(encoding="utf-8"))
    yield "Presets, in single precision"
    yield (
        f"  {'':16s} {'parameters':>12s} {'prior':>12s} {'weights':>10s} {'training':>10s} "
        f"{'a picture':>10s} {'recomputed':>10s}"
    )
    for name in PRESETS:
        with torch.device("meta"):
            model = InftyDiff(preset(name))
        every = parameters(model)
        prior = 0 if model.prior is None else sum(p.numel() for p in model.prior.parameters())
        first = every - prior
        yield (
            f"  {name:16s} {first:12,} {prior:12,} {size_of(4 * every):>10s} "
            f"{size_of(TRAINED * first):>10s} {size_of(kept[name]['kept']):>10s} "
            f"{size_of(kept[name]['recomputed']):>10s}"
        )
    yield "  weights: what sampling takes, besides the activations of one layer at a time"
    yield "  training: weights, gradients, AdamW's two moments and the moving average of the first"
    yield "  stage, 20 bytes a parameter; the prior is trained afterwards, by itself"
    yield "  a picture: what a step of training keeps besides, of each picture of a batch, at the"
    yield "  preset's size and a quarter of the points; recomputed: with --gradient-checkpointing"


def devices() -> list[torch.device]:
    """The CPU, and the CUDA devices there are."""
    count = torch.cuda.device_count()
    return [torch.device("cpu"), *(torch.device("cuda", number) for number in range(count))]


def instructions() -> str:
    """The vector instructions that torch uses on this CPU."""
    return torch.backends.cpu.get_cpu_capability()
