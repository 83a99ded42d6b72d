"""Matérn data under the cosine schedule, and W₂ of a sampler's output to them by its gain."""

from dataclasses import dataclass
from functools import cache

from torch import Tensor

from inftydiff import (
    CosineSchedule,
    DiffusionProcess,
    GaussianMeasure,
    Grid,
    Heun,
    WhiteNoise,
    gaussian_mollifier,
    matern,
    timesteps,
)
from inftydiff.processes import Solver
from inftydiff.processes.times import Spacing
from inftydiff.testing.output_law import variance_gain

__all__ = ["CELL", "LAWS", "PRIORS", "PROCESSES", "SCHEDULE", "Law", "distance", "times_of"]

SCHEDULE = CosineSchedule()
CELL = 1 / 64
PRIORS = {
    name: GaussianMeasure(None, matern(nu, 0.2, dim=2), WhiteNoise())
    for name, nu in {"rough": 0.5, "smooth": 2.5}.items()
}
PROCESSES = {
    "mollified": DiffusionProcess.mollified(
        SCHEDULE, gaussian_mollifier(CELL), noise=WhiteNoise(CELL)
    ),
    "white": DiffusionProcess.white(SCHEDULE, noise=WhiteNoise(CELL)),
}


@dataclass(frozen=True, eq=False)
class Law:
    """The variances of the modes of S x0 that vary, and their ratios to those of the noise."""

    signal: Tensor
    ratio: Tensor

    @staticmethod
    def of(process: DiffusionProcess, data: GaussianMeasure, grid: Grid) -> "Law":
        noise = GaussianMeasure(None, process.noise_factor, process.noise)
        signal = data.pushforward(process.constant_signal).mode_variances(grid).flatten()
        ratio = signal / noise.mode_variances(grid).flatten()
        return Law(signal[signal > 0.0], ratio[signal > 0.0])


LAWS = {
    (kind, name): Law.of(process, data, Grid((32, 32)))
    for kind, process in PROCESSES.items()
    for name, data in PRIORS.items()
}
"""By process and prior."""


def times_of(solver: Solver, spacing: Spacing, calls: int) -> Tensor:
    """As many steps as the calls allow: Heun's last step takes one of its two."""
    n = (calls + 1) // 2 if isinstance(solver, Heun) else calls
    return timesteps(n, spacing=spacing, schedule=SCHEDULE)


@cache
def distance(solver: Solver, spacing: Spacing, calls: int, process: str, prior: str) -> float:
    """W₂ over the norm of the data."""
    law = LAWS[process, prior]
    gain = variance_gain(solver, SCHEDULE, law.ratio, times=times_of(solver, spacing, calls))
    return ((law.signal @ (gain.sqrt() - 1.0).square()) / law.signal.sum()).sqrt().item()
