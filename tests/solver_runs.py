"""Exact denoisers, flows and laws mode by mode, for the tests of solvers."""

import itertools
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from inftydiff.operators import Function, Grid
from inftydiff.operators.basis import eigenbasis
from inftydiff.processes import DiffusionProcess, Prediction, scale_modes
from inftydiff.processes.solvers import MultistepSolver, Past

__all__ = [
    "ModeDenoiser",
    "advance",
    "coefficients",
    "end_of",
    "exact_memory",
    "function_of",
    "impulses",
    "linear_law",
    "spread",
]


def coefficients(f: Function) -> Tensor:
    """L²-orthonormal coefficients on a grid, of shape (batch, channels, *modes)."""
    grid = f.on
    assert isinstance(grid, Grid)
    return eigenbasis(grid.domain).analysis(f.to_image()) * math.sqrt(grid.cell_volume)


def function_of(values: Tensor, grid: Grid) -> Function:
    """The function with the coefficients (batch, channels, *modes)."""
    image = eigenbasis(grid.domain).synthesis(values / math.sqrt(grid.cell_volume))
    return Function(grid, image.flatten(2).mT)


@dataclass(frozen=True, eq=False)
class ModeDenoiser:
    """The conditional means if source and noise have these variances mode by mode.

    Args:
        process: the process.
        source: the variances P of what the amplitudes multiply, (*modes).
        noise: the variances V of the noise, (*modes).
        clean: whether to give x0 as well, where the signal operator changes with time.
    """

    process: DiffusionProcess
    source: Tensor
    noise: Tensor
    clean: bool = True

    def __call__(self, x_t: Function, t: Tensor) -> Prediction:
        alpha, sigma = self.amplitudes(t, x_t.on)
        total = alpha**2 * self.source + sigma**2 * self.noise
        source = scale_modes(x_t, alpha * self.source / total)
        noise = scale_modes(x_t, sigma * self.noise / total)
        share = alpha / self.process.schedule.alpha(t.double()).reshape(-1, *self._ones)
        signal = scale_modes(source, share.expand(total.shape))
        return Prediction(signal, noise, source if self.clean else None)

    def amplitudes(self, t: Tensor, on: Grid) -> tuple[Tensor, Tensor]:
        """Both of shape (batch, *modes) or one that repeats to it."""
        alpha, sigma = self.process.amplitudes(t, on)
        if alpha.ndim == 1:
            alpha = alpha.reshape(-1, *self._ones)
        return alpha, sigma.reshape(-1, *self._ones)

    def spread(self, t: Tensor, on: Grid) -> Tensor:
        """The standard deviations of the modes of x_t; the flow keeps x_t over this."""
        alpha, sigma = self.amplitudes(t, on)
        return (alpha**2 * self.source + sigma**2 * self.noise).sqrt()

    @property
    def _ones(self) -> tuple[int, ...]:
        return (1,) * self.source.ndim


def spread(denoiser: ModeDenoiser, t: float, grid: Grid) -> Tensor:
    """The standard deviations of the modes of x_t, (*modes)."""
    return denoiser.spread(torch.tensor([t], dtype=torch.float64), grid)[0].expand(grid.shape)


def exact_memory(denoiser: ModeDenoiser, x: Function, times: Tensor) -> tuple[Past, ...]:
    """What a solver would remember had it followed the flow exactly; times latest first.

    Args:
        denoiser: the exact denoiser.
        x: the states at the first of the times, which itself is not remembered.
        times: that time and those before it, rising.
    """
    grid, pasts = x.on, []
    here = denoiser.spread(times[:1], grid)
    for time in times[1:]:
        t = time.expand(x.batch[0])
        past = scale_modes(x, (denoiser.spread(t[:1], grid) / here).expand(x.batch[0], *grid.shape))
        said = denoiser(past, t)
        pasts.append(Past(t, past, denoiser.process.source(said, t), said.noise))
    return tuple(pasts)


def advance(solver, denoiser, x: Function, t: Tensor, s: Tensor, memory, generator=None):
    """One step of any solver, with the memory handed on."""
    generator = torch.Generator().manual_seed(0) if generator is None else generator
    if isinstance(solver, MultistepSolver):
        return solver.advance(denoiser, x, t, s, memory, generator=generator)
    return solver.step(denoiser, x, t, s, generator=generator), ()


def end_of(solver, denoiser, x: Function, times: Tensor, memory=(), generator=None):
    """The last state of a run that begins with a given memory."""
    generator = torch.Generator().manual_seed(0) if generator is None else generator
    for t, s in itertools.pairwise(times):
        now, after = t.expand(x.batch[0]), s.expand(x.batch[0])
        x, memory = advance(solver, denoiser, x, now, after, memory, generator)
    return x


@contextmanager
def impulses(grid: Grid, deviations: Tensor | float = 1.0) -> Iterator[list[int]]:
    """Noise whose i-th draw has one deviation in every mode of channel i, and zero elsewhere.

    With a linear denoiser the channels of a state are then the factors of the single draws in it;
    channel 0 is left for the start. Gives the list of draws made.
    """
    made: list[int] = []

    def draw(self, on, *, batch, channels, generator, dtype=None, device=None):
        made.append(len(made) + 1)
        values = torch.zeros(batch, channels, *grid.shape, dtype=torch.float64)
        values[:, made[-1]] = deviations
        return function_of(values, grid)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DiffusionProcess, "draw_noise", draw)
        yield made


def linear_law(
    solver,
    denoiser,
    times: Tensor,
    grid: Grid,
    memory=None,
    deviations: Tensor | float = 1.0,
):
    """The factor of the start in a run's end, and the variance of what was drawn, exactly.

    Both are of shape (*modes).

    Args:
        solver: a solver that draws at most once a step.
        denoiser: a denoiser that is linear in the state.
        times: the times of the run.
        grid: where it happens.
        memory: a function of the start that gives the memory, or None.
        deviations: those of a draw's modes, (*modes) or one number.
    """
    start = torch.zeros(1, len(times), *grid.shape, dtype=torch.float64)
    start[:, 0] = 1.0
    x = function_of(start, grid)
    with impulses(grid, deviations):
        past = () if memory is None else memory(x)
        end = coefficients(end_of(solver, denoiser, x, times, past))[0]
    return end[0], end[1:].square().sum(0)
