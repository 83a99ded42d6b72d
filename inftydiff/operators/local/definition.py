r"""The local operator, by its definition.

With a depthwise kernel :math:`\kappa` and the quadrature weights :math:`w_y` of the points,

.. math::
   (K v)(c) = \frac{\sum_y w_y\, \kappa(c - y) ⊙ v(y)}{\sum_y w_y\, \chi(c - y)}, \qquad
   \kappa(o) = \sum_{j \in \{-r, …, r\}^d} \kappa_j\, \Lambda(o / h - j), \qquad
   \Lambda(z) = \prod_a \max(0, 1 - |z_a|),

where :math:`\kappa_j` is a table of :math:`k = 2r + 1` nodes along each axis, one *reference cell*
:math:`h` apart, read by linear interpolation, and :math:`\chi` is the same with every
:math:`\kappa_j = 1`: one inside the window, and falling to zero over the outermost hat. Both sums
run over all points; a point of weight zero is not there. On a grid whose spacing is the reference
cell this is a depthwise convolution divided by the number of points in the window.

``reference`` is the definition computed as it stands, in float64. The rest of this module is what
the faster forms share: on a lattice the offsets are whole multiples of the spacing, and the table
is read there by one small matrix of hats an axis.
"""

from collections.abc import Sequence
from fractions import Fraction

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._typing import entries, floating, length, shown, whole
from inftydiff.operators.discretisation import Grid, require_grid
from inftydiff.operators.domain import Domain

__all__ = [
    "check_reflecting",
    "hat_matrix",
    "lattice_ratio",
    "odd",
    "reach",
    "reference",
    "sides",
    "whole_factors",
    "window_mass",
    "window_reach",
]

MOST_NODES = 1023
"""The most nodes of a kernel's table along an axis."""

_CHUNK = 2**22
"""How many entries of the table of hats ``reference`` holds at once."""


def check_reflecting(domain: Domain) -> None:
    """Refuse a domain whose sides are not all reflecting.

    Raises:
        ValueError: if an axis is periodic or absorbing, or the domain is a point.
    """
    if set(domain.boundaries) != {"reflecting"}:
        raise ValueError(
            "The local operator takes a window's mean over the points inside a box with reflecting "
            f"sides; it does not know other sides. Got {domain}."
        )


def odd(size: int) -> int:
    """Return the size of a kernel's table, refusing an even one.

    Raises:
        TypeError: if the size is no number.
        ValueError: if the size is not an odd whole number, or is above 1023.
    """
    size = whole(size, "A kernel's size", most=MOST_NODES)
    if size % 2 == 0:
        raise ValueError(f"A kernel's size must be odd, so that it has a centre; got {size}.")
    return size


def sides(cell: float | tuple[float, ...], dim: int) -> tuple[float, ...]:
    """Return the side lengths of the reference cell, one an axis.

    Args:
        cell: the side lengths in the domain's units; one number stands for every axis.
        dim: the number of axes.

    Raises:
        TypeError: if the sides are no numbers.
        ValueError: if there is another number of side lengths, or one is not above zero, or is too
            short or too long.
    """
    name = "The sides of the reference cell"
    lengths = entries(cell, name) if isinstance(cell, Sequence) else (cell,) * dim
    if len(lengths) != dim:
        raise ValueError(
            f"The reference cell has one side length an axis; got {len(lengths)} for {dim} axes."
        )
    return tuple(length(side, "A side of the reference cell") for side in lengths)


def lattice_ratio(side: float, spacing: float) -> Fraction:
    """The reference cell's side over a lattice's spacing: exact if it is a simple fraction.

    Example:
        >>> lattice_ratio(1 / 64, 1 / 192), lattice_ratio(1 / 48, 1 / 32)
        (Fraction(3, 1), Fraction(2, 3))
    """
    ratio = Fraction(side / spacing)
    simple = ratio.limit_denominator(4096)
    return simple if abs(simple - ratio) <= Fraction(1, 10**9) * ratio else ratio


def whole_factors(ratios: tuple[Fraction, ...]) -> tuple[int, ...] | None:
    """The ratios on a lattice that is refined by whole factors, and none for one that is not."""
    whole = all(ratio.denominator == 1 for ratio in ratios) and max(ratios) > 1
    return tuple(map(int, ratios)) if whole else None


def reach(size: int, ratio: Fraction, cells: int) -> int:
    """The largest offset along one axis, in cells, that a kernel sees on a grid.

    Args:
        size: the number of nodes of the table.
        ratio: the reference cell's side in spacings of the lattice.
        cells: the grid's number of cells.
    """
    return min(-(-(size // 2 + 1) * ratio.numerator // ratio.denominator), cells) - 1


def window_reach(grid: Grid, *, size: int, cell: float | tuple[float, ...]) -> tuple[int, ...]:
    """How many cells of a grid a kernel sees to each side of a point, along each axis.

    Args:
        grid: the grid.
        size: the number of nodes k of the kernel's table along each axis, odd.
        cell: the side lengths of the reference cell, in the domain's units.

    Raises:
        ValueError: if the size is even, the cell has another dimension or a side not above zero, or
            the domain is no box with reflecting sides.

    Example:
        >>> window_reach(Grid((8, 16)), size=3, cell=1 / 8)
        (1, 3)
    """
    check_reflecting(require_grid(grid, "The grid of a window").domain)
    ratios = map(lattice_ratio, sides(cell, grid.dim), grid.spacing)
    return tuple(reach(odd(size), ratio, n) for ratio, n in zip(ratios, grid.shape, strict=True))


def hat_matrix(size: int, ratio: Fraction, cells: int) -> Float[Tensor, "taps nodes"]:
    r"""The hats :math:`\Lambda(n / \rho - j)` at the offsets of a lattice, along one axis.

    Args:
        size: the number k of nodes j of the table.
        ratio: the reference cell's side :math:`\rho` in spacings of the lattice.
        cells: the grid's number of cells.

    Returns:
        A matrix of shape ``(taps, size)``, float64, over the offsets n that ``reach`` gives.

    Example:
        >>> hat_matrix(1, Fraction(2), 8).squeeze(-1).tolist()
        [0.5, 1.0, 0.5]
    """
    furthest = reach(size, ratio, cells)
    above, below = ratio.numerator, ratio.denominator  # whole numbers, which can be compiled
    nodes = range(-(size // 2), size // 2 + 1)
    rows = [
        [max(0, above - abs(n * below - j * above)) / above for j in nodes]
        for n in range(-furthest, furthest + 1)
    ]
    return torch.tensor(rows, dtype=torch.float64)


def reference(
    values: Float[Tensor, "*batch points channels"],
    weight: Float[Tensor, "*channels_and_window"],
    points: Float[Tensor, "*samples points dim"],
    weights: Float[Tensor, "*samples points"],
    cell: float | tuple[float, ...],
) -> Float[Tensor, "*batch points images"]:
    r"""The local operator by its definition, at any points, in float64 and in :math:`O(N^2)`.

    Args:
        values: the function's values, of shape ``(*batch, points, channels)``.
        weight: the kernel's table :math:`\kappa_j`, of shape ``(channels, *window)`` with one odd
            size k on each axis, or ``(images, channels, *window)``: a matrix at each node.
        points: the points in the domain's units, of shape ``(points, dim)``, or
            ``(batch, points, dim)`` with the last axis of the values' batch.
        weights: the quadrature weights, shaped like the points without their last axis.
        cell: the side lengths of the reference cell in the domain's units.

    Returns:
        The image, shaped like the values but for the number of channels, float64. Where no weight
        is in reach it is zero.

    Raises:
        ValueError: if the table is not square and odd, its axes are not those of the points, or its
            channels not those of the values.

    Example:
        >>> points = torch.tensor([[0.0], [1.0], [5.0]], dtype=torch.float64)
        >>> table = torch.tensor([[0.0, 1.0, 2.0]], dtype=torch.float64)
        >>> reference(points + 1, table, points, torch.ones(3), 1.0).squeeze(-1).tolist()
        [0.5, 2.0, 6.0]
    """
    for tensor, name in ((values, "values"), (weight, "table"), (points, "points")):
        if floating(tensor, f"The {name} of the local operator").ndim < 2:
            raise ValueError(
                f"The {name} of the local operator have two axes or more; got {shown(tensor)}."
            )
    floating(weights, "The weights of the local operator")
    size = odd(weight.shape[-1])
    dim = points.shape[-1]
    if tuple(weight.shape[-dim:]) != (size,) * dim or weight.ndim not in (dim + 1, dim + 2):
        window = ", ".join([str(size)] * dim)
        raise ValueError(
            f"The kernel's table must have shape (channels, {window}) or (images, channels, "
            f"{window}); got {tuple(weight.shape)}."
        )
    lengths = sides(cell, dim)
    if weights.shape != points.shape[:-1] or values.shape[-points.ndim : -1] != weights.shape:
        raise ValueError(
            "Values, points and weights of the local operator belong to the same points; got the "
            f"shapes {tuple(values.shape)}, {tuple(points.shape)} and {tuple(weights.shape)}."
        )
    channels = weight.shape[-dim - 1]
    if channels != values.shape[-1]:
        raise ValueError(
            f"The kernel has {channels} channels, the values have {values.shape[-1]}; they must "
            "agree. Give a kernel of as many channels."
        )
    if points.ndim == 3:
        samples = [
            reference(v, weight, p, w, lengths)
            for v, p, w in zip(values.movedim(-3, 0), points, weights, strict=True)
        ]
        return torch.stack(samples, -3)
    values, weight, points, weights = (
        tensor.to(values.device, torch.float64) for tensor in (values, weight, points, weights)
    )
    rows = max(1, _CHUNK // (len(points) * size**dim))
    images = []
    for targets in points.split(rows):
        hats = _hats(targets, points, size, lengths) * weights.unsqueeze(-1)
        smoothed = torch.einsum("tpj,...pc->...tjc", hats, values)
        sums = "...tjc,cj->...tc" if weight.ndim == dim + 1 else "...tjc,icj->...ti"
        total = torch.einsum(sums, smoothed, weight.flatten(-dim))
        mass = hats.sum((-2, -1)).unsqueeze(-1)
        images.append(total / torch.where(mass > 0, mass, 1.0))
    return torch.cat(images, -2)


def window_mass(
    points: Float[Tensor, "*samples points dim"],
    weights: Float[Tensor, "*samples points"],
    size: int,
    cell: float | tuple[float, ...],
) -> Float[Tensor, "*samples points"]:
    r"""The normaliser :math:`\sum_y w_y \chi(c - y)` of ``reference``, at each point, float64."""
    lengths = sides(cell, points.shape[-1])
    if points.ndim == 3:
        samples = zip(points, weights, strict=True)
        return torch.stack([window_mass(p, w, size, lengths) for p, w in samples])
    points, weights = points.to(torch.float64), weights.to(torch.float64)
    rows = max(1, _CHUNK // (len(points) * size ** len(lengths)))
    chunks = points.split(rows)
    return torch.cat(
        [_hats(targets, points, size, lengths).sum(-1) @ weights for targets in chunks]
    )


def _hats(
    targets: Float[Tensor, "targets dim"],
    points: Float[Tensor, "points dim"],
    size: int,
    cell: tuple[float, ...],
) -> Float[Tensor, "targets points nodes"]:
    offsets = targets.unsqueeze(1) - points
    nodes = torch.arange(size, dtype=torch.float64, device=points.device) - size // 2
    hats = torch.ones(*offsets.shape[:-1], 1, dtype=torch.float64, device=points.device)
    for a, side in enumerate(cell):
        along = (1 - (offsets[..., a, None] / side - nodes).abs()).clamp_min(0)
        hats = (hats.unsqueeze(-1) * along.unsqueeze(-2)).flatten(-2)
    return hats
