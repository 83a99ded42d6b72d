"""The neighbour map: what the local operator knows of the points, built once for all layers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor

from inftydiff._typing import check_size, device_of, entries, instance
from inftydiff.operators.discretisation import Grid, Scattered, Subset
from inftydiff.operators.local._bilinear import transformed
from inftydiff.operators.local._dense import (
    DirectForm,
    lattice_hats,
    lattice_mass,
    lattice_window,
)
from inftydiff.operators.local._embedded import EmbeddedForm, scatter, take
from inftydiff.operators.local._factorised import FactorisedForm, extent, hats_of
from inftydiff.operators.local._implementation import Form
from inftydiff.operators.local._pair_list import joined
from inftydiff.operators.local._pair_search import lattice_pairs, lattice_windows, scattered_pairs
from inftydiff.operators.local._pairs import KERNELS, PairsForm
from inftydiff.operators.local._reference_form import ReferenceForm
from inftydiff.operators.local.backend import (
    RAGGED,
    Backend,
    Place,
    automatic_backend,
    automatic_pairs,
    require_backend,
)
from inftydiff.operators.local.definition import (
    check_reflecting,
    lattice_ratio,
    odd,
    sides,
    whole_factors,
    window_mass,
)

__all__ = ["Neighbours", "neighbours"]

WIDEST = 2**24
"""The most nodes, grid and margins, of a factorised form that is much larger than its grid."""


@final
@dataclass(frozen=True, eq=False)
class Neighbours:
    r"""The points of a discretisation that see each other through a kernel's window.

    Made by ``neighbours``, and shared by every layer that acts at these points.

    Args:
        on: the discretisation; several of them for a ragged batch.
        size: the number of nodes k of the kernel's table along each axis.
        cell: the side lengths of the reference cell, in the domain's units.
        mass: the normaliser :math:`\sum_y w_y \chi(c - y)`, of shape ``(*samples, points)``,
            float64. Where all weights are equal they are left out: it is the number of points seen.
        backend: what computes the operator.
        form: how it does.
    """

    on: Place | tuple[Place, ...]
    size: int
    cell: tuple[float, ...]
    mass: Float[Tensor, "*samples points"]
    backend: Backend
    form: Form
    _scale: Float[Tensor, "*samples points"] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_scale", _inverse(self.mass).float())

    def scale(self, dtype: torch.dtype) -> Float[Tensor, "*samples points"]:
        """One over the normaliser, and zero where no weight is in reach; in float32 it is kept."""
        return self._scale if dtype == torch.float32 else _inverse(self.mass).to(dtype)


def _inverse(mass: Tensor) -> Tensor:
    return torch.where(mass > 0, 1.0 / mass, 0.0)


def neighbours(
    on: Place | Sequence[Subset | Scattered],
    *,
    size: int,
    cell: float | tuple[float, ...],
    device: torch.device | str | None = None,
    backend: Backend | None = None,
) -> Neighbours:
    """Build the neighbour map of a discretisation.

    Args:
        on: a grid, a subset of one with an index of shape ``(points,)`` or ``(batch, points)``, or
            scattered points. A sequence of subsets or of scattered points, each without a batch, is
            a ragged batch: the values are those of all its points, one sample after the other.
        size: the number of nodes k of the kernel's table along each axis, odd.
        cell: the side lengths of the reference cell (the distance of two nodes of the table) in the
            domain's units; one number stands for every axis.
        device: where the map is kept; by default with the points, and on the CPU for a grid.
        backend: what computes the operator; by default the fastest there is for these points.

    Raises:
        TypeError: if an argument is of another kind.
        ValueError: if the size is even, the cell has another dimension or a side not above zero,
            the domain is no box with reflecting sides, the backend does not exist or does not take
            these points or this device, there are more pairs than a map lists, or the samples of a
            ragged batch do not belong together.
        ModuleNotFoundError: if the library of the backend is not installed.

    Example:
        >>> neighbours(Grid((2, 3)), size=3, cell=(1 / 2, 1 / 3)).mass.tolist()
        [4.0, 6.0, 4.0, 4.0, 6.0, 4.0]
    """
    device = None if device is None else device_of(device, "The device of a neighbour map")
    with torch.inference_mode(False):  # a map may be made while sampling and used in training
        if isinstance(on, Grid | Subset | Scattered):
            return _map(on, size, cell, device, backend)
        samples = entries(on, "The points of a neighbour map", most=RAGGED)
        return _ragged(samples, size, cell, device, backend)


def _map(
    on: Place,
    size: int,
    cell: float | tuple[float, ...],
    device: torch.device | str | None,
    backend: Backend | None,
) -> Neighbours:
    domain = on.domain
    check_reflecting(domain)
    size, lengths = odd(size), sides(cell, domain.dim)
    check_size(math.prod(on.shape_of_points), "The points of a neighbour map")
    if isinstance(on, Scattered):
        ratios: tuple[Fraction, ...] = ()
        target = torch.device(on.points.device if device is None else device)
    else:
        grid = on if isinstance(on, Grid) else on.grid
        ratios = tuple(map(lattice_ratio, lengths, grid.spacing))
        own = "cpu" if isinstance(on, Grid) else on.index.device
        target = torch.device(own if device is None else device)
    if backend is None:
        backend = automatic_backend(on, target, size=size, cell=lengths)
    require_backend(backend, target)
    if target.type == "meta" and backend != "dense":
        raise ValueError(
            f"The points on {target} have no values, and the backend {backend!r} reads them. Name "
            "a device that holds some."
        )
    if backend in KERNELS:
        mass, form = _pairs(on, size, lengths, ratios, target, backend)
    elif backend == "reference":
        points = _kept(on.points, target)
        weights = torch.ones_like(points[..., 0])
        if isinstance(on, Scattered):
            weights = _kept(on.weights, target)
        mass = window_mass(points, weights, size, lengths)
        form = ReferenceForm(points, weights, lengths)
    elif isinstance(on, Scattered):
        raise ValueError(
            f"The backend {backend!r} works on a lattice, and scattered points have none. Take "
            f"one of {', '.join(KERNELS)}."
        )
    elif backend == "torchsparse":
        mass, form = _torchsparse(on, size, ratios, target)
    else:
        mass, form = _dense(on, size, ratios, target)
    return Neighbours(on, size, lengths, mass, backend, form)


def _kept(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor that may be kept for a backward pass, whatever mode it was made in."""
    tensor = tensor.to(device)
    return tensor.clone() if tensor.is_inference() else tensor


def _dense(
    on: Grid | Subset, size: int, ratios: tuple[Fraction, ...], device: torch.device
) -> tuple[Tensor, Form]:
    grid = on if isinstance(on, Grid) else on.grid
    factors = whole_factors(ratios)
    if factors is not None and extent(grid.shape, factors, size) > max(WIDEST, 64 * grid.size):
        factors = None
    whole: Form
    if factors is None:
        whole = DirectForm(grid.shape, lattice_hats(size, ratios, grid.shape, device))
    else:
        whole = FactorisedForm(grid.shape, factors, hats_of(factors, device))
    if isinstance(on, Grid):
        present = torch.ones(1, *grid.shape, dtype=torch.float64, device=device)
        return lattice_mass(present, size, ratios).flatten(), whole
    index = _kept(on.index, device)
    samples = index.reshape(-1, on.size)
    mass = _subset_mass(samples, grid, size, ratios)
    number = torch.arange(len(samples), device=device).unsqueeze(-1)
    every = (number * grid.size + samples).flatten()
    return mass.view(index.shape), EmbeddedForm(every, len(samples), grid.size, whole)


def _torchsparse(
    on: Grid | Subset, size: int, ratios: tuple[Fraction, ...], device: torch.device
) -> tuple[Tensor, Form]:
    if isinstance(on, Grid) or any(ratio != 1 for ratio in ratios):
        raise ValueError(
            "The backend 'torchsparse' takes a Subset of the grid whose spacing is the reference "
            f"cell; got a {type(on).__name__} with {', '.join(map(str, ratios))} spacings a cell."
        )
    from inftydiff.operators.local import _torchsparse_kernels as kernels
    from inftydiff.operators.local._torchsparse_form import TorchSparseForm

    dim = on.grid.dim
    index = on.index.to(device)
    samples = index.reshape(-1, on.size)
    number = torch.arange(len(samples), device=device).unsqueeze(-1).expand_as(samples)
    cells = torch.unravel_index(samples, on.grid.shape)
    coordinates = torch.stack([number, *cells], -1).flatten(0, 1).int()
    if not kernels.mixes_channels():
        mass = _subset_mass(samples, on.grid, size, ratios)
        return mass.view(index.shape), TorchSparseForm(coordinates, size, {}, None)
    maps = kernels.kernel_maps(coordinates, size, dim)
    pairs = kernels.pairs(maps, coordinates, size, dim)
    form = PairsForm(pairs, automatic_pairs(device), dim)
    pairs.lists(form.backend)
    mass = pairs.row_pointer.diff().double().view(index.shape)
    return mass, TorchSparseForm(coordinates, size, maps, form)


def _subset_mass(
    samples: Int[Tensor, "samples points"], grid: Grid, size: int, ratios: tuple[Fraction, ...]
) -> Float[Tensor, "samples points"]:
    ones = torch.ones(*samples.shape, 1, dtype=torch.float64, device=samples.device)
    present = scatter(ones, samples, grid.size).reshape(-1, *grid.shape)
    everywhere = lattice_mass(present, size, ratios).reshape(len(samples), -1, 1)
    return take(everywhere, samples).squeeze(-1)


def _pairs(
    on: Place,
    size: int,
    cell: tuple[float, ...],
    ratios: tuple[Fraction, ...],
    device: torch.device,
    backend: Backend,
) -> tuple[Tensor, Form]:
    if isinstance(on, Scattered):
        points = on.points.to(device).reshape(-1, *on.points.shape[-2:])
        pairs = scattered_pairs(points, size, cell)
        pairs.lists(backend)
        weights = _kept(on.weights, device)
        mass = pairs.mass(weights.flatten()).view(weights.shape)
        return mass, PairsForm(pairs, backend, points.shape[-1], weights=weights)
    grid = on if isinstance(on, Grid) else on.grid
    index = torch.arange(grid.size) if isinstance(on, Grid) else on.index
    index = index.to(device)
    samples = index.reshape(-1, on.size)
    windows = lattice_windows(samples, grid.shape, ratios, size)
    if backend == "numba" and not transformed():  # within a transform tensors have no address
        from inftydiff.operators.local._numba_pairs import window_pairs

        pairs = window_pairs(*windows)
    else:
        pairs = lattice_pairs(*windows)
    pairs.lists(backend)
    if all(ratio == 1 for ratio in ratios):
        mass = pairs.row_pointer.diff().double()
    else:
        mass = pairs.mass(window=lattice_window(size, ratios, grid.shape, device))
    hats = lattice_hats(size, ratios, grid.shape, device)
    known = hats if any(along is not None for along in hats) else None
    return mass.view(index.shape), PairsForm(pairs, backend, grid.dim, known)


def _ragged(
    samples: tuple[Place, ...],
    size: int,
    cell: float | tuple[float, ...],
    device: torch.device | str | None,
    backend: Backend | None,
) -> Neighbours:
    if not samples:
        raise ValueError("A ragged batch has at least one sample; got none.")
    first = samples[0]
    for on in samples:
        instance(on, (Grid, Subset, Scattered), "A sample of a ragged batch")
        alike = (
            isinstance(on, Scattered)
            and isinstance(first, Scattered)
            and (on.domain == first.domain)
        )
        same = isinstance(on, Subset) and isinstance(first, Subset) and on.grid == first.grid
        if not (alike or same) or len(on.shape_of_points) != 1:
            raise ValueError(
                "The samples of a ragged batch are Subsets of one grid, or Scattered points of one "
                f"domain, each without a batch; got {first} and {on}."
            )
    if backend is None:
        check_reflecting(first.domain)
        place = first.points.device if device is None else torch.device(device)
        parts = [on for on in samples if not isinstance(on, Grid)]
        backend = automatic_backend(parts, place, size=odd(size), cell=cell)
    if not isinstance(backend, str) or backend not in (*KERNELS, "dense"):
        raise ValueError(
            f"The backend of a ragged batch is one of {', '.join(KERNELS)}, or 'dense'; got "
            f"{backend!r}."
        )
    maps = [_map(on, size, cell, device, backend) for on in samples]
    mass = torch.cat([near.mass for near in maps])
    form = _together([near.form for near in maps])
    if isinstance(form, PairsForm):
        form.pairs.lists(backend)
    return Neighbours(samples, maps[0].size, maps[0].cell, mass, backend, form)


def _together(forms: Sequence[Form]) -> Form:
    """The form of all samples of a ragged batch."""
    embedded = [form for form in forms if isinstance(form, EmbeddedForm)]
    if embedded:
        index = torch.cat([form.index + i * form.nodes for i, form in enumerate(embedded)])
        return replace(embedded[0], index=index, samples=len(embedded))
    pairs = [form for form in forms if isinstance(form, PairsForm)]
    weights = [form.weights for form in pairs if form.weights is not None]
    return replace(
        pairs[0],
        pairs=joined([form.pairs for form in pairs]),
        weights=torch.cat(weights) if weights else None,
    )
