r"""One coefficient of mixture data, and the law of a sampler's output for it, by quadrature.

In one dimension :math:`W_2^2 = \int_0^1 |F^{-1}(u) - G^{-1}(u)|^2\,\mathrm du` with the quantiles
of the two laws. Those of the output are found

* if the solver draws no noise, by running it on quantiles of the first state;
* if it does and has no memory, by carrying the law of the coefficient from step to step: each step
  is a map, which is known where it is wanted, and a convolution with a Gaussian;
* if it does and has memory, from many samples.
"""

import itertools
import math
from dataclasses import dataclass, replace
from typing import NamedTuple, final

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff.operators import Function, Identity
from inftydiff.processes import (
    CallableDenoiser,
    DiffusionProcess,
    GaussianMeasure,
    Solver,
    WhiteNoise,
    sample,
)
from inftydiff.processes.noise import Noise
from inftydiff.processes.solvers import MultistepSolver
from inftydiff.testing._impulses import ImpulseNoise
from inftydiff.testing._mode_runs import MODE
from inftydiff.testing.oracles import MixtureDenoiser

__all__ = ["ScalarMixture"]

REACH = 8.5
"""The number of standard deviations of a Gaussian that are kept."""

QUANTILES = 1001
"""The numbers of quantiles of the first state that are followed, and of more where the data are."""

FINE = 1 << 15
"""The number of quantiles they are interpolated to, where the solver's map does not increase."""

CELLS = 4096
"""At how many places the density of a coefficient is kept."""

SAMPLES = 1 << 16
"""The number of samples drawn for a solver that has both noise and memory."""

BISECTIONS = 64

NEVER = 1 << 62
"""The number of a draw that does not come."""


class _Atoms(NamedTuple):
    """A law on the line.

    Args:
        values: where the atoms are.
        masses: their masses, which add up to one.
        deviates: the normal deviates that they are images of, increasing, if they are.
    """

    values: Tensor
    masses: Tensor
    deviates: Tensor | None = None


@final
@dataclass(frozen=True, eq=False)
class ScalarMixture:
    r"""One coefficient of mixture data: :math:`\sum_j w_j\,\mathcal N(m_j, P)` for the source.

    Args:
        process: the process of the coefficient, on ``MODE``.
        weights: the probabilities :math:`w_j`.
        means: the means :math:`m_j`, of shape ``(components,)``, float64.
        variance: the variance :math:`P`.

    Example:
        >>> from inftydiff import CosineSchedule, DDIM, timesteps
        >>> process = DiffusionProcess.white(CosineSchedule(), noise=WhiteNoise(0.5))
        >>> means = torch.tensor([-2.0, 2.0], dtype=torch.float64)
        >>> mixture = ScalarMixture(process, (0.5, 0.5), means, 0.1)
        >>> g = torch.Generator().manual_seed(0)
        >>> for n in (10, 100):
        ...     print(f"{mixture.output_wasserstein(DDIM(), times=timesteps(n), generator=g):.3f}")
        0.149
        0.015
    """

    process: DiffusionProcess
    weights: tuple[float, ...]
    means: Float[Tensor, "components"]
    variance: float

    @property
    def denoiser(self) -> MixtureDenoiser:
        """The exact denoiser."""
        factor, noise = Identity() * math.sqrt(self.variance), WhiteNoise()
        places = (Function(MODE, mean.reshape(1, 1)) for mean in self.means)
        parts = [GaussianMeasure(place, factor, noise) for place in places]
        return MixtureDenoiser(self.process, self.weights, parts)

    def output_wasserstein(
        self, solver: Solver, *, times: Float[Tensor, "times"], generator: torch.Generator
    ) -> float:
        r"""The distance :math:`W_2` of a solver's output to the law that it should have.

        Args:
            solver: a solver that is linear in states, predictions and the noise that it draws.
            times: the times that the sampler steps through.
            generator: the source of the samples of a solver that has both noise and memory. Their
                distance to their own law is about a hundredth of the deviation. Nothing else is
                drawn.

        Raises:
            ValueError: if ``sample`` refuses the times.
        """
        counter = ImpulseNoise(self.process.noise)
        self._sampled(solver, times, torch.zeros(1, dtype=torch.float64), counter)
        if counter.drawn == 0:
            atoms = self._followed(solver, times)
        elif isinstance(solver, MultistepSolver):
            atoms = self._drawn(solver, times, generator)
        else:
            atoms = self._carried(solver, times)
        return self._distance(atoms, times[-1:])

    def quantiles(
        self, deviates: Float[Tensor, "levels"], t: Float[Tensor, "one"]
    ) -> Float[Tensor, "levels"]:
        r"""The quantiles :math:`G^{-1}(\Phi(z))` of the law of the coefficient at a time.

        Args:
            deviates: the levels, as normal deviates :math:`z`.
            t: the time, of shape ``(1,)``.
        """
        means, deviation = self._law(t)
        weights = torch.tensor(self.weights, dtype=torch.float64)
        side = torch.where(deviates > 0.0, -1.0, 1.0)
        wanted = torch.special.ndtr(side * deviates)
        low = torch.full_like(deviates, (means.min() - 40.0 * deviation).item())
        high = torch.full_like(deviates, (means.max() + 40.0 * deviation).item())
        for _ in range(BISECTIONS):
            middle = 0.5 * (low + high)
            beyond = side.unsqueeze(-1) * (middle.unsqueeze(-1) - means) / deviation
            below = side * (torch.special.ndtr(beyond) @ weights - wanted) < 0.0
            low, high = torch.where(below, middle, low), torch.where(below, high, middle)
        return 0.5 * (low + high)

    def _law(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """The means of the components at a time, and their deviation."""
        alpha, sigma = self.process.amplitudes(t.double(), MODE)
        variance = alpha**2 * self.variance + sigma**2 * self._noise_variance()
        return alpha * self.means, variance.sqrt()

    def _noise_variance(self) -> Tensor:
        process = self.process
        return GaussianMeasure(None, process.noise_factor, process.noise).mode_variances(MODE)

    def _first_deviation(self, times: Tensor) -> Tensor:
        return self.process.schedule.sigma(times[0].double()) * self._noise_variance().sqrt()

    def _sampled(self, solver: Solver, times: Tensor, start: Tensor, noise: Noise) -> Tensor:
        x = sample(
            solver,
            CallableDenoiser(replace(self.process, noise=noise), self.denoiser),
            on=MODE,
            times=times,
            batch=len(start),
            channels=1,
            generator=torch.Generator().manual_seed(0),
            start=Function(MODE, start.reshape(-1, 1, 1)),
        )
        return x.values.flatten()

    def _followed(self, solver: Solver, times: Tensor) -> _Atoms:
        even = torch.linspace(-REACH, REACH, QUANTILES, dtype=torch.float64)
        means, deviation = self._law(times[-1:])
        low = (means.min() - REACH * deviation).item()
        high = (means.max() + REACH * deviation).item()
        values = torch.linspace(low, high, QUANTILES, dtype=torch.float64).unsqueeze(-1)
        weights = torch.tensor(self.weights, dtype=torch.float64)
        below, above = (
            torch.special.ndtr(side * (values - means) / deviation) @ weights
            for side in (1.0, -1.0)
        )
        z = torch.cat([even, _deviates(below, above)]).unique()
        start = z * self._first_deviation(times)
        return _Atoms(self._sampled(solver, times, start, self.process.noise), _masses(z), z)

    def _drawn(self, solver: Solver, times: Tensor, generator: torch.Generator) -> _Atoms:
        x = sample(
            solver,
            self.denoiser,
            on=MODE,
            times=times,
            batch=SAMPLES,
            channels=1,
            generator=generator,
        )
        values = x.values.double().flatten()
        return _Atoms(values, torch.full_like(values, 1.0 / SAMPLES))

    def _carried(self, solver: Solver, times: Tensor) -> _Atoms:
        z = torch.linspace(-REACH, REACH, CELLS, dtype=torch.float64)
        atoms = _Atoms(z * self._first_deviation(times), _masses(z))
        denoiser = self.denoiser
        for t, s in itertools.pairwise(times.double()):
            quiet = ImpulseNoise(self.process.noise, NEVER)
            moved = self._stepped(solver, denoiser, atoms.values, t, s, quiet)
            impulses = [
                self._stepped(
                    solver, denoiser, atoms.values[:1], t, s, ImpulseNoise(self.process.noise, draw)
                )
                for draw in range(quiet.drawn)
            ]
            deviation = math.hypot(*((impulse - moved[0]).item() for impulse in impulses))
            atoms = _blurred(_Atoms(moved, atoms.masses), deviation)
        return atoms

    def _stepped(
        self,
        solver: Solver,
        denoiser: MixtureDenoiser,
        y: Tensor,
        t: Tensor,
        s: Tensor,
        noise: Noise,
    ) -> Tensor:
        x_s = solver.step(
            CallableDenoiser(replace(self.process, noise=noise), denoiser),
            Function(MODE, y.reshape(-1, 1, 1)),
            t.expand(len(y)),
            s.expand(len(y)),
            generator=torch.Generator().manual_seed(0),
        )
        return x_s.values.flatten()

    def _distance(self, atoms: _Atoms, t: Tensor) -> float:
        values, masses, z = atoms
        if z is not None and not _increasing(values):
            even = torch.linspace(-REACH, REACH, FINE, dtype=torch.float64)
            values, masses, z = _interpolated(even, z, values), _masses(even), None
        if z is None:
            order = values.argsort()
            values, masses = values[order], masses[order]
            below = masses.cumsum(0) - 0.5 * masses
            above = masses.flip(0).cumsum(0).flip(0) - 0.5 * masses
            z = _deviates(below, above)
        wanted = self.quantiles(z, t)
        return (masses * (values - wanted).square()).sum().sqrt().item()


def _increasing(values: Tensor) -> bool:
    """Return whether values increase, but for rounding."""
    return bool((values.diff() > -1e-9 * (values.max() - values.min())).all())


def _interpolated(at: Tensor, places: Tensor, values: Tensor) -> Tensor:
    """The values at increasing places, linear between them."""
    right = torch.searchsorted(places, at).clamp(1, len(places) - 1)
    left = right - 1
    share = (at - places[left]) / (places[right] - places[left])
    return torch.lerp(values[left], values[right], share)


def _deviates(below: Tensor, above: Tensor) -> Tensor:
    """The normal deviates with so much mass below and above, accurate in both tails."""
    least = torch.minimum(below, above).clamp(min=torch.finfo(torch.float64).tiny)
    z = torch.special.ndtri(least)
    return torch.where(below <= above, z, -z).clamp(-REACH, REACH)


def _masses(z: Tensor) -> Tensor:
    """The normal masses of the cells around increasing deviates."""
    ends = z.new_full((1,), math.inf)
    edges = torch.cat([-ends, 0.5 * (z[1:] + z[:-1]), ends])
    left, right = edges[:-1], edges[1:]
    lower = torch.special.ndtr(right) - torch.special.ndtr(left)
    upper = torch.special.ndtr(-left) - torch.special.ndtr(-right)
    return torch.where(left < 0.0, lower, upper)


def _blurred(atoms: _Atoms, deviation: float) -> _Atoms:
    """The law convolved with a centred Gaussian, on a new even grid.

    Each atom is put on the four nearest places of the grid with its mass, mean and variance kept.
    """
    if deviation == 0.0:
        return atoms
    kept = atoms.values[atoms.masses > 1e-20]
    low, high = kept.min() - REACH * deviation, kept.max() + REACH * deviation
    width = (high - low).item() / (CELLS - 1)
    place = ((atoms.values - low) / width).clamp(2.0, CELLS - 3.0)
    first = place.floor().long() - 1
    masses = torch.zeros(CELLS, dtype=torch.float64)
    for shift in range(4):
        near = (first + shift - place).abs()
        weight = torch.where(
            near < 1.0,
            1.0 - 2.5 * near**2 + 1.5 * near**3,
            0.5 * (2.0 - near).clamp(min=0.0) ** 2 * (1.0 - near),
        )
        masses.index_add_(0, first + shift, weight * atoms.masses)
    waves = 2.0 * math.pi * torch.fft.rfftfreq(CELLS, d=width, dtype=torch.float64)
    kernel = (-0.5 * (waves * deviation) ** 2).exp()
    spread = torch.fft.irfft(torch.fft.rfft(masses) * kernel, CELLS).clamp(min=0.0)
    values = low + width * torch.arange(CELLS, dtype=torch.float64)
    return _Atoms(values, spread / spread.sum())
