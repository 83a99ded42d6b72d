r"""Laws of random functions and Gaussian measures: one law of the values on every discretisation.

The covariance on some of the points is that part of the covariance on all of them, on a finer grid
and on scattered points too; draws have the covariance; one draw read on two grids is one function.
The last and the finer grid are asked for only of what has point values.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol, final, runtime_checkable

import torch
from torch import Tensor

from inftydiff.operators import Box, Discretisation, Function, Scattered, Subset
from inftydiff.processes import RandomField
from inftydiff.testing.laws.law import Check, Claim, at_most, equal
from inftydiff.testing.laws.statistics import covariance_of_draws
from inftydiff.testing.probe import Probe, refined

__all__ = ["POINT_LAWS", "RANDOM_LAWS", "Draws", "Measure", "draws_of_field", "draws_of_measure"]

DRAWS = 512
"""How many draws the Monte Carlo law looks at."""

BATCH = 32
"""How many of them are made at once, where the batch is free."""


@runtime_checkable
class Measure(Protocol):
    """What makes a Gaussian measure: ``GaussianMeasure``, or a class of one's own."""

    @property
    def mean(self) -> Function | None:
        """The mean, or None for zero."""

    def sample(
        self, on: Discretisation, *, batch: int, channels: int, generator: torch.Generator
    ) -> Function:
        """Draw samples."""

    def covariance(self, on: Discretisation) -> Tensor:
        """The covariance of point values, ``(*batch, points, points)``."""


@final
@dataclass(frozen=True, eq=False)
class Draws:
    """What fields and measures have in common: a covariance, and draws of mean zero.

    Args:
        covariance: of the values on a discretisation, ``(*batch, points, points)``.
        draw: gives centred draws of shape ``(batch, points, channels)``, with a batch axis as the
            covariance's, from a generator.
        everywhere: whether they have point values, so that they can be read on any points.
    """

    covariance: Callable[[Discretisation], Tensor]
    draw: Callable[[Discretisation, torch.Generator], Tensor]
    everywhere: bool


def draws_of_field(field: RandomField) -> Draws:
    """Draws with the law of a field: its multiplier, with other seeds."""

    def draw(on: Discretisation, generator: torch.Generator) -> Tensor:
        seed = int(torch.randint(2**63 - 1, (), generator=generator))
        return replace(field, seed=seed)(on, dtype=torch.float64).values

    return Draws(field.covariance, draw, field.smooth)


def draws_of_measure(measure: Measure, domain: Box, channels: int) -> Draws:
    """Draws of a measure less its mean; what has a mean is known where the mean is alone."""
    mean = measure.mean

    def draw(on: Discretisation, generator: torch.Generator) -> Tensor:
        batch, width = (BATCH, channels) if mean is None else ((*mean.batch, 1)[0], mean.channels)
        drawn = measure.sample(on, batch=batch, channels=width, generator=generator)
        return drawn.values if mean is None else drawn.values - mean.values

    everywhere = mean is None and _has_point_values(measure, domain)
    return Draws(measure.covariance, draw, everywhere)


def covariance_is_positive(draws: Draws, probe: Probe) -> Iterator[Claim]:
    """The covariance is symmetric and has no negative eigenvalue."""
    covariance = draws.covariance(probe.grid)
    yield equal("C = Cᵀ", covariance, covariance.mT, tolerance=1e-12)
    values = torch.linalg.eigvalsh(covariance)
    slack = 1e-12 * covariance.abs().max().item() * covariance.shape[-1]
    yield at_most("0 ≤ the eigenvalues of C", torch.zeros_like(values), values, slack=slack)


def covariance_restricts(draws: Draws, probe: Probe) -> Iterator[Claim]:
    """The covariance on a subset is that part of the covariance on its grid."""
    grid = probe.grid
    order = torch.randperm(grid.size, generator=probe.generator())
    index = order[: max(1, grid.size // 2)]
    yield equal(
        "C on a subset = that part of C on its grid",
        draws.covariance(Subset(grid, index)),
        _part(draws.covariance(grid), index),
        tolerance=1e-10,
    )


def draws_have_the_covariance(draws: Draws, probe: Probe) -> Iterator[Claim]:
    """The empirical covariance of draws is the covariance."""
    covariance = draws.covariance(probe.grid)
    generator = probe.generator()
    drawn: list[Tensor] = []
    while sum(d.shape[-1] * (1 if covariance.ndim > 2 else len(d)) for d in drawn) < DRAWS:
        drawn.append(draws.draw(probe.grid, generator))
    values = torch.cat(drawn, -1)
    if covariance.ndim == 2:
        yield covariance_of_draws(values.movedim(-1, 0).flatten(0, 1), covariance)
        return
    for sample, exact in zip(values, covariance, strict=True):
        yield covariance_of_draws(sample.mT, exact)


def covariance_refines(draws: Draws, probe: Probe) -> Iterator[Claim]:
    """The covariance of point values does not depend on the grid that they are read on."""
    coarse = draws.covariance(probe.grid)
    fine, shared = refined(probe.grid, 3)
    yield equal(
        "C at the shared points of a grid thrice as fine = C",
        draws.covariance(Subset(fine, shared)),
        coarse,
        tolerance=1e-8,
    )
    scattered = Scattered(probe.grid.points, domain=probe.domain)
    yield equal(
        "C at the same points, scattered = C", draws.covariance(scattered), coarse, tolerance=1e-8
    )


def one_draw_is_one_function(draws: Draws, probe: Probe) -> Iterator[Claim]:
    """Read on a grid, on one thrice as fine and on scattered points, a draw has the same values."""
    coarse = draws.draw(probe.grid, probe.generator())
    tolerance = 1e-8 if coarse.dtype == torch.float64 else 1e-5
    fine, shared = refined(probe.grid, 3)
    yield equal(
        "a draw at the shared points of a grid thrice as fine = the draw",
        draws.draw(fine, probe.generator())[..., shared, :],
        coarse,
        tolerance=tolerance,
    )
    scattered = Scattered(probe.grid.points, domain=probe.domain)
    yield equal(
        "a draw at the same points, scattered = the draw",
        draws.draw(scattered, probe.generator()),
        coarse,
        tolerance=tolerance,
    )


def _has_point_values(measure: Measure, domain: Box) -> bool:
    middle = torch.tensor([[0.5 * length for length in domain.lengths]], dtype=torch.float64)
    try:
        measure.covariance(Scattered(middle, domain=domain))
    except ValueError:
        return False
    return True


def _part(covariance: Tensor, index: Tensor) -> Tensor:
    return covariance[..., index.unsqueeze(-1), index]


RANDOM_LAWS: tuple[Check, ...] = (
    covariance_is_positive,
    covariance_restricts,
    draws_have_the_covariance,
)
POINT_LAWS: tuple[Check, ...] = (covariance_refines, one_draw_is_one_function)
