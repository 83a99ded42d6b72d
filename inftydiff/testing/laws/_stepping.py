"""Trials of solvers: processes, a denoiser for them, and a step or a few of a solver."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, TypeAlias, final

import torch
from torch import Tensor

from inftydiff.operators import Function, Grid, gaussian_mollifier
from inftydiff.operators.basis import eigenbasis
from inftydiff.processes import (
    Blurring,
    CallableDenoiser,
    CosineSchedule,
    Denoiser,
    DiffusionProcess,
    Prediction,
    Solver,
    TimeDependentSignal,
    WhiteNoise,
    multiplier_of,
)
from inftydiff.processes.solvers import Memory, MultistepSolver
from inftydiff.testing.dense import modes_of
from inftydiff.testing.probe import Probe, longest_side

__all__ = ["Case", "Heard", "Modewise", "calls", "cases", "listen", "run", "step"]

WIDTH = 0.15
"""The widths of mollifiers and of the data, in units of the longest side."""

INTENSITY = 0.3
"""The intensity of the noise."""

PARTS = (1.0, 0.7, 0.5)
"""The times of a multistep solver's trajectory, in units of its first."""

Case: TypeAlias = tuple[str, DiffusionProcess]
"""The name of a kind of diffusion, and a process."""


@final
@dataclass(frozen=True)
class Modewise:
    r"""The denoiser of Gaussian data seen mode by mode, without the modes above the grid's.

    With :math:`P` and :math:`V` the variances of a mode of :math:`S_t x_0` and :math:`N\xi`, the
    signal is :math:`\alpha P/(\alpha^2 P + \sigma^2 V)\, x_t`.

    Args:
        process: the process.
    """

    process: DiffusionProcess

    def __call__(self, x_t: Function, t: Tensor) -> Prediction:
        """The conditional means of signal and noise."""
        grid = x_t.on
        assert isinstance(grid, Grid)
        spectra = spectra_of(self.process, grid)
        P, V = spectra.signal, spectra.noise
        if isinstance(self.process.signal, TimeDependentSignal):
            P = P * self.process.signal.multiplier(t)(spectra.eigenvalues).square()
        alpha, sigma = (
            amplitude(t.double()).unsqueeze(-1)
            for amplitude in (self.process.schedule.alpha, self.process.schedule.sigma)
        )
        total = alpha**2 * P + sigma**2 * V
        modes = spectra.modes.to(x_t.values)
        coefficients = modes.mT @ x_t.values
        signal, noise = (
            modes @ (torch.where(total > 0.0, part / total, 0.0).unsqueeze(-1) * coefficients)
            for part in (alpha * P, sigma * V)
        )
        return Prediction(Function(grid, signal), Function(grid, noise))


class Spectra(NamedTuple):
    """Return what the denoiser needs of a process on a grid.

    Args:
        eigenvalues: of the grid's modes.
        signal: the variances of the modes of the signal, or of the data if S depends on time.
        noise: the variances of the modes of the noise.
        modes: the grid's eigenvectors.
    """

    eigenvalues: Tensor
    signal: Tensor
    noise: Tensor
    modes: Tensor


@lru_cache(maxsize=64)
def spectra_of(process: DiffusionProcess, grid: Grid) -> Spectra:
    """The spectra of one of the processes here; computed once, for they are asked for often."""
    eigenvalues = eigenbasis(grid.domain).eigenvalues(grid.shape).flatten()
    data = gaussian_mollifier(WIDTH * longest_side(grid.domain))
    signal = data if isinstance(process.signal, TimeDependentSignal) else process.signal @ data
    noise = process.noise.intensity * multiplier_of(process.noise_factor)(eigenvalues)
    modes = modes_of(grid)
    return Spectra(eigenvalues, multiplier_of(signal)(eigenvalues).square(), noise**2, modes)


@final
@dataclass(frozen=True, eq=False)
class Heard:
    """The last step of a run: what the denoiser was asked, the state and the times."""

    asked: list[tuple[Function, Tensor]]
    x_t: Function
    t: Tensor


def calls(solver: Solver) -> int | None:
    """Return how often the solver asks in a step: its ``calls``, or once; None if it depends."""
    return getattr(solver, "calls", 1)


def cases(probe: Probe) -> Iterator[Case]:
    """The processes that a solver is tried on, with their names."""
    schedule, noise = CosineSchedule(), WhiteNoise(INTENSITY)
    side = longest_side(probe.domain)
    T = gaussian_mollifier(WIDTH * side)
    yield "white", DiffusionProcess.white(schedule, noise=noise)
    yield "mollified", DiffusionProcess.mollified(schedule, T, noise=noise)
    yield "noise-only", DiffusionProcess.noise_only(schedule, T, noise=noise)
    blur = Blurring(WIDTH * side)
    yield "blurring", DiffusionProcess.blurring(schedule, blur, noise=noise)


def run(
    solver: Solver,
    denoiser: Denoiser,
    x: Function,
    t: Tensor,
    probe: Probe,
    *,
    end: float = 0.5,
    anew: bool = False,
    before_the_last: Callable[[Function, Tensor], None] = lambda x, t: None,
) -> Function:
    """A step from t to a part of t; of a multistep solver, the last of a few.

    Each of them starts from the state that the one before gave, or ``anew`` from the first.
    """
    generator = probe.generator()
    if not isinstance(solver, MultistepSolver):
        before_the_last(x, t)
        return solver.step(denoiser, x, t, end * t, generator=generator)
    memory: Memory = ()
    for part, following in zip(PARTS, (*PARTS[1:], 0.5 * end), strict=True):
        if part == PARTS[-1]:
            before_the_last(x, part * t)
        x_s, memory = solver.advance(
            denoiser, x, part * t, following * t, memory, generator=generator
        )
        x = x if anew else x_s
    return x_s


def step(
    solver: Solver,
    process: DiffusionProcess,
    probe: Probe,
    *,
    samples: int | None = None,
    t: Tensor | None = None,
    on: Grid | None = None,
    anew: bool = False,
) -> Function:
    """A step of smooth states, which are the same functions on every grid."""
    x_t = probe.smooth(probe.grid if on is None else on)
    t = probe.times() if t is None else t
    few = Function(x_t.on, x_t.values[:samples])
    return run(solver, Modewise(process), few, t[:samples], probe, anew=anew)


def listen(solver: Solver, process: DiffusionProcess, probe: Probe, end: float) -> Heard:
    """Return what the denoiser is asked in a step to a part of the time."""
    asked: list[tuple[Function, Tensor]] = []
    begun: list[tuple[Function, Tensor]] = []
    denoiser = Modewise(process)

    def denoise(x_t: Function, t: Tensor) -> Prediction:
        asked.append((Function(x_t.on, x_t.values.clone()), t.clone()))
        return denoiser(x_t, t)

    def begin(x_t: Function, t: Tensor) -> None:
        asked.clear()
        begun.append((x_t, t))

    run(
        solver,
        CallableDenoiser(process, denoise),
        probe.smooth(probe.grid),
        probe.times(),
        probe,
        end=end,
        before_the_last=begin,
    )
    ((x_t, t),) = begun
    return Heard(asked, x_t, t)
