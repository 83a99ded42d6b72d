r"""White noise and its linear images: random functions drawn once and read anywhere.

White noise of intensity :math:`\tau` on a domain is :math:`\xi = \tau\sum_k \xi_k\varphi_k` with
independent standard normals :math:`\xi_k` and the domain's orthonormal eigenbasis
:math:`\varphi_k`. It has no point values, only projections; over a cell of volume :math:`h` its
average has the variance :math:`\tau^2/h`. A decaying multiplier makes it a function:
:math:`T\xi = \tau\sum_k m(\lambda_k)\xi_k\varphi_k` has point values, which a grid reads with all
their modes, those above the grid's folded in.

For the heat multiplier of width :math:`s` in :math:`d` dimensions, far from the sides,
:math:`\mathrm{Var}(T\xi)(x) = \tau^2/(4\pi s^2)^{d/2}`; at distance :math:`r` from a reflecting
side it is :math:`1 + e^{-(r/s)^2}` times as much.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._typing import Real, Scalar, positive, whole
from inftydiff.operators.basis import (
    cosine_modes,
    cosine_synthesis,
    eigenvalues,
    fold,
    fold_variance,
)
from inftydiff.operators.discretisation import Discretisation, Grid, Scattered, Subset
from inftydiff.operators.domain import Box
from inftydiff.operators.function import Function
from inftydiff.operators.linear import Field
from inftydiff.operators.multiplier import (
    Multiplier,
    ProductMultiplier,
    ScaledMultiplier,
    SumMultiplier,
    UnitMultiplier,
)
from inftydiff.processes.normals import normals

__all__ = ["RandomField", "WhiteNoise"]

WHITE = UnitMultiplier()

TOLERANCE = 1e-10
"""Modes whose factor is below this, relative to the multiplier's bound, are left out of a field."""

CHUNK = 1 << 24
"""How many numbers the synthesis at scattered points holds at a time."""


@final
@dataclass(frozen=True)
class WhiteNoise:
    r"""Gaussian white noise of a given intensity.

    Args:
        intensity: the amplitude :math:`\tau`, in units of value × volume^½: a cell average has the
            variance :math:`\tau^2` / cell volume. ``intensity = √(cell volume)`` of a reference
            grid makes unit noise in each of its cells.

    Raises:
        ValueError: if the intensity is not a finite number above zero.

    Example:
        >>> g = torch.Generator().manual_seed(0)
        >>> xi = WhiteNoise(intensity=1 / 8).draw(Box((1.0, 1.0)), batch=2, channels=3, generator=g)
        >>> tuple(xi(Grid((8, 8))).values.shape)
        (2, 64, 3)
    """

    intensity: Real = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "intensity", positive(self.intensity, "A noise's intensity"))

    def draw(
        self, domain: Box, *, batch: int, channels: int, generator: torch.Generator
    ) -> "RandomField":
        """Draw a batch of white noises, to be filtered and read later.

        Takes one 63-bit seed from the generator, whatever the batch: a batch of four is the first
        half of a batch of eight.

        Args:
            domain: where the noise lives.
            batch: the number of independent samples.
            channels: the number of independent channels.
            generator: the source of the seed.
        """
        seed = torch.randint(0, 2**63 - 1, (), generator=generator, device=generator.device)
        return RandomField(
            seed=int(seed),
            domain=domain,
            batch=whole(batch, "A noise's batch"),
            channels=whole(channels, "A noise's number of channels"),
            intensity=self.intensity,
        )


@final
@dataclass(frozen=True, eq=False)
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
    """

    seed: int
    domain: Box
    batch: int
    channels: int
    intensity: Real
    multiplier: Multiplier = WHITE

    def filtered(self, multiplier: Multiplier) -> "RandomField":
        """The image of the field under the spectral operator with this multiplier."""
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
        return replace(self, multiplier=ScaledMultiplier(scalar, self.multiplier))

    @property
    def smooth(self) -> bool:
        """Whether the field has point values: its multiplier decays."""
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

        A grid costs O(modes + points · log points); scattered points cost O(modes · points),
        exactly and in chunks.

        Args:
            on: where to read.
            dtype: of the values; by default torch's default dtype. Coefficients are float64.
            device: of the values; by default the CPU, or where a subset or the points are.

        Returns:
            A function with values of shape ``(batch, points, channels)``.

        Raises:
            ValueError: if the points lie in another domain, or the field is white and they are
                scattered.
        """
        if on.domain != self.domain:
            raise ValueError(
                f"The field was drawn on {self.domain}; it cannot be read on {on.domain}."
            )
        if isinstance(on, Subset):
            device = on.index.device if device is None else device
            return self(on.grid, dtype=dtype, device=device).restrict(on)
        if isinstance(on, Scattered):
            self._require_smooth(on)
            device = on.points.device if device is None else device
            values = self._synthesise_at(on.points.to(device))
        else:
            values = self._synthesise_on(on, device).flatten(2).mT
        return Function(on, values.to(torch.get_default_dtype() if dtype is None else dtype))

    def covariance(self, on: Discretisation) -> Float[Tensor, "*batch points points"]:
        r"""The covariance matrix of one channel's values as they are read on a discretisation.

        On a grid it is diagonal in the grid's cosine basis, with the variances of the modes above
        the grid's folded in.

        Returns:
            A matrix of shape ``(points, points)``, with a batch axis in front if the multiplier or
            the discretisation differ a sample; float64.

        Raises:
            ValueError: as reading does.
        """
        if isinstance(on, Scattered):
            self._require_smooth(on)
            counts = self._mode_counts(())
            modes = self._modes_at(on.points, counts)
            variances = self._factors(counts, on.points.device).square().flatten(-len(counts))
            return (modes * variances.unsqueeze(-2)) @ modes.mT
        grid = on.grid if isinstance(on, Subset) else on
        counts = self._mode_counts(grid.shape)
        variances = self._factors(counts, None).square()
        for axis, count in enumerate(grid.shape):
            variances = fold_variance(variances, axis - grid.dim, count)
        basis = cosine_synthesis(
            torch.eye(grid.size, dtype=torch.float64).reshape(grid.size, *grid.shape),
            range(-grid.dim, 0),
        ).flatten(1)
        if isinstance(on, Subset):
            basis = basis.T[on.index.cpu()].mT
        weighted = basis.mT * variances.flatten(-grid.dim).unsqueeze(-2)
        return weighted @ basis / grid.cell_volume

    def _require_smooth(self, on: Scattered) -> None:
        if not self.smooth:
            raise ValueError(
                f"White noise has no values off a lattice; got Scattered({on.size} points). "
                "Draw it on a Grid and restrict, or mollify it."
            )

    def _bandwidth(self) -> float:
        """The wave number above which modes are left out; a field that is zero needs none."""
        bound = self.multiplier.bound
        return self.multiplier.bandwidth(TOLERANCE * bound) if bound > 0.0 else 0.0

    def _mode_counts(self, shape: Sequence[int]) -> tuple[int, ...]:
        if not self.smooth:
            return tuple(shape)
        wave = self._bandwidth()
        return tuple(math.ceil(wave * length / math.pi) + 1 for length in self.domain.lengths)

    def _factors(self, counts: Sequence[int], device: torch.device | str | None) -> Tensor:
        return self.intensity * self.multiplier(eigenvalues(counts, self.domain.lengths, device))

    def _coefficients(self, counts: Sequence[int], device: torch.device | str | None) -> Tensor:
        factors = self._factors(counts, device)
        if factors.ndim > len(counts):
            if factors.shape[0] != self.batch:
                raise ValueError(
                    f"The field has {self.batch} samples, its operator {factors.shape[0]} scales."
                )
            factors = factors.unsqueeze(1)
        coefficients = normals(
            self.seed, batch=self.batch, channels=self.channels, counts=counts, device=device
        )
        return coefficients.mul_(factors)

    def _synthesise_on(self, grid: Grid, device: torch.device | str | None) -> Tensor:
        coefficients = self._coefficients(self._mode_counts(grid.shape), device)
        for axis, count in enumerate(grid.shape):
            coefficients = fold(coefficients, axis - grid.dim, count)
        values = cosine_synthesis(coefficients, range(-grid.dim, 0))
        return values / math.sqrt(grid.cell_volume)

    def _modes_at(self, points: Tensor, counts: Sequence[int]) -> Tensor:
        modes = points.new_ones(*points.shape[:-1], 1)
        for axis, (count, length) in enumerate(zip(counts, self.domain.lengths, strict=True)):
            along = cosine_modes(points[..., axis], count, length)
            modes = (modes.unsqueeze(-1) * along.unsqueeze(-2)).flatten(-2)
        return modes

    def _synthesise_at(self, points: Tensor) -> Tensor:
        counts = self._mode_counts(())
        coefficients = self._coefficients(counts, points.device).flatten(2).mT
        size = max(1, CHUNK // math.prod(counts) // max(1, math.prod(points.shape[:-2])))
        parts = [self._modes_at(part, counts) @ coefficients for part in points.split(size, dim=-2)]
        return torch.cat(parts, dim=-2)


def _draw(field: RandomField) -> tuple[object, ...]:
    return field.seed, field.domain, field.batch, field.channels, field.intensity
