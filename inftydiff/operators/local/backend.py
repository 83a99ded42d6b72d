"""The backends of the local operator: which there are, and which is taken where.

===============  ======================================  ==================================
backend          where                                   how
===============  ======================================  ==================================
``reference``    anywhere                                the definition, in float64, quadratic
``dense``        grids and their subsets                 convolutions of the whole lattice
``torch``        any points, CPU and CUDA                the pairs of points, tap after tap
``numba``        any points, CPU                         the pairs of points, compiled
``triton``       any points, CUDA                        the pairs of points, compiled
``torchsparse``  subsets of the reference lattice, CUDA  TorchSparse's maps; only on request
===============  ======================================  ==================================
"""

import math
import os
import warnings
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Literal, TypeAlias, get_args

import torch

from inftydiff._typing import choice, device_of, entries, instance
from inftydiff.operators.discretisation import Grid, Scattered, Subset
from inftydiff.operators.local import _torchsparse_kernels as torchsparse_kernels
from inftydiff.operators.local._pair_list import MOST
from inftydiff.operators.local.definition import (
    lattice_ratio,
    odd,
    reach,
    sides,
    whole_factors,
)

__all__ = [
    "BACKENDS",
    "Backend",
    "Place",
    "automatic_backend",
    "automatic_pairs",
    "importable",
    "installed_backends",
    "require_backend",
]

Backend = Literal["reference", "dense", "torch", "numba", "triton", "torchsparse"]
"""The name of a backend."""

Place: TypeAlias = Grid | Subset | Scattered
"""What the local operator acts on."""

RAGGED = 2**20
"""The most samples of a ragged batch."""

BACKENDS: tuple[Backend, ...] = get_args(Backend)

LIBRARIES = ("numba", "triton", "torchsparse")
"""The backends that stand on an optional library of the same name."""

INSTALL = {
    "numba": 'pip install "inftydiff[local]"',
    "triton": "pip install triton",
    "torchsparse": "build it from its repository",
}
"""The commands that install those libraries."""

SLOW = 36
"""How many taps of a lattice's convolution take as long as one pair of torch's; a compiled one
takes about as long as one tap."""


def automatic_backend(
    on: Place | Sequence[Subset | Scattered],
    device: torch.device,
    *,
    size: int,
    cell: float | tuple[float, ...],
) -> Backend:
    r"""The backend that is taken if none is named.

    A whole grid is convolved. At a share :math:`q` of a grid's points each sees about
    :math:`q\prod_a (2⌈(r + 1)\rho_a⌉ - 1)` of them, with :math:`k = 2r + 1` nodes and the reference
    cell :math:`\rho` spacings wide; by way of the whole grid it takes :math:`1/q` times the taps of
    the grid's convolution. So few points are summed over pairs, and many of a refined grid are
    taken by way of the grid, as are more pairs than can be counted.

    Args:
        on: the discretisation; several of them for a ragged batch.
        device: where the operator is to be applied.
        size: the number of nodes of the kernel's table along each axis.
        cell: the side lengths of the reference cell.

    Raises:
        TypeError: if the points, the device, the size or the cell are of another kind.
        ValueError: if the size is even, or the cell has another dimension or a side not above zero.
    """
    size = odd(size)
    if isinstance(on, Grid):
        return "dense"
    pairs = automatic_pairs(device_of(device, "The device of the local operator"))
    samples = [on] if isinstance(on, Subset | Scattered) else entries(on, "Points", most=RAGGED)
    for sample in samples:
        instance(sample, (Subset, Scattered), "A sample of a ragged batch")
    subsets = [sample for sample in samples if isinstance(sample, Subset)]
    if not subsets:
        return pairs
    grid = subsets[0].grid
    ratios = tuple(map(lattice_ratio, sides(cell, grid.dim), grid.spacing))
    cells = zip(ratios, grid.shape, strict=True)
    window = math.prod(2 * reach(size, ratio, n) + 1 for ratio, n in cells)
    factors = whole_factors(ratios)
    taps = size**grid.dim + sum(2 * f - 1 for f in factors) if factors else window
    seen = sum(subset.index.numel() * subset.size for subset in subsets) * window / grid.size
    nodes = sum(subset.index.numel() // subset.size for subset in subsets) * grid.size
    price = SLOW if pairs == "torch" else 1
    return "dense" if price * seen > taps * nodes or seen > MOST else pairs


def automatic_pairs(device: torch.device) -> Backend:
    """The backend that sums over pairs fastest on a device."""
    compiled: Backend = "triton" if device.type == "cuda" else "numba"
    return compiled if compiled in installed_backends() and importable(compiled) else "torch"


@cache
def importable(backend: Backend) -> bool:
    """Whether the kernels of a backend can be imported, which is tried when they are to be used."""
    try:
        import_module(f"inftydiff.operators.local._{backend}_kernels")
    except Exception as error:  # whatever a library that does not fit the others raises
        warnings.warn(
            f"The library {backend!r} is installed but cannot be imported ({error!r}); the local "
            "operator does without.",
            RuntimeWarning,
            stacklevel=2,
        )
        return False
    return True


def require_backend(backend: str, device: torch.device) -> None:
    """Refuse a backend that does not exist, is not installed, or does not run on a device.

    Raises:
        ValueError: if there is no such backend, or it does not run on this device.
        ModuleNotFoundError: if the library it stands on is not installed.
    """
    choice(backend, BACKENDS, "The backend")
    if backend in LIBRARIES and backend not in installed_backends():
        raise ModuleNotFoundError(
            f"The backend {backend!r} needs the library of this name. Install it: "
            f"{INSTALL[backend]}.",
            name=backend,
        )
    if backend == "numba" and device.type != "cpu":
        raise ValueError(
            f"The backend 'numba' runs on the CPU; the points are on {device}. Move them there, or "
            "take another backend."
        )
    if backend == "torchsparse" and device.type != torchsparse_kernels.DEVICE:
        raise ValueError(
            f"The backend 'torchsparse' runs on CUDA; the points are on {device}. Move them there, "
            "or take another backend."
        )
    interpreted = os.environ.get("TRITON_INTERPRET") == "1"
    if backend == "triton" and device.type != "cuda" and not interpreted:
        raise ValueError(
            f"The backend 'triton' runs on CUDA; the points are on {device}. With "
            "TRITON_INTERPRET=1 its kernels are interpreted, for tests. Move the points there, or "
            "take another backend."
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
