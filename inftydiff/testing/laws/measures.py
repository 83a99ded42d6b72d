r"""Laws of random functions and Gaussian measures: one law of the values on every discretisation.

The covariance on some of the points is that part of the covariance on all of them, on a finer grid
and on scattered points too, and so is the mean; draws have the covariance; one draw read on two
grids is one function. Finer grids and scattered points are asked for only of what has point values.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol, final, runtime_checkable

import torch
from torch import Tensor

from inftydiff.operators import Discretisation, Function, Grid, Scattered, Subset
from inftydiff.operators.domain import Domain
from inftydiff.processes import RandomField
from inftydiff.testing.laws._purity import random_state_untouched
from inftydiff.testing.laws._statistics import covariance_of_draws
from inftydiff.testing.laws.law import Check, Claim, at_most, equal
from inftydiff.testing.probe import Probe, refined

__all__ = [
    "FIELD_LAWS",
    "MEASURE_LAWS",
    "POINT_LAWS",
    "Draws",
    "Measure",
    "draws_of_field",
    "draws_of_measure",
]

DRAWS = 512
"""The number of draws in a round of the Monte Carlo law."""

TOLERANCE = 1e-8


@runtime_checkable
class Measure(Protocol):
    """The interface of a Gaussian measure: ``GaussianMeasure``, conditioned or not, or its like."""

    def mean_on(self, on: Discretisation) -> Function | None:
        """The mean's values, or None for zero."""

    def sample(
        self, on: Discretisation, *, batch: int, channels: int, generator: torch.Generator
    ) -> Function:
        """Draw samples."""

    def covariance(self, on: Discretisation) -> Tensor:
        """The covariance of one channel's values, ``(*batch, points, points)``."""


@final
@dataclass(frozen=True, eq=False)
class Draws:
    """The common interface of fields and measures: a mean, a covariance, and draws.

    Args:
        mean: of the values on a discretisation, ``(*batch, points, channels)``, or None for zero.
        covariance: of the values on a discretisation, ``(*batch, points, points)``.
        draw: draws of shape ``(batch, points, channels)``, from a discretisation, a batch, a number
            of channels and a generator.
        everywhere: whether they have point values, so that they can be read on any points.
    """

    mean: Callable[[Discretisation], Tensor | None]
    covariance: Callable[[Discretisation], Tensor]
    draw: Callable[[Discretisation, int, int, torch.Generator], Tensor]
    everywhere: bool


def draws_of_field(field: RandomField) -> Draws:
    """Draws with the law of a field: its multiplier, with other seeds."""

    def draw(on: Discretisation, batch: int, channels: int, generator: torch.Generator) -> Tensor:
        seed = int(torch.randint(2**63 - 1, (), generator=generator))
        other = replace(field, seed=seed, batch=batch, channels=channels)
        return other(on, dtype=torch.float64).values

    return Draws(lambda on: None, field.covariance, draw, field.smooth)


def draws_of_measure(measure: Measure, domain: Domain) -> Draws:
    """The draws of a measure."""

    def mean(on: Discretisation) -> Tensor | None:
        there = measure.mean_on(on)
        return None if there is None else there.values

    def draw(on: Discretisation, batch: int, channels: int, generator: torch.Generator) -> Tensor:
        return measure.sample(on, batch=batch, channels=channels, generator=generator).values

    return Draws(mean, measure.covariance, draw, _has_point_values(measure, domain))


def covariance_is_positive(draws: Draws, probe: Probe) -> Iterator[Claim]:
    """The covariance is symmetric and has no negative eigenvalue."""
    covariance = draws.covariance(probe.grid)
    yield equal("C = Cᵀ", covariance, covariance.mT, tolerance=TOLERANCE)
    values = torch.linalg.eigvalsh(covariance)
    slack = TOLERANCE * covariance.abs().max().item()
    yield at_most("0 ≤ the eigenvalues of C", torch.zeros_like(values), values, slack=slack)


def covariance_restricts(draws: Draws, probe: Probe) -> Iterator[Claim]:
    """The covariance on a subset is that part of the covariance on its grid."""
    subset = _half(probe)
    yield equal(
        "C on a subset = that part of C on its grid",
        draws.covariance(subset),
        _part(draws.covariance(probe.grid), subset.index),
        tolerance=TOLERANCE,
    )


def mean_is_one_function(draws: Draws, probe: Probe) -> Iterator[Claim]:
    """The mean on a subset, on a finer grid and at scattered points is that on the grid."""
    mean = draws.mean(probe.grid)
    if mean is None:
        return
    subset = _half(probe)
    there = _require(draws.mean(subset))
    part = mean[..., subset.index, :]
    yield equal("the mean on a subset = that part of the mean", there, part, tolerance=TOLERANCE)
    if draws.everywhere:
        for place, other, shared in _elsewhere(probe):
            values = _require(draws.mean(other))[..., shared, :]
            yield equal(f"the mean {place} = the mean", values, mean, tolerance=1e-6)


def draws_have_the_covariance(draws: Draws, probe: Probe) -> Iterator[Claim]:
    """The empirical covariance of draws, less their mean, is the covariance."""
    mean, covariance = draws.mean(probe.grid), draws.covariance(probe.grid)
    free = covariance.ndim == 2 and (mean is None or mean.ndim == 2)
    batch = DRAWS if free else probe.batch
    channels = mean.shape[-1] if mean is not None else 1 if free else DRAWS
    generator = probe.generator()
    rounds: list[Tensor] = []

    def samples(number: int) -> Tensor:
        """Centred draws of a round, of shape (batch, draws, points)."""
        if number == len(rounds):
            drawn: list[Tensor] = []
            while sum(d.shape[-1] for d in drawn) * (batch if free else 1) < DRAWS:
                values = draws.draw(probe.grid, batch, channels, generator).double()
                drawn.append(values if mean is None else values - mean)
            rounds.append(torch.cat(drawn, -1).mT)
        return rounds[number]

    if covariance.ndim == 2:
        yield covariance_of_draws(lambda number: samples(number).flatten(0, 1), covariance)
        return
    for sample, exact in enumerate(covariance):
        yield covariance_of_draws(lambda number, at=sample: samples(number)[at], exact)  # type: ignore[misc]


def batch_prefix(draws: Draws, probe: Probe) -> Iterator[Claim]:
    """The first samples of a large batch are the small batch."""
    if draws.covariance(probe.grid).ndim > 2 or _ndim(draws.mean(probe.grid)) > 2:
        return
    few = _draw(draws, probe, probe.grid)
    many = draws.draw(probe.grid, probe.batch + 3, probe.channels, probe.generator())
    yield equal(
        f"(batch of {probe.batch + 3})[:{probe.batch}] = batch of {probe.batch}",
        many[: probe.batch],
        few,
        tolerance=1e-12 if few.dtype == torch.float64 else 1e-5,
    )


def reproducible(draws: Draws, probe: Probe) -> Iterator[Claim]:
    """The generator's state decides the draw."""
    first, again = (_draw(draws, probe, probe.grid) for _ in range(2))
    yield equal("a draw from the same state = the draw", again, first)


def no_global_randomness(draws: Draws, probe: Probe) -> Iterator[Claim]:
    """Drawing leaves the global random state alone."""
    yield from random_state_untouched(lambda: _draw(draws, probe, probe.grid))


def covariance_refines(draws: Draws, probe: Probe) -> Iterator[Claim]:
    """The covariance of point values does not depend on the grid that they are read on."""
    coarse = draws.covariance(probe.grid)
    for place, other, shared in _elsewhere(probe):
        there = Subset(other, shared) if isinstance(other, Grid) else other
        yield equal(f"C {place} = C", draws.covariance(there), coarse, tolerance=TOLERANCE)


def one_draw_is_one_function(draws: Draws, probe: Probe) -> Iterator[Claim]:
    """Read on a grid, on one thrice as fine and on scattered points, a draw has the same values."""
    coarse = _draw(draws, probe, probe.grid)
    for place, other, shared in _elsewhere(probe):
        yield equal(
            f"a draw {place} = the draw",
            _draw(draws, probe, other)[..., shared, :],
            coarse,
            tolerance=TOLERANCE if coarse.dtype == torch.float64 else 1e-5,
        )


def _elsewhere(probe: Probe) -> Iterator[tuple[str, Grid | Scattered, Tensor]]:
    """Other discretisations with the points of the probe's grid, and their numbers there."""
    fine, shared = refined(probe.grid, 3)
    yield "at the shared points of a grid thrice as fine", fine, shared
    scattered = Scattered(probe.grid.points, domain=probe.domain)
    yield "at the same points, scattered", scattered, torch.arange(probe.grid.size)


def _half(probe: Probe) -> Subset:
    order = torch.randperm(probe.grid.size, generator=probe.generator())
    return Subset(probe.grid, order[: max(1, probe.grid.size // 2)])


def _draw(draws: Draws, probe: Probe, on: Discretisation) -> Tensor:
    return draws.draw(on, probe.batch, probe.channels, probe.generator())


def _has_point_values(measure: Measure, domain: Domain) -> bool:
    middle = torch.tensor([[0.5 * length for length in domain.lengths]], dtype=torch.float64)
    point = Scattered(middle, domain=domain)
    try:
        measure.covariance(point)
        measure.mean_on(point)
    except ValueError:
        return False
    return True


def _part(covariance: Tensor, index: Tensor) -> Tensor:
    return covariance[..., index.unsqueeze(-1), index]


def _ndim(values: Tensor | None) -> int:
    return 0 if values is None else values.ndim


def _require(mean: Tensor | None) -> Tensor:
    if mean is None:
        raise TypeError(
            "mean_on gave a Function on one discretisation and None on another. Return a Function "
            "on both, or None."
        )
    return mean


FIELD_LAWS: tuple[Check, ...] = (
    covariance_is_positive,
    covariance_restricts,
    draws_have_the_covariance,
    batch_prefix,
    reproducible,
    no_global_randomness,
)
MEASURE_LAWS: tuple[Check, ...] = (*FIELD_LAWS, mean_is_one_function)
POINT_LAWS: tuple[Check, ...] = (covariance_refines, one_draw_is_one_function)
