"""One inverse problem at any resolution: a field, read in several ways, and its posterior.

The field is one function, whatever the grid, and so is what is seen of it: errors at the same
sensors and coarse cells are the same, those in the cells of a mask are white noise on it.
"""

import torch

from inftydiff import (
    CosineSchedule,
    DiffusionProcess,
    Function,
    GaussianMeasure,
    Grid,
    Observation,
    Scattered,
    UniPC,
    WhiteNoise,
    cell_averages,
    gaussian_mollifier,
    known_points,
    matern,
    point_values,
    timesteps,
)
from inftydiff.operators import Functionals
from inftydiff.processes import RandomField

__all__ = ["DATA", "KINDS", "PROCESS", "RULE", "TIMES", "problem", "reads"]

KINDS = ("mask", "low resolution", "sensors")

DATA = GaussianMeasure(None, matern(2.5, 0.5, dim=2), WhiteNoise())
PROCESS = DiffusionProcess.noise_only(
    CosineSchedule(), gaussian_mollifier(1 / 16), noise=WhiteNoise(1 / 16)
)
RULE = UniPC(3)
TIMES = timesteps(20, spacing="log_snr", schedule=PROCESS.schedule)

NOISE = 0.1
COARSE = Grid((8, 8))
SENSORS = torch.rand(30, 2, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


def reads(kind: str, grid: Grid) -> tuple[Functionals, float]:
    """The functionals and the deviation of their errors."""
    if kind == "mask":
        hidden = ((grid.points > 0.25) & (grid.points < 0.75)).all(-1)
        return known_points(~hidden, on=grid), NOISE * grid.shape[0] / 16
    if kind == "sensors":
        return point_values(Scattered(SENSORS), on=grid), NOISE
    return cell_averages(COARSE, on=grid), NOISE


def problem(kind: str, side: int) -> tuple[Grid, Observation]:
    """A grid, and what is seen there of the field."""
    grid = Grid((side, side))
    functionals, deviation = reads(kind, grid)
    field = DATA.draw(grid.domain, batch=1, channels=1, generator=torch.Generator().manual_seed(5))
    exact = functionals(field(grid, dtype=torch.float64))[0]
    if kind == "mask":
        white = RandomField(seed=6, domain=grid.domain, batch=1, channels=1, intensity=NOISE / 16)
        errors = functionals(white(grid, dtype=torch.float64))[0]
    else:
        generator = torch.Generator().manual_seed(6)
        errors = deviation * torch.randn(exact.shape, generator=generator, dtype=torch.float64)
    return grid, Observation(functionals, exact + errors, deviation)


def constant(grid: Grid, value: float) -> Function:
    """A constant function, one sample of one channel."""
    return Function(grid, torch.full((1, grid.size, 1), value, dtype=torch.float64))
