"""Each law of noises and Gaussian measures catches an object that breaks it."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
import torch
from mutants import assert_caught, assert_every_law_has_one, cases

from inftydiff import (
    Function,
    GaussianMeasure,
    Grid,
    RandomField,
    Scattered,
    Subset,
    WhiteNoise,
    gaussian_mollifier,
)

T = gaussian_mollifier(0.15)
NOISE = WhiteNoise(0.3)


@dataclass(frozen=True)
class Field:
    """What a wrong noise draws: a right field, changed as it is read."""

    field: RandomField
    change: Callable[[RandomField, Grid], torch.Tensor]
    stated: float = 1.0

    def __call__(self, on, *, dtype=None, device=None):
        return Function(on, self.change(self.field, on).to(dtype))

    def covariance(self, on):
        return self.field.covariance(on) * self.stated


@dataclass(frozen=True)
class Noise:
    """A noise whose draws are given by a function of draw's arguments."""

    make: Callable
    intensity: float = 0.3

    def draw(self, domain, *, batch, channels, generator):
        return self.make(domain, batch, channels, generator)


def read(field: RandomField, on) -> torch.Tensor:
    return field(on, dtype=torch.float64).values


def right(domain, batch, channels, generator) -> RandomField:
    return NOISE.draw(domain, batch=batch, channels=channels, generator=generator)


def changed(change, stated: float = 1.0) -> Noise:
    return Noise(lambda *arguments: Field(right(*arguments), change, stated))


def seed_a_sample(domain, batch, channels, generator) -> RandomField:
    torch.rand(batch, generator=generator)
    return right(domain, batch, channels, generator)


def seed_from_sizes(domain, batch, channels, generator) -> RandomField:
    field = right(domain, batch, channels, generator)
    return replace(field, seed=field.seed // 2 + batch + 100 * channels)


def unit_cells(field: RandomField, on: Grid) -> torch.Tensor:
    return read(field, on) * on.cell_volume**0.5


def cells_of_their_own(field: RandomField, on: Grid) -> torch.Tensor:
    return read(replace(field, seed=field.seed // 2 + on.size), on)


NOISES = {
    "one_seed_a_draw": [Noise(seed_a_sample)],
    "batch_prefix": [Noise(seed_from_sizes), Noise(seed_a_sample)],
    "channel_prefix": [Noise(seed_from_sizes)],
    "cell_variance": [changed(read, stated=1 / 12), Noise(right, intensity=1.0)],
    "draws_have_the_covariance": [changed(unit_cells)],
    "low_modes_agree": [changed(cells_of_their_own), changed(unit_cells)],
    "reproducible": [
        changed(lambda field, on: read(field, on) + torch.rand(())),
        Noise(lambda *arguments: right(*arguments[:3], torch.Generator().manual_seed(0))),
    ],
    "no_global_randomness": [changed(lambda field, on: read(field, on) + 0.0 * torch.rand(()))],
}


@dataclass(frozen=True)
class Measure:
    """A centred measure, with draws, a mean and a covariance that may be changed."""

    draws: Callable = lambda measure, on, **sizes: measure.sample(on, **sizes)
    matrix: Callable = lambda measure, on: measure.covariance(on)
    mean: Callable = lambda on: None

    def mean_on(self, on):
        return self.mean(on)

    def sample(self, on, *, batch, channels, generator):
        exact = GaussianMeasure(None, T, NOISE)
        return self.draws(exact, on, batch=batch, channels=channels, generator=generator)

    def covariance(self, on):
        return self.matrix(GaussianMeasure(None, T, NOISE), on)


def parts_of_a_sum(measure, on, **sizes) -> Function:
    """Draws that are normalised over the batch."""
    drawn = measure.sample(on, **sizes)
    return Function(on, drawn.values - drawn.values.mean(0))


def of_another_state(measure, on, **sizes) -> Function:
    """Draws that take their seed from somewhere else."""
    sizes["generator"] = torch.Generator()
    sizes["generator"].seed()
    return measure.sample(on, **sizes)


def with_a_look_at_the_clock(measure, on, **sizes) -> Function:
    return measure.sample(on, **sizes) * (1.0 + 0.0 * torch.rand(()).item())


def at_the_nodes(measure, on, **sizes) -> Function:
    """Read at nodes from 0 to 1 where the cell centres of a grid are meant."""
    if not isinstance(on, Grid):
        return measure.sample(on, **sizes)
    axes = [
        torch.linspace(0, side, n, dtype=torch.float64)
        for side, n in zip(on.domain.lengths, on.shape, strict=True)
    ]
    nodes = Scattered(torch.cartesian_prod(*axes), domain=on.domain)
    return Function(on, measure.sample(nodes, **sizes).values)


def in_pixels(measure, on) -> torch.Tensor:
    """The covariance of noise blurred by two cells of the grid, whatever their size."""
    grid = on.grid if isinstance(on, Subset) else on
    if isinstance(grid, Scattered):
        return measure.covariance(on)
    blur = gaussian_mollifier(2.0 * min(grid.spacing))
    return GaussianMeasure(None, blur, NOISE).covariance(on)


def number_of_the_point(on) -> Function:
    return Function(on, torch.arange(on.size, dtype=torch.float64).unsqueeze(-1))


def mean_over_the_points(on) -> Function:
    """A mean function less its average over the points at hand."""
    values = on.points[..., :1].square()
    return Function(on, values - values.mean(-2, keepdim=True))


def blurred_cells(measure, on, **sizes) -> Function:
    """The wrong way to mollify: noise of the grid's cells, blurred on the grid."""
    if isinstance(on, Scattered):
        return measure.sample(on, **sizes)
    return T(NOISE.draw(on.domain, **sizes)(on))


def weighted(measure, on) -> torch.Tensor:
    """A covariance that mistakes quadrature weights for cell volumes."""
    weight = on.grid.size / on.size if isinstance(on, Subset) else 1.0
    return measure.covariance(on) / weight


def of_the_cells(measure, on) -> torch.Tensor:
    """A covariance per cell of the grid, not per volume."""
    grid = on.grid if isinstance(on, Subset) else on
    return measure.covariance(on) / grid.size


MEASURES = {
    "covariance_is_positive": [
        Measure(matrix=lambda measure, on: -measure.covariance(on)),
        Measure(matrix=lambda measure, on: measure.covariance(on).triu()),
    ],
    "covariance_restricts": [Measure(matrix=weighted)],
    "draws_have_the_covariance": [
        Measure(matrix=lambda measure, on: 2.0 * measure.covariance(on)),
        Measure(draws=lambda measure, on, **sizes: measure.sample(on, **sizes) * 1.5),
    ],
    "batch_prefix": [Measure(draws=parts_of_a_sum)],
    "reproducible": [Measure(draws=of_another_state)],
    "no_global_randomness": [Measure(draws=with_a_look_at_the_clock)],
    "mean_is_one_function": [
        Measure(mean=number_of_the_point),
        Measure(mean=mean_over_the_points),
    ],
    "covariance_refines": [Measure(matrix=of_the_cells), Measure(matrix=in_pixels)],
    "one_draw_is_one_function": [Measure(draws=blurred_cells), Measure(draws=at_the_nodes)],
}


MUTANTS = {"noise": NOISES, "measure": MEASURES}


@pytest.mark.parametrize(("name", "mutant"), cases(MUTANTS))
def test_the_law_catches_the_mutant(name: str, mutant):
    assert_caught(name, mutant)


@pytest.mark.parametrize("kind", MUTANTS)
def test_there_is_a_mutant_for_every_law(kind: str):
    assert_every_law_has_one(MUTANTS[kind])
