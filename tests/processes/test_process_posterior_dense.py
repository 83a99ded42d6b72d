"""The posterior is the conditional that dense linear algebra gives, on every domain: to 1e-9.

The dense computation is carried out with a hundred digits and from nothing but the definition: the
joint law of x_s and x_t given x_0 is Gaussian, with the covariances σ_s² C, σ_s² C Aᵀ and σ_t² C,
where A = α_t S_t (α_s S_s)⁻¹, and x_s given x_t is its Schur complement. Eigenvectors and
multipliers are written out here; of the library it takes the amplitudes of the schedule and the
variances of the noise's modes, folded, which have a test of their own. For mollifiers no wider than
a cell the two agree to 1e-10.
"""

import itertools
import math

import mpmath as mp
import pytest
import torch

from inftydiff import (
    Box,
    CosineSchedule,
    DiffusionProcess,
    Function,
    GaussianMeasure,
    Grid,
    Identity,
    WhiteNoise,
    gaussian_mollifier,
)
from inftydiff.operators.covariance import matern
from inftydiff.processes import Blurring

DIGITS = 100
SHAPES = {1: (7,), 2: (3, 4), 3: (3, 2, 2)}
LENGTHS = (1.0, 1.5, 0.7)
BOUNDARIES = {
    "reflecting": ("reflecting",) * 3,
    "periodic": ("periodic",) * 3,
    "absorbing": ("absorbing",) * 3,
    "mixed": ("absorbing", "periodic", "reflecting"),
}
CASES = [
    pytest.param(dim, BOUNDARIES[name][:dim], id=f"{name}-{dim}D")
    for dim in SHAPES
    for name in BOUNDARIES
    if (dim, name) != (1, "mixed")
]
NOISE = WhiteNoise(0.3)
SCHEDULE = CosineSchedule()
FLOOR = 0.01


def grid_of(dim: int, boundaries: tuple[str, ...]) -> Grid:
    return Grid(SHAPES[dim], Box(LENGTHS[:dim], boundaries))


def cell(grid: Grid) -> float:
    return min(grid.spacing)


NARROW, WIDE = 1e-10, 1e-9
PROCESSES = {
    "white": (lambda grid: DiffusionProcess.white(SCHEDULE, noise=NOISE), NARROW),
    "mollified by a cell": (lambda grid: mollified(cell(grid)), NARROW),
    "mollified by two cells": (lambda grid: mollified(2.0 * cell(grid)), WIDE),
    "mollified by the domain": (lambda grid: mollified(1.0), WIDE),
    "noise only, by half a cell": (lambda grid: noise_only(0.5 * cell(grid)), NARROW),
    "noise only, by three cells": (lambda grid: noise_only(3.0 * cell(grid)), WIDE),
    "Matérn": (
        lambda grid: DiffusionProcess(
            SCHEDULE,
            signal=Identity(),
            noise_factor=matern(1.5, 0.4, dim=grid.dim, cutoff=30.0),
            noise=NOISE,
        ),
        NARROW,
    ),
    "blurring": (
        lambda grid: DiffusionProcess.blurring(
            SCHEDULE, Blurring(cell(grid), floor=FLOOR), noise=NOISE
        ),
        NARROW,
    ),
    "blurring much": (
        lambda grid: DiffusionProcess.blurring(SCHEDULE, Blurring(2.0, floor=FLOOR), noise=NOISE),
        WIDE,
    ),
}


def mollified(width: float) -> DiffusionProcess:
    return DiffusionProcess.mollified(SCHEDULE, gaussian_mollifier(width), noise=NOISE)


def noise_only(width: float) -> DiffusionProcess:
    return DiffusionProcess.noise_only(SCHEDULE, gaussian_mollifier(width), noise=NOISE)


def axis_modes(boundary: str, cells: int, length: float) -> list[tuple[mp.mpf, list[mp.mpf]]]:
    """The eigenvalues of an axis, and their eigenvectors of length one at the cell centres."""
    places = [(mp.mpf(i) + mp.mpf("0.5")) / cells for i in range(cells)]
    if boundary == "reflecting":
        waves = [(k, mp.cos) for k in range(cells)]
    elif boundary == "absorbing":
        waves = [(k, mp.sin) for k in range(1, cells + 1)]
    else:
        ordered = [(0, mp.cos), *((2 * k, f) for k in range(1, cells) for f in (mp.sin, mp.cos))]
        waves = ordered[:cells]
    found = []
    for k, f in waves:
        values = [f(mp.pi * k * x) for x in places]
        size = mp.sqrt(mp.fsum(v * v for v in values))
        found.append(((mp.pi * k / mp.mpf(length)) ** 2, [v / size for v in values]))
    return found


def eigenbasis(grid: Grid) -> tuple[list[mp.mpf], mp.matrix]:
    """All eigenvalues, and the orthogonal matrix of eigenvectors, in row-major order."""
    axes = [
        axis_modes(*axis)
        for axis in zip(grid.domain.boundaries, grid.shape, grid.domain.lengths, strict=True)
    ]
    eigenvalues, columns = [], []
    for modes in itertools.product(*axes):
        eigenvalues.append(mp.fsum(value for value, _ in modes))
        columns.append(
            [math.prod(p, start=mp.mpf(1)) for p in itertools.product(*(v for _, v in modes))]
        )
    return eigenvalues, mp.matrix(columns).T


def signal_factor(process: DiffusionProcess, t: float, eigenvalue: mp.mpf) -> mp.mpf:
    """The factor of an eigenfunction under the signal operator at a time."""
    if isinstance(process.signal, Blurring):
        width = mp.mpf(process.signal.width) * mp.sin(mp.pi * mp.mpf(t) / 2) ** 2
        return FLOOR + (1 - mp.mpf(FLOOR)) * mp.exp(-(width**2) * eigenvalue / 2)
    if process.signal == Identity():
        return mp.mpf(1)
    return mp.exp(-(mp.mpf(process.signal.multiplier.width) ** 2) * eigenvalue / 2)


def conditional(process, grid: Grid, x0, x_t, s: float, t: float) -> tuple[mp.matrix, mp.matrix]:
    """Mean and covariance of x_s given x_t and x_0, by the Schur complement."""
    eigenvalues, modes = eigenbasis(grid)
    alphas, sigmas = (
        [mp.mpf(f(torch.tensor(time, dtype=torch.float64)).item()) for time in (s, t)]
        for f in (process.schedule.alpha, process.schedule.sigma)
    )

    def operator(factors) -> mp.matrix:
        return modes * mp.diag(list(factors)) * modes.T

    law = GaussianMeasure(None, process.noise_factor, process.noise)
    variances = law.mode_variances(grid).flatten().tolist()
    least = max(variances) * mp.mpf(10) ** (-DIGITS // 2)
    C = operator(max(mp.mpf(v), least) / mp.mpf(grid.cell_volume) for v in variances)
    factors = [[signal_factor(process, time, e) for e in eigenvalues] for time in (s, t)]
    scales = [alphas[1] * b / (alphas[0] * a) for a, b in zip(*factors, strict=True)]
    cross = sigmas[0] ** 2 * C * operator(scales).T
    gain = cross * (sigmas[1] ** 2 * C) ** -1
    first, second = (
        alpha * operator(f) * mp.matrix(x0) for alpha, f in zip(alphas, factors, strict=True)
    )
    mean = first + gain * (mp.matrix(x_t) - second)
    return mean, sigmas[0] ** 2 * C - gain * cross.T


def difference(found: torch.Tensor, exact: mp.matrix) -> float:
    """The largest difference, in the units of the largest entry of the exact one."""
    expected = torch.tensor([float(v) for v in exact], dtype=torch.float64).reshape(found.shape)
    return ((found - expected).abs().max() / expected.abs().max()).item()


@pytest.mark.thorough
@pytest.mark.parametrize("name", PROCESSES)
@pytest.mark.parametrize(("dim", "boundaries"), CASES)
def test_the_posterior_is_the_dense_conditional(name: str, dim: int, boundaries: tuple[str, ...]):
    grid = grid_of(dim, boundaries)
    make, tolerance = PROCESSES[name]
    process = make(grid)
    g = torch.Generator().manual_seed(dim)
    x0 = Function(grid, torch.randn(2, grid.size, 1, generator=g, dtype=torch.float64))
    s, t = torch.tensor([0.35, 0.6]).double(), torch.tensor([0.8, 1.0]).double()
    x_t = process.marginal(x0, t).sample(grid, batch=2, channels=1, generator=g)
    law = process.posterior(x_t, x0, t, s)
    covariances = law.covariance(grid).expand(2, -1, -1)
    with mp.workdps(DIGITS):
        for sample in range(2):
            mean, covariance = conditional(
                process,
                grid,
                x0.values[sample, :, 0].tolist(),
                x_t.values[sample, :, 0].tolist(),
                s[sample].item(),
                t[sample].item(),
            )
            assert difference(law.mean.values[sample, :, 0], mean) < tolerance
            assert difference(covariances[sample], covariance) < tolerance


@pytest.mark.parametrize(("dim", "boundaries"), CASES)
def test_the_eigenvectors_written_out_here_are_orthogonal(dim: int, boundaries: tuple[str, ...]):
    with mp.workdps(DIGITS):
        _, modes = eigenbasis(grid_of(dim, boundaries))
        assert mp.mnorm(modes.T * modes - mp.eye(modes.rows)) < mp.mpf(10) ** (10 - DIGITS)
