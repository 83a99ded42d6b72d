"""A factor that was normalised for one dimension is refused where its fields are read in another.

The variance of a Matérn field of ``dim=1`` would be 5.4 in the plane, and not one.
"""

import pytest
import torch

from inftydiff import (
    Box,
    CosineSchedule,
    DiffusionProcess,
    GaussianMeasure,
    Grid,
    Identity,
    Scattered,
    WhiteNoise,
    gaussian_mollifier,
    random_subset,
    wiener_inverse,
)
from inftydiff.operators.covariance import bessel, matern, squared_exponential
from inftydiff.operators.domain import Point
from inftydiff.operators.mollifier import truncated_gaussian_mollifier
from inftydiff.processes.budget import error_budget

FACTORS = {
    "matern": lambda dim: matern(1.5, 0.2, dim=dim),
    "matern with all modes": lambda dim: matern(1.5, 0.2, dim=dim, cutoff=torch.inf),
    "squared exponential": lambda dim: squared_exponential(0.2, dim=dim),
    "truncated": lambda dim: truncated_gaussian_mollifier(0.1, dim=dim),
    "multiple": lambda dim: -2.0 * matern(1.5, 0.2, dim=dim),
    "composition": lambda dim: gaussian_mollifier(0.1) @ matern(1.5, 0.2, dim=dim),
    "sum": lambda dim: Identity() + matern(1.5, 0.2, dim=dim),
    "filter": lambda dim: wiener_inverse(squared_exponential(0.2, dim=dim)),
}


def readings(factor, domain):
    measure = GaussianMeasure(None, factor, WhiteNoise())
    g = torch.Generator().manual_seed(0)
    grid = Grid((4,) * domain.dim, domain)
    subset = random_subset(grid, 3, generator=g) if domain.dim else grid
    yield lambda: measure.sample(grid, batch=1, channels=1, generator=g)
    yield lambda: measure.sample(subset, batch=1, channels=1, generator=g)
    yield lambda: measure.covariance(grid)
    yield lambda: measure.mode_variances(grid)
    process = DiffusionProcess.mollified(CosineSchedule(), factor)
    yield lambda: process.draw_noise(grid, batch=1, channels=1, generator=g)
    if measure.draw(domain, batch=1, channels=1, generator=g).smooth:
        points = Scattered(grid.points, domain=domain)
        yield lambda: measure.covariance(points)
        yield lambda: measure.sample(points, batch=1, channels=1, generator=g)


@pytest.mark.parametrize("name", sorted(FACTORS))
@pytest.mark.parametrize(("dim", "of"), [(2, 1), (1, 2), (3, 2)])
def test_in_another(name: str, dim: int, of: int):
    for read in readings(FACTORS[name](of), Box((1.0,) * dim)):
        with pytest.raises(
            ValueError, match=rf"normalised for dim={of}; got a domain of dim.* {dim}"
        ):
            read()


@pytest.mark.parametrize("name", sorted(FACTORS))
def test_in_its_own_and_on_a_point(name: str):
    for domain in (Box((1.0, 1.0)), Point()):
        for read in readings(FACTORS[name](2), domain):
            read()


def test_in_a_budget():
    T, data = gaussian_mollifier(0.1), GaussianMeasure(None, gaussian_mollifier(0.2), WhiteNoise())
    error = GaussianMeasure(None, matern(1.5, 0.2, dim=1), WhiteNoise())
    with pytest.raises(ValueError, match="normalised for dim=1"):
        error_budget(T, wiener_inverse(T), data=data, error=error, on=Grid((4, 4)))


def test_what_has_no_normalisation_is_read_anywhere():
    for factor in (bessel(2.0, dim=1), gaussian_mollifier(0.1), Identity()):
        for read in readings(factor, Box((1.0, 1.0))):
            read()
