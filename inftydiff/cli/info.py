"""``inftydiff info``: what is installed, and what the local operator runs on."""

import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import final

import torch

from inftydiff import Grid, Scattered, Subset
from inftydiff.cli.command import Command
from inftydiff.operators.local import BACKENDS, Backend, automatic_backend, installed_backends

__all__ = ["Info"]

WHAT: dict[Backend, str] = {
    "reference": "the definition, in float64; only on request",
    "dense": "convolutions of whole grids",
    "torch": "pairs of points, on any device",
    "numba": "pairs of points, compiled for CPUs",
    "triton": "pairs of points, compiled for CUDA; so far run by Triton's interpreter only",
    "torchsparse": "TorchSparse's kernels; only on request; so far never run on a device",
}


@final
@dataclass(frozen=True)
class Info(Command):
    """Say what is installed here, and which backends the local operator has and takes."""

    def run(self, words: Sequence[str]) -> None:
        print(*report(), sep="\n")


def report() -> Iterator[str]:
    """The lines of the report."""
    yield f"inftydiff {version('inftydiff')}, Python {platform.python_version()}"
    yield f"torch {torch.__version__}, {torch.get_num_threads()} threads, {instructions()}"
    for device in devices()[1:]:
        yield f"{device}: {torch.cuda.get_device_name(device)}"
    yield ""
    yield "Backends of the local operator"
    installed = installed_backends()
    for backend in BACKENDS:
        yield f"  {backend:12s} {installed.get(backend, 'not installed'):20s} {WHAT[backend]}"
    yield ""
    yield "Taken if none is named"
    grid = Grid((64, 64))
    few = torch.arange(grid.size // 4)
    places: dict[str, Grid | Subset | Scattered] = {
        "a grid": grid,
        "a quarter of its points": Subset(grid, few),
        "scattered points": Scattered(grid.points[few]),
    }
    for device in devices():
        for name, on in places.items():
            yield f"  {device.type:5s} {name:24s} {automatic_backend(on, device, refined=False)}"


def devices() -> list[torch.device]:
    """The CPU, and the CUDA devices there are."""
    count = torch.cuda.device_count()
    return [torch.device("cpu"), *(torch.device("cuda", number) for number in range(count))]


def instructions() -> str:
    """The vector instructions that torch uses on this CPU."""
    return torch.backends.cpu.get_cpu_capability()
