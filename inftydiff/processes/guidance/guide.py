r"""Guided denoisers: the estimate of a denoiser, moved towards what was observed.

A *guide* is a frozen value that gives, at each state, the vector :math:`z` in

.. math:: m'(x_t) = m(x_t) + \frac{\sigma^2}{\alpha}\, C\, (\partial q(x_t))^* z, \qquad
          \widehat{N\xi}{}' = \frac{x_t - \alpha\,m'(x_t)}{\sigma},

where :math:`q` is what the observation reads of the denoiser's estimate. :func:`guided` makes of it
a denoiser that every solver takes. In the guides :math:`r = y - q(x_t)` and :math:`B = A D`, the
observation's map from signals.

A guide with a strength can overshoot. If the guided estimate misses the observation by far more
than the observation is large, and by more than the unguided one does, the run is lost, and
:class:`GuidanceDiverged` says so, with the strength that would have brought the estimate closest.
"""

from dataclasses import dataclass, field
from typing import Protocol, final, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._components import declare
from inftydiff._typing import Real, instance, not_negative
from inftydiff.operators.function import Function, require_same
from inftydiff.processes._checks import a_function, conforming, one_a_sample, states
from inftydiff.processes.denoiser import Denoiser, check_denoiser
from inftydiff.processes.diffusion import DiffusionProcess
from inftydiff.processes.guidance.linearisation import (
    Linearisation,
    NoiseCovariance,
    a_linearisation,
)
from inftydiff.processes.observation import Observation
from inftydiff.processes.parameterisation import Prediction, noise_from_signal

__all__ = ["GuidanceDiverged", "Guide", "GuidedDenoiser", "check_strength", "guided"]

LOST = 30.0
"""A residual of so many times the observation's norm is that of a run that diverged."""


ADVICE = (
    "Clip the denoiser, start where the noise is less, or take MomentMatching(), which never "
    "goes further than the observation."
)
"""The advice if there is no strength to choose."""

MOST_SHARE = 0.25
"""The strength to try is at most this part of the one that diverged."""


class GuidanceDiverged(ValueError):
    """Guidance moved an estimate away from the observation instead of towards it.

    Args:
        message: what happened.
        strength: the strength to try, or None if it is not the strength's fault.
    """

    def __init__(self, message: str, strength: float | None = None) -> None:
        super().__init__(message)
        self.strength = strength


@runtime_checkable
class Guide(Protocol):
    """A rule that turns residuals into gradients: a frozen value, or a class of one's own."""

    @property
    def strength(self) -> Real | None:
        """The number that the vector is proportional to, or None if there is none to choose."""

    def check(self, observation: Observation) -> None:
        """Refuse an observation that the guide cannot use.

        Raises:
            ValueError: if, say, the guide needs noise and there is none.
        """

    def gradient(self, at: Linearisation) -> Float[Tensor, "batch m channels"]:
        """The vector z at the states of a linearisation."""


declare("guide", Guide)


@final
@dataclass(frozen=True, eq=False)
class GuidedDenoiser:
    """A denoiser with a guide; made by :func:`guided`.

    Args:
        guide: the guide.
        denoiser: the denoiser, differentiable in the state.
        observation: what was observed.
    """

    guide: Guide
    denoiser: Denoiser
    observation: Observation
    _covariance: NoiseCovariance = field(init=False, repr=False)

    def __post_init__(self) -> None:
        conforming(self.guide, Guide, "A guide", "Pass MomentMatching(), say.")
        check_denoiser(self.denoiser).process.constant_signal  # noqa: B018
        instance(self.observation, Observation, "An observation", "Make one by observe(…).")
        self.guide.check(self.observation)
        object.__setattr__(self, "_covariance", NoiseCovariance(self.process))

    @property
    def process(self) -> DiffusionProcess:
        """The process of the denoiser."""
        return self.denoiser.process

    def __call__(self, x_t: Function, t: Float[Tensor, "batch"]) -> Prediction:
        """The guided estimates.

        Args:
            x_t: the states, values of shape ``(batch, points, channels)`` on a full grid.
            t: their times in (0, 1], of shape ``(batch,)``.

        Raises:
            ValueError: if the states do not live on a grid, or the observation cannot read them.
            GuidanceDiverged: if the guidance is so strong that the run is lost.
        """
        at = self.linearised(x_t, t)
        z = self.guide.gradient(at)
        return self.moved(at, at.shift(at.pullback(z)))

    def linearised(self, x_t: Function, t: Float[Tensor, "batch"]) -> Linearisation:
        """The denoiser and the observation, linearised at states.

        Args:
            x_t: the states.
            t: their times.
        """
        states(x_t, "The states, x_t,")
        one_a_sample(t, x_t, "The times, t,")
        covariance = self._covariance(x_t.on)
        return Linearisation(self.denoiser, self.observation, covariance, x_t, t)

    def moved(self, at: Linearisation, shift: Function) -> Prediction:
        """The prediction whose signal is moved, and its noise re-derived.

        The estimate of x0, where there is one, moves by what D makes of the shift.

        Args:
            at: the linearisation.
            shift: what to add to the signal.

        Raises:
            TypeError: if the shift is no function.
            ValueError: if it lives on other points than the states, or has values of another shape.
            GuidanceDiverged: if that leads away from the observation.
        """
        a_linearisation(at)
        require_same(at.x_t, a_function(shift, "What is added to the signal"))
        if shift.values.shape != at.x_t.values.shape:
            raise ValueError(
                "What is added to the signal has values of the shape of the states, "
                f"{tuple(at.x_t.values.shape)}; got {tuple(shift.values.shape)}."
            )
        self._check(at, shift)
        found = at.prediction
        signal = found.signal + shift
        clean = found.clean
        if clean is not None:
            clean = clean + self.observation.deconvolve(shift)
        noise = noise_from_signal(at.x_t, signal, alpha=at.alpha, sigma=at.sigma)
        return Prediction(signal, noise, clean)

    def _check(self, at: Linearisation, shift: Function) -> None:
        """Refuse a shift that leads away from the observation, further than it is large."""
        values = self.observation.values.to(at.residual)
        size = _rms(values) + float(self.observation.noise_std)
        change = at.read(shift)
        before, after = _rms(at.residual), _rms(at.residual - change)
        if not bool(before.isfinite().all()):
            raise GuidanceDiverged(
                f"What is read of the denoiser's estimate at t = {at.t.max().item():.4g} is not "
                "finite. Clip the denoiser, or take a smaller strength."
            )
        lost = ~((after <= LOST * size) | (after <= before))
        if not bool(lost.any()):
            return
        strength, advice = self.guide.strength, ADVICE
        if strength is not None:
            best = (at.residual * change).sum((-2, -1)) / change.square().sum((-2, -1))
            shares = torch.where(best > 0.0, best, MOST_SHARE).clamp(max=MOST_SHARE)
            share = shares[lost].min().item()
            strength = float(f"{share * float(strength):.1g}")
            advice = f"Try strength={strength:g}."
        which = int(lost.nonzero()[0, 0])
        raise GuidanceDiverged(
            f"The guidance diverges at t = {at.t[which].item():.4g}: {type(self.guide).__name__} "
            f"takes the residual of sample {which} from {before[which].item():.3g} to "
            f"{after[which].item():.3g}, where the observed values are of the size "
            f"{size.max().item():.3g}. {advice}",
            strength,
        )


def _rms(vectors: Tensor) -> Tensor:
    """The root mean squares of vectors, one a sample."""
    return vectors.square().mean((-2, -1)).sqrt()


def guided(guide: Guide, denoiser: Denoiser, observation: Observation) -> GuidedDenoiser:
    """Guide a denoiser by an observation.

    Args:
        guide: how, such as ``MomentMatching()``.
        denoiser: the denoiser, differentiable in the state: a network's or an oracle. Its process
            has one signal operator for all times.
        observation: what was observed, of functions on the grid that is sampled on.

    Returns:
        A denoiser of states on that grid, for any solver.

    Raises:
        TypeError: if the signal operator changes with time.
        ValueError: if the guide cannot use the observation.
    """
    return GuidedDenoiser(guide, denoiser, observation)


def check_strength(strength: Real) -> float:
    """Refuse a strength that is negative or not finite.

    Raises:
        ValueError: if it is.
    """
    return not_negative(strength, "A guidance's strength")
