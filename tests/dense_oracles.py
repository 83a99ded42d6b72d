"""Joint laws of signal, noise and data written out as matrices, for the tests of the oracles.

Covariances of smooth fields are sums over all their modes at the points; those of white noise are
made of the matrices of operators on the grid.
"""

from typing import NamedTuple

import torch
from hypothesis import strategies as st
from torch import Tensor

from inftydiff import (
    DiffusionProcess,
    Function,
    GaussianMeasure,
    Grid,
    Identity,
    Scattered,
    Subset,
    WhiteNoise,
    gaussian_mollifier,
)
from inftydiff.operators import Discretisation, LinearOperator
from inftydiff.operators.basis import eigenbasis
from inftydiff.processes import RandomField
from inftydiff.testing import matrix_of
from inftydiff.testing.strategies import processes

__all__ = ["Joint", "conditional", "joint", "points_of", "process_and_data", "state"]


class Joint(NamedTuple):
    """The covariances of one channel's values: of S x0, of Nξ, and between x0 and S x0."""

    signal: Tensor
    noise: Tensor
    cross: Tensor


def points_of(on: Discretisation) -> Scattered:
    """The same points, off the lattice."""
    return Scattered(on.points, domain=on.domain)


def field(operator: LinearOperator, noise: WhiteNoise, on: Discretisation) -> RandomField:
    generator = torch.Generator().manual_seed(0)
    return operator(noise.draw(on.domain, batch=1, channels=1, generator=generator))


def reader(on: Grid | Subset) -> Tensor:
    """The matrix that takes values on the grid to those on a subset of it."""
    if isinstance(on, Grid):
        return torch.eye(on.size, dtype=torch.float64)
    return torch.eye(on.grid.size, dtype=torch.float64)[on.index]


def covariance(operator: LinearOperator, noise: WhiteNoise, on: Discretisation) -> Tensor:
    """The covariance of the values of the operator's image of white noise."""
    image = field(operator, noise, on)
    if image.smooth:
        return image.covariance(points_of(on))
    grid = on.grid if isinstance(on, Subset) else on
    rows = reader(on) @ matrix_of(operator, grid)[0]
    return noise.intensity**2 / grid.cell_volume * rows @ rows.mT


def joint(
    process: DiffusionProcess, data: GaussianMeasure, signal: LinearOperator, on: Discretisation
) -> Joint:
    """The joint law on any points, of a process whose signal operator is the one given."""
    P = covariance(signal @ data.factor, data.noise, on)
    V = covariance(process.noise_factor, process.noise, on)
    clean, image = field(data.factor, data.noise, on), field(signal @ data.factor, data.noise, on)
    if clean.smooth:
        up, down = (clean + image), (clean + image * -1.0)
        K = 0.25 * (up.covariance(points_of(on)) - down.covariance(points_of(on)))
    elif image.smooth:
        K = projected(on, image)
    else:
        grid = on.grid if isinstance(on, Subset) else on
        rows = reader(on)
        F, S = matrix_of(data.factor, grid)[0], matrix_of(signal, grid)[0]
        K = data.noise.intensity**2 / grid.cell_volume * rows @ F @ F.mT @ S.mT @ rows.mT
    return Joint(P, V, K)


def projected(on: Grid | Subset, image: RandomField) -> Tensor:
    """The covariance of white noise, as a grid reads it, with the point values of its image."""
    grid = on.grid if isinstance(on, Subset) else on
    basis = eigenbasis(grid.domain)
    modes = basis.modes(grid.points, grid.shape)
    orthonormal = modes / modes.norm(dim=0) / grid.cell_volume**0.5
    factors = image.multiplier(basis.eigenvalues(grid.shape)).flatten()
    rows = reader(on)
    return image.intensity**2 * rows @ (orthonormal * factors) @ modes.mT @ rows.mT


def conditional(law: Joint, x: Tensor, alpha: Tensor, sigma: Tensor) -> tuple[Tensor, ...]:
    """The conditional means of signal, noise and data given a centred state at one time."""
    weights = torch.linalg.solve(alpha**2 * law.signal + sigma**2 * law.noise, x)
    return alpha * law.signal @ weights, sigma * law.noise @ weights, alpha * law.cross @ weights


def process_and_data(data: st.DataObject, grid: Grid) -> tuple[DiffusionProcess, GaussianMeasure]:
    """A process and data whose fields have modes above the grid's, and covariances that invert."""
    process = data.draw(processes(grid, cells=(0.2, 0.6)))
    cells = data.draw(st.one_of(st.none(), st.floats(0.2, 0.6)))
    factor = Identity() if cells is None else gaussian_mollifier(cells * min(grid.spacing))
    return process, GaussianMeasure(None, factor, WhiteNoise(data.draw(st.floats(0.3, 2.0))))


def state(on: Discretisation, batch: int, channels: int, seed: int) -> Function:
    """A state of independent values."""
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(batch, on.size, channels, generator=generator, dtype=torch.float64)
    return Function(on, values)
