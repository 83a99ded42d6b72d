r"""Runs of a sampler on single modes, with the exact denoiser of Gaussian data.

One mode is a number, a function on a point, and many of them are the samples of a batch. The
sources of noise, of which the first state is number zero, are the channels. Scaling a mode scales
its problem, so that two modes with one ratio of the variances of data and noise are one problem, if
the signal operator is constant.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple, final

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff.operators import Function, Grid, Identity
from inftydiff.operators.domain import Point
from inftydiff.processes import (
    CallableDenoiser,
    DiffusionProcess,
    GaussianMeasure,
    Solver,
    TimeDependentSignal,
    WhiteNoise,
    sample,
)
from inftydiff.processes.noise import Noise
from inftydiff.processes.spectra import ComputedMultiplier
from inftydiff.testing._impulses import ImpulseNoise
from inftydiff.testing.oracles import GaussianDenoiser

__all__ = ["MODE", "Gains", "Problem", "Start", "distinct", "gains", "mode_process"]

Start = Literal["noise", "marginal"]
"""The start of a sampler: noise, as in practice, or the exact law of the first state."""

MODE = Grid((), Point())
"""The place of one mode: its coefficient is a function on a point."""

BLOCK = 1 << 17
"""The number of responses carried through the steps at a time."""

SAME = 1e12
"""Two ratios are the same if their logarithms, times this, round to one number."""


@final
@dataclass(frozen=True)
class _ModeFamily(TimeDependentSignal):
    """A family on one mode a sample or one for all, at one time.

    Args:
        family: the family on the domain.
        eigenvalues: the modes' eigenvalues, of shape ``(batch,)`` or ``()``.
    """

    family: TimeDependentSignal
    eigenvalues: Tensor

    def multiplier(self, t: Float[Tensor, "batch"]) -> ComputedMultiplier:
        factors = self.family.multiplier(t[:1])(self.eigenvalues.to(t.device))
        bound = factors.abs().max().item()
        return ComputedMultiplier(lambda spectrum: factors.reshape(-1, *spectrum.shape), bound)


def mode_process(
    process: DiffusionProcess,
    noise_variances: Float[Tensor, "*modes"],
    eigenvalues: Float[Tensor, "*modes"] | None,
    noise: Noise,
) -> DiffusionProcess:
    """The process of the coefficients of single modes, one a sample or one for all, on ``MODE``.

    Args:
        process: the process of the functions.
        noise_variances: the variances of the noise's coefficients, of shape ``(modes,)`` or ``()``.
        eigenvalues: the modes' eigenvalues, if the signal operator changes with time.
        noise: a noise of unit intensity.
    """
    signal: Identity | _ModeFamily = Identity()
    if eigenvalues is not None:
        assert isinstance(process.signal, TimeDependentSignal)
        signal = _ModeFamily(process.signal, eigenvalues)
    deviations = noise_variances.sqrt()
    factor = Identity() * (deviations if deviations.ndim else deviations.item())
    return DiffusionProcess(process.schedule, signal=signal, noise_factor=factor, noise=noise)


class Problem(NamedTuple):
    """The modes that differ, with variances scaled so that the larger is one.

    Args:
        signal: the scaled variances of the data, one a distinct mode.
        noise: the scaled variances of the noise.
        eigenvalues: the eigenvalues, if they matter.
        place: for each mode, which distinct one it is.
        scale: for each mode, its scale.
    """

    signal: Tensor
    noise: Tensor
    eigenvalues: Tensor | None
    place: Tensor
    scale: Tensor


def distinct(
    p: Float[Tensor, "modes"], v: Float[Tensor, "modes"], eigenvalues: Tensor | None
) -> Problem:
    """The problem of some modes, each that occurs more than once taken once.

    Args:
        p: the variances of the data's coefficients.
        v: the variances of the noise's coefficients.
        eigenvalues: the eigenvalues, if the signal operator changes with time.
    """
    scale = torch.maximum(p, v)
    p, v = (torch.where(scale > 0.0, variances / scale, 1.0) for variances in (p, v))
    key = (p.log() - v.log()).mul(SAME).round()
    keys = key.unsqueeze(-1) if eigenvalues is None else torch.stack([key, eigenvalues], -1)
    unique, place = keys.unique(dim=0, return_inverse=True)
    first = torch.empty(len(unique), dtype=torch.int64)
    first[place] = torch.arange(len(place))
    chosen = None if eigenvalues is None else eigenvalues[first]
    return Problem(p[first], v[first], chosen, place, scale)


class Gains(NamedTuple):
    """The variances of the outputs, and their means if the mean of the source is one."""

    variances: Tensor
    mean: Tensor


def gains(
    solver: Solver,
    process: DiffusionProcess,
    problem: Problem,
    times: Tensor,
    start: Start,
    with_mean: bool,
) -> Gains:
    """The result of a run of a solver for some modes.

    Args:
        solver: the solver.
        process: gives the schedule, and the signal operator if it changes with time.
        problem: the modes.
        times: the times that the sampler steps through.
        start: what it begins with.
        with_mean: whether to find the means too.
    """
    likely = len(times)
    if len(problem.signal) * likely > BLOCK:
        likely = (
            _Run(solver, process, _part(problem, slice(0, 1)), times, start).responses(0, 1).drawn
        )
    size = max(1, BLOCK // (likely + 1))
    variances, means = [], []
    for begin in range(0, len(problem.signal), size):
        run = _Run(solver, process, _part(problem, slice(begin, begin + size)), times, start)
        variances.append(run.variances(min(likely + 1, BLOCK)))
        if with_mean:
            means.append(run.mean())
    mean = torch.cat(means) if with_mean else torch.empty(0, dtype=torch.float64)
    return Gains(torch.cat(variances), mean)


def _part(problem: Problem, part: slice) -> Problem:
    eigenvalues = None if problem.eigenvalues is None else problem.eigenvalues[part]
    return problem._replace(
        signal=problem.signal[part], noise=problem.noise[part], eigenvalues=eigenvalues
    )


class _Responses(NamedTuple):
    """Responses of modes to sources, of shape ``(modes, sources)``, and how often was drawn."""

    values: Tensor
    drawn: int


@final
@dataclass(frozen=True, eq=False)
class _Run:
    """The runs of a solver on some modes, one a sample; the sources of noise are channels."""

    solver: Solver
    process: DiffusionProcess
    modes: Problem
    times: Tensor
    start: Start

    def variances(self, channels: int) -> Float[Tensor, "modes"]:
        """The output's variances, with so many sources at a time."""
        found = self.responses(0, channels)
        total = found.values.square().sum(-1)
        for first in range(channels, found.drawn + 1, channels):
            total = total + self.responses(first, channels).values.square().sum(-1)
        return total

    def responses(self, first: int, number: int) -> _Responses:
        """The responses to some of the sources, of which the first state is number zero."""
        impulse = self.modes.signal.new_zeros(len(self.modes.signal), number)
        if first == 0:
            impulse[:, 0] = self._first_variance().sqrt()
        noise = ImpulseNoise(WhiteNoise(), first - 1)
        return _Responses(self._output(impulse, noise, None), noise.drawn)

    def mean(self) -> Float[Tensor, "modes"]:
        """The output's mean if that of the source is one."""
        impulse = torch.zeros_like(self.modes.signal).unsqueeze(-1)
        if self.start == "marginal":
            impulse[:, 0] = self._amplitudes()[0]
        one = Function(MODE, torch.ones(1, 1, dtype=torch.float64))
        return self._output(impulse, ImpulseNoise(WhiteNoise(), -2), one)[:, 0]

    def _first_variance(self) -> Tensor:
        alpha, sigma = self._amplitudes()
        noise = sigma**2 * self.modes.noise
        return noise if self.start == "noise" else noise + alpha**2 * self.modes.signal

    def _amplitudes(self) -> tuple[Tensor, Tensor]:
        process = self._process(WhiteNoise())
        t = self.times[0].double().expand(len(self.modes.signal))
        return tuple(process.amplitudes(t, MODE))  # type: ignore[return-value]

    def _process(self, noise: Noise) -> DiffusionProcess:
        return mode_process(self.process, self.modes.noise, self.modes.eigenvalues, noise)

    def _output(self, first: Tensor, noise: Noise, mean: Function | None) -> Tensor:
        data = GaussianMeasure(mean, Identity() * self.modes.signal.sqrt(), WhiteNoise())
        x = sample(
            self.solver,
            CallableDenoiser(
                self._process(noise), GaussianDenoiser(self._process(WhiteNoise()), data)
            ),
            on=MODE,
            times=self.times,
            batch=first.shape[0],
            channels=first.shape[1],
            generator=torch.Generator().manual_seed(0),
            start=Function(MODE, first.unsqueeze(1)),
        )
        return x.values[:, 0]
