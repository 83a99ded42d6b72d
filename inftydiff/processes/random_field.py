r"""Random fields: the images of one draw of white noise under spectral operators.

.. math:: T\xi = \tau\sum_k m(\lambda_k)\,\xi_k\,\varphi_k

with independent standard normals :math:`\xi_k`, each made from the seed, the sample, the channel
and the mode alone, and the eigenbasis :math:`\varphi_k` of the domain. A field whose multiplier
:math:`m` decays is *smooth*: it is read at any points with all its modes; on a grid those above the
grid's are folded in. Any other field is read on grids, with the grid's modes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._typing import (
    Real,
    Scalar,
    checked_seed,
    device_of,
    dtype_of,
    instance,
    positive,
    store,
    whole,
)
from inftydiff._typing import scalar as check_scalar
from inftydiff.operators.basis import Eigenbasis, eigenbasis
from inftydiff.operators.discretisation import Discretisation, Grid, Scattered, Subset
from inftydiff.operators.domain import Domain
from inftydiff.operators.function import Function
from inftydiff.operators.linear import Field
from inftydiff.operators.multiplier import (
    Multiplier,
    ProductMultiplier,
    ScaledMultiplier,
    SumMultiplier,
    UnitMultiplier,
    check_dimension,
)
from inftydiff.processes._checks import a_domain, a_grid, a_place, channel_count, samples
from inftydiff.processes._normals import normals

__all__ = ["RandomField"]

WHITE = UnitMultiplier()

VANISHING = 1e-200
"""A field whose multiplier is bounded by this is zero: its variances underflow."""

TOLERANCE = 1e-10
"""Modes whose factor is below this, relative to the multiplier's bound, are left out of a field."""

CHUNK = 1 << 24
"""The numbers that the synthesis at scattered points holds at a time."""

MOST_MODES = 1 << 28
"""The most modes that a field may have."""

MOST_NUMBERS = 1 << 34
"""The most coefficients that are drawn at a time, 128 GiB of them."""


@final
@dataclass(frozen=True)
class RandomField(Field):
    r"""The random functions :math:`\tau\sum_k m(\lambda_k)\,\xi_k\,\varphi_k`.

    Spectral operators, sums and multiples of one draw act on its multiplier :math:`m`; nothing is
    computed before the field is read by calling it. The coefficient :math:`\xi_k` depends on the
    seed, the sample, the channel and the mode alone.

    Args:
        seed: what the coefficients are made from, in [0, 2⁶³).
        domain: where the field lives.
        batch: the number of independent samples.
        channels: the number of independent channels.
        intensity: the amplitude :math:`\tau` of the white noise.
        multiplier: the function :math:`m` of the Laplacian's eigenvalues; by default one.
        first: the number of the first sample: samples are numbered in the draw, not in the batch.

    Raises:
        ValueError: if the seed is no whole number in this range.
    """

    seed: int
    domain: Domain
    batch: int
    channels: int
    intensity: Real
    multiplier: Multiplier = WHITE
    first: int = 0

    def __post_init__(self) -> None:
        store(self, checked_seed, "seed", subject="A field's ")
        a_domain(self.domain)
        object.__setattr__(self, "batch", samples(self.batch))
        object.__setattr__(self, "channels", channel_count(self.channels))
        store(self, positive, "intensity", subject="A field's ")
        instance(self.multiplier, Multiplier, "A field's multiplier")
        store(self, whole, "first", subject="A field's ", least=0)

    def samples(self, first: int, count: int) -> "RandomField":
        """Some of the samples, as a field that makes these alone.

        Whoever computes a part of a batch draws the noise of the whole batch and takes this part.

        Args:
            first: the number of the first one in this batch.
            count: how many.

        Raises:
            ValueError: if the batch has not so many, or the operator has a scale a sample.

        Example:
            >>> from inftydiff import WhiteNoise
            >>> from inftydiff.operators.domain import Point
            >>> g = torch.Generator().manual_seed(0)
            >>> field = WhiteNoise().draw(Point(), batch=5, channels=3, generator=g)
            >>> on = Grid((), Point())
            >>> bool(torch.equal(field.samples(2, 3)(on).values, field(on).values[2:]))
            True
        """
        first = whole(first, "The number of the first sample", least=0)
        if not first <= first + whole(count, "A number of samples") <= self.batch:
            raise ValueError(
                f"The field has {self.batch} samples; asked for {count} from number {first} on."
            )
        if self._factors((1,) * self.domain.dim, None).ndim > self.domain.dim:
            raise ValueError(
                "The field's operator has one scale a sample; take the samples of the white noise "
                "first, and apply the operator to them. "
                f"Got {self.batch} samples."
            )
        return replace(self, first=self.first + first, batch=count)

    def filtered(self, multiplier: Multiplier) -> "RandomField":
        """The image of the field under the spectral operator with this multiplier."""
        instance(multiplier, Multiplier, "What filters a field")
        if isinstance(self.multiplier, UnitMultiplier):
            return replace(self, multiplier=multiplier)
        return replace(self, multiplier=ProductMultiplier(multiplier, self.multiplier))

    def __add__(self, other: "RandomField") -> "RandomField":
        """The sum of two linear images of one draw.

        Raises:
            ValueError: if the other field stems from another draw.
        """
        if not isinstance(other, RandomField) or _draw(self) != _draw(other):
            raise ValueError(
                "Only images of one draw of noise can be added before they are read; got two draws."
                " Read both on the same discretisation, and add the functions."
            )
        return replace(self, multiplier=SumMultiplier(self.multiplier, other.multiplier))

    def __mul__(self, scalar: Scalar) -> "RandomField":
        """The field times a number, or a tensor of shape ``(batch,)``, one number a sample."""
        check_scalar(scalar, "What scales a field")
        if isinstance(scalar, Tensor) and (scalar.ndim > 1 or not scalar.numel()):
            raise ValueError(
                "A field is scaled by a number, or by a tensor of shape (batch,); got one of shape "
                f"{tuple(scalar.shape)}."
            )
        return replace(self, multiplier=ScaledMultiplier(scalar, self.multiplier))

    @property
    def smooth(self) -> bool:
        """Return whether the field has point values: its multiplier decays."""
        return math.isfinite(self._bandwidth())

    def __call__(
        self,
        on: Discretisation,
        *,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> Function:
        """Read the field.

        A smooth field gives its point values at any points. A field without decay (white noise) is
        read on a grid, or on a subset of one, as its projection on the grid's modes: independent
        cells of variance intensity² / cell volume.

        A grid, and a subset of one, costs O(modes + cells · log cells); scattered points cost
        O(modes · points) operations, exactly, and are synthesised in chunks, in memory linear in
        the points plus the modes.

        Args:
            on: where to read.
            dtype: of the values; by default torch's default dtype. Coefficients are float64.
            device: of the values; by default the CPU, or where a subset or the points are.

        Returns:
            A function with values of shape ``(batch, points, channels)``.

        Raises:
            ValueError: if the points lie in another domain, the operator was normalised for another
                dimension than the domain's, or the field is white and the points are scattered.
        """
        self._check(on)
        if dtype is not None:
            dtype_of(dtype, "The dtype of a field's values")
        if device is not None:
            device = device_of(device, "The place of a field's values")
        if isinstance(on, Subset):
            device = on.index.device if device is None else device
            return self(on.grid, dtype=dtype, device=device).restrict(on)
        if isinstance(on, Scattered):
            device = on.points.device if device is None else device
            values = self._synthesise_at(on.points.to(device))
        else:
            values = self._synthesise_on(on, device)
        return Function(on, values.to(torch.get_default_dtype() if dtype is None else dtype))

    def mode_variances(self, grid: Grid) -> Float[Tensor, "*batch_shape"]:
        r"""The variances of the field's coefficients on a grid, in float64.

        The coefficients are :math:`\sqrt{h}` times the analysis of the values, with :math:`h` the
        cell volume. They are independent, and of variance :math:`\tau^2 m(\lambda_k)^2`, with the
        modes above the grid's folded in if the field is smooth.

        Returns:
            A tensor of the grid's shape, or ``(batch, *shape)`` if the multiplier has one scale a
            sample.

        Raises:
            ValueError: if the grid lies in another domain.

        Example:
            >>> from inftydiff import WhiteNoise
            >>> from inftydiff.operators.domain import Point
            >>> g = torch.Generator().manual_seed(0)
            >>> field = WhiteNoise(2.0).draw(Point(), batch=1, channels=3, generator=g)
            >>> field.mode_variances(Grid((), Point()))
            tensor(4., dtype=torch.float64)
        """
        a_grid(grid, "The grid")
        self._check(grid)
        variances = self._factors(self._mode_counts(grid.shape), None).square()
        return self._basis.fold_variance(variances, grid.shape) if self.smooth else variances

    def covariance(
        self, on: Discretisation, other: Discretisation | None = None
    ) -> Float[Tensor, "*batch points others"]:
        r"""The covariance matrix of one channel's values as they are read on discretisations.

        On a grid it is diagonal in the grid's eigenbasis, with the ``mode_variances``. Between
        different discretisations it is the sum over all modes of a smooth field, or over the modes
        that both grids have of a white one.

        Args:
            on: where the values of the rows are read.
            other: where those of the columns are read; by default the same.

        Returns:
            A matrix of shape ``(points, others)``, with a batch axis in front if the multiplier or
            a discretisation differ by sample; float64.

        Raises:
            ValueError: as reading does.
        """
        other = on if other is None else other
        self._check(on)
        self._check(other)
        if isinstance(on, Scattered) or isinstance(other, Scattered):
            return self._covariance_at(on.points, other.points.to(on.points))
        grid, other_grid = _lattice(on), _lattice(other)
        if grid == other_grid:
            variances, counts = self.mode_variances(grid), grid.shape
        elif self.smooth:
            return self._covariance_at(on.points, other.points.to(on.points))
        else:
            counts = tuple(map(min, grid.shape, other_grid.shape))
            variances = self._factors(counts, None).square()
        # (*batch, *modes) -> (*batch, 1, modes)
        variances = variances.reshape(*variances.shape[: variances.ndim - grid.dim], 1, -1)
        rows = _grid_modes(on, counts)  # (*batch, points, modes)
        columns = rows if other is on else _grid_modes(other, counts).to(rows)
        return (rows * variances.to(rows)) @ columns.mT

    @property
    def _basis(self) -> Eigenbasis:
        return eigenbasis(self.domain)

    def _check(self, on: Discretisation) -> None:
        a_place(on)
        if on.domain != self.domain:
            raise ValueError(
                f"The field was drawn on {self.domain}; it cannot be read on {on.domain}. Draw it "
                "on that domain."
            )
        check_dimension(self.multiplier, self.domain.dim)
        if isinstance(on, Scattered) and not self.smooth:
            raise ValueError(
                f"White noise has no values off a lattice; got Scattered({on.size} points). "
                "Draw it on a Grid and restrict, or mollify it."
            )

    def _bandwidth(self) -> float:
        """The wave number above which modes are left out; a field that is zero needs none."""
        bound = self.multiplier.bound
        return self.multiplier.bandwidth(TOLERANCE * bound) if bound > VANISHING else 0.0

    def _mode_counts(self, shape: Sequence[int]) -> tuple[int, ...]:
        if not self.smooth:
            return tuple(shape)
        counts = tuple(max(1, count) for count in self._basis.counts(self._bandwidth()))
        if math.prod(counts) > MOST_MODES:
            raise ValueError(
                f"The field has {' × '.join(map(str, counts))} modes, too many to be summed: its "
                "operator decays too slowly. Give the operator a cut-off, or compose it with a "
                "mollifier."
            )
        return counts

    def _factors(self, counts: Sequence[int], device: torch.device | str | None) -> Tensor:
        return self.intensity * self.multiplier(self._basis.eigenvalues(counts, device))

    def _coefficients(self, counts: Sequence[int], device: torch.device | str | None) -> Tensor:
        factors = self._factors(counts, device)
        if factors.ndim > len(counts):
            if factors.shape[0] != self.batch:
                raise ValueError(
                    f"The field has {self.batch} samples, its operator {factors.shape[0]} scales. "
                    "Give one scale a sample."
                )
            factors = factors.unsqueeze(1)  # (batch, 1, *modes)
        numbers = self.batch * self.channels * math.prod(counts)
        if numbers > MOST_NUMBERS:
            raise ValueError(
                f"A field of {self.batch} samples, {self.channels} channels and "
                f"{math.prod(counts)} modes has {numbers} numbers, more than {MOST_NUMBERS}. Draw "
                "fewer samples at a time."
            )
        coefficients = normals(
            self.seed,
            batch=self.batch,
            channels=self.channels,
            counts=counts,
            first=self.first,
            device=device,
        )
        return coefficients.mul_(factors)

    def _synthesise_on(self, grid: Grid, device: torch.device | str | None) -> Tensor:
        coefficients = self._coefficients(self._mode_counts(grid.shape), device)
        if self.smooth:
            # (batch, channels, *modes) -> (batch, channels, *grid.shape)
            coefficients = self._basis.fold(coefficients, grid.shape)
        values = self._basis.synthesis(coefficients) / math.sqrt(grid.cell_volume)
        return values.reshape(self.batch, self.channels, grid.size).mT  # (batch, points, channels)

    def _synthesise_at(self, points: Tensor) -> Tensor:
        counts = self._mode_counts(())
        coefficients = self._coefficients(counts, points.device)
        # (batch, channels, *modes) -> (batch, modes, channels)
        coefficients = coefficients.reshape(self.batch, self.channels, -1).mT
        size = max(1, CHUNK // math.prod(counts) // max(1, math.prod(points.shape[:-2])))
        parts = [self._basis.modes(part, counts) @ coefficients for part in points.split(size, -2)]
        return torch.cat(parts, dim=-2)

    def _covariance_at(self, points: Tensor, others: Tensor) -> Tensor:
        counts = self._mode_counts(())
        factors = self._factors(counts, points.device)
        # (*batch, *modes) -> (*batch, 1, modes)
        factors = factors.reshape(*factors.shape[: factors.ndim - len(counts)], 1, -1)
        largest = max(math.prod(at.shape[:-1]) for at in (points, others))
        covariance = points.new_zeros(())
        for part in torch.arange(math.prod(counts)).split(max(1, CHUNK // largest)):
            rows, columns = (
                self._basis.modes(at, counts, part) * factors[..., part] for at in (points, others)
            )
            covariance = covariance + rows @ columns.mT  # (*batch, points, others)
        return covariance


def _draw(field: RandomField) -> tuple[object, ...]:
    return field.seed, field.first, field.domain, field.batch, field.channels, field.intensity


def _lattice(on: Grid | Subset) -> Grid:
    return on if isinstance(on, Grid) else on.grid


def _grid_modes(on: Grid | Subset, counts: Sequence[int]) -> Tensor:
    """The L²-orthonormal basis on a grid's points, of shape ``(*batch, points, prod(counts))``."""
    grid = _lattice(on)
    identity = torch.eye(grid.size, dtype=torch.float64, device=on.points.device)
    modes = eigenbasis(grid.domain).synthesis(identity.reshape(grid.size, *grid.shape))
    # (modes, *grid.shape) -> (*counts, points)
    modes = modes.reshape(*grid.shape, grid.size)[tuple(slice(count) for count in counts)]
    values = modes.reshape(-1, grid.size).mT / math.sqrt(grid.cell_volume)
    return values[on.index] if isinstance(on, Subset) else values
