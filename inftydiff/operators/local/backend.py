"""The backends of the local operator: which there are, and which is taken where.

| backend | where | how |
|---|---|---|
| ``reference`` | anywhere | the definition, in float64, quadratic in the points |
| ``dense`` | grids and their subsets | convolutions of the whole lattice |
| ``torch`` | any points, any device | the pairs of points, tap after tap |
| ``numba`` | any points, CPU | the pairs of points, compiled |
| ``triton`` | any points, CUDA | the pairs of points, compiled |
| ``torchsparse`` | subsets of the reference lattice | TorchSparse's own kernels; only on request |
"""

import os
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Literal, get_args

import torch

from inftydiff.operators.discretisation import Grid, Scattered, Subset

__all__ = [
    "BACKENDS",
    "Backend",
    "automatic_backend",
    "automatic_pairs",
    "installed_backends",
    "require_backend",
]

Backend = Literal["reference", "dense", "torch", "numba", "triton", "torchsparse"]
"""The name of a backend."""

BACKENDS: tuple[Backend, ...] = get_args(Backend)

LIBRARIES = ("numba", "triton", "torchsparse")
"""The backends that stand on an optional library of the same name."""

DENSE = 1 / 6
"""The density of points from which convolving their lattice is faster than torch's pairs."""


def automatic_backend(
    on: Grid | Subset | Scattered, device: torch.device, refined: bool
) -> Backend:
    """The backend that is taken if none is named.

    Args:
        on: the discretisation.
        device: where the operator is to be applied.
        refined: whether the discretisation's lattice is finer than the reference cell.
    """
    if isinstance(on, Grid) or (isinstance(on, Subset) and refined):
        return "dense"
    pairs = automatic_pairs(device)
    if pairs == "torch" and isinstance(on, Subset) and on.size >= DENSE * on.grid.size:
        return "dense"
    return pairs


def automatic_pairs(device: torch.device) -> Backend:
    """The backend that sums over pairs fastest on a device."""
    compiled: Backend = "triton" if device.type == "cuda" else "numba"
    return compiled if compiled in installed_backends() else "torch"


def require_backend(backend: str, on: Grid | Subset | Scattered, device: torch.device) -> None:
    """Refuse a backend that does not exist, is not installed, or cannot take the points.

    Raises:
        ValueError: if there is no such backend, or it does not take these points or this device.
        ModuleNotFoundError: if the library it stands on is not installed.
    """
    if backend not in BACKENDS:
        raise ValueError(f"The backend is one of {', '.join(BACKENDS)}; got {backend!r}.")
    if backend in LIBRARIES and backend not in installed_backends():
        hint = (
            "build it from its repository" if backend == "torchsparse" else f"pip install {backend}"
        )
        raise ModuleNotFoundError(
            f"The backend {backend!r} needs the library of this name: {hint}.", name=backend
        )
    if backend == "numba" and device.type != "cpu":
        raise ValueError(f"The backend 'numba' runs on the CPU; the points are on {device}.")
    interpreted = os.environ.get("TRITON_INTERPRET") == "1"
    if backend == "triton" and device.type != "cuda" and not interpreted:
        raise ValueError(
            f"The backend 'triton' runs on CUDA; the points are on {device}. With "
            "TRITON_INTERPRET=1 its kernels are interpreted, for tests."
        )


@cache
def installed_backends() -> dict[Backend, str]:
    """The backends that can be used here, with the version of what they stand on."""
    found: dict[Backend, str] = {}
    for backend in BACKENDS:
        library = backend if backend in LIBRARIES else "torch"
        if find_spec(library) is None:
            continue
        try:
            found[backend] = f"{library} {version(library)}"
        except PackageNotFoundError:
            found[backend] = library
    return found
