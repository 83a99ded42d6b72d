r"""Laws of diffusion processes, with dense Gaussian algebra on a small grid.

The marginal is :math:`\mathcal N(\alpha_t S_t x_0, \sigma_t^2 C)`; the amplitudes of the process
multiply its source, :math:`x_t = \alpha\,source + \sigma N\xi`, mode by mode if :math:`S` depends
on time; transitions compose (Chapman and Kolmogorov) and carry one marginal to the next; the
posterior is what conditioning the joint Gaussian law of :math:`(x_s, x_t)` on :math:`x_t` gives;
the prior is the marginal's noise at the last time.

Conditioning works on factors of the covariances in the grid's eigenbasis, not on the covariances,
whose condition number is the square: see ``inftydiff.testing.dense``.
"""

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from inftydiff.operators import Discretisation, Function, Grid, LinearOperator
from inftydiff.processes import Amplitudes, GaussianMeasure, Prediction, Schedule, scale_modes
from inftydiff.processes.noise import Noise
from inftydiff.testing.dense import Gaussian, LinearGaussian, matrix_of, modes_of
from inftydiff.testing.laws._purity import arguments_untouched, random_state_untouched
from inftydiff.testing.laws.law import Check, Claim, equal, same, true
from inftydiff.testing.probe import Probe

__all__ = ["PROCESS_LAWS", "Process"]

TOLERANCE = 1e-10
"""The difference allowed, relative to the largest entry."""


@runtime_checkable
class Process(Protocol):
    """The interface of a process: ``DiffusionProcess``, or a class of one's own."""

    @property
    def schedule(self) -> Schedule:
        """The amplitudes."""

    @property
    def noise_factor(self) -> LinearOperator:
        """The operator N."""

    @property
    def noise(self) -> Noise:
        """The white noise."""

    @property
    def prior(self) -> GaussianMeasure:
        """The law that sampling starts from."""

    def signal_at(self, t: Tensor) -> LinearOperator:
        """The operator S at some times."""

    def amplitudes(self, t: Tensor, on: Discretisation) -> Amplitudes:
        """The amplitudes of source and noise."""

    def source(self, prediction: Prediction, t: Tensor) -> Function:
        """Return what the amplitude of the signal multiplies."""

    def marginal(self, x0: Function, t: Tensor) -> GaussianMeasure:
        """The law of x_t given x_0."""

    def transition(self, x_s: Function, s: Tensor, t: Tensor) -> GaussianMeasure:
        """The law of x_t given x_s."""

    def posterior(self, x_t: Function, x0: Function, t: Tensor, s: Tensor) -> GaussianMeasure:
        """The law of x_s given x_t and x_0."""


def marginal_is_signal_and_noise(process: Process, probe: Probe) -> Iterator[Claim]:
    """x_t | x_0 is Gaussian with the mean α S x_0 and the covariance σ² C."""
    x0, (_, _, t) = _clean(probe), _times(probe)
    law = process.marginal(x0, t)
    signal = (matrix_of(process.signal_at(t), probe.grid, batch=probe.batch) @ x0.values).squeeze(
        -1
    )
    alpha, sigma = process.schedule.alpha(t), process.schedule.sigma(t)
    yield equal(
        "the marginal's mean = α S x0", _mean(law), alpha[:, None] * signal, tolerance=TOLERANCE
    )
    yield equal(
        "the marginal's covariance = σ² C",
        law.covariance(probe.grid),
        sigma[:, None, None] ** 2 * _noise_covariance(process, probe.grid),
        tolerance=TOLERANCE,
    )


def amplitudes_scale_the_source(process: Process, probe: Probe) -> Iterator[Claim]:
    """α · source + σ · noise, with the process's amplitudes, is α(t) S x_0 + σ(t) N ξ."""
    x0, (_, _, t) = _clean(probe), _times(probe)
    signal, noise = process.signal_at(t)(x0), probe.like(x0, 1)
    amplitudes = process.amplitudes(t, probe.grid)
    source = process.source(Prediction(signal, noise), t)
    given = process.source(Prediction(signal, noise, x0), t)
    state = signal * process.schedule.alpha(t) + noise * process.schedule.sigma(t)
    for kind, what in (("source", source), ("source of a prediction with x0", given)):
        yield same(
            f"α · {kind} + σ · noise = x_t",
            scale_modes(what, amplitudes.alpha) + scale_modes(noise, amplitudes.sigma),
            state,
            tolerance=TOLERANCE,
        )


def chapman_kolmogorov(process: Process, probe: Probe) -> Iterator[Claim]:
    """Going from r to s and from s to t is going from r to t."""
    x, (r, s, t) = _clean(probe), _times(probe)
    first, direct = process.transition(x, r, s), process.transition(x, r, t)
    second = process.transition(_require(first.mean), s, t)
    scale = _scale(process, s, t, probe)
    yield equal(
        "the mean of r → s → t = the mean of r → t",
        _mean(second),
        _mean(direct),
        tolerance=TOLERANCE,
    )
    yield equal(
        "the covariance of r → s → t = the covariance of r → t",
        _carried(first.covariance(probe.grid), scale) + second.covariance(probe.grid),
        direct.covariance(probe.grid),
        tolerance=TOLERANCE,
    )


def transition_carries_the_marginal(process: Process, probe: Probe) -> Iterator[Claim]:
    """The marginal at s, carried from s to t, is the marginal at t."""
    x0, (_, s, t) = _clean(probe), _times(probe)
    earlier, later = process.marginal(x0, s), process.marginal(x0, t)
    step = process.transition(_require(earlier.mean), s, t)
    scale = _scale(process, s, t, probe)
    yield equal(
        "the mean carried from s to t = the mean at t",
        _mean(step),
        _mean(later),
        tolerance=TOLERANCE,
    )
    yield equal(
        "the covariance carried from s to t = the covariance at t",
        _carried(earlier.covariance(probe.grid), scale) + step.covariance(probe.grid),
        later.covariance(probe.grid),
        tolerance=TOLERANCE,
    )


def posterior_is_the_conditional(process: Process, probe: Probe) -> Iterator[Claim]:
    """x_s | x_t, x_0 is the conditional of the joint Gaussian law of x_s and x_t given x_0."""
    x0, (r, s, t) = _clean(probe), _times(probe)
    for key, (before, after) in enumerate(((s, t), (r, s), (torch.zeros_like(t), t))):
        x_t = process.marginal(x0, after).sample(
            probe.grid, batch=probe.batch, channels=1, generator=probe.generator(key)
        )
        exact = _conditional(process, x0, x_t, before, after, probe)
        law = process.posterior(x_t, x0, after, before)
        yield equal(
            "the posterior's mean = the conditional's mean",
            _mean(law),
            exact.mean,
            tolerance=TOLERANCE,
        )
        yield equal(
            "the posterior's covariance = the conditional's covariance",
            law.covariance(probe.grid),
            exact.covariance,
            tolerance=TOLERANCE,
            scale=process.marginal(x0, before).covariance(probe.grid).abs().max().item(),
        )


def prior_is_the_last_noise(process: Process, probe: Probe) -> Iterator[Claim]:
    """The prior is centred, with the covariance of the marginal at t = 1."""
    last = torch.ones(probe.batch, dtype=torch.float64)
    prior = process.prior
    centred = prior.mean is None or not bool(prior.mean.values.any())
    yield true("the prior's mean = 0", centred, "not zero", "zero")
    yield equal(
        "the prior's covariance = the marginal's at t = 1",
        prior.covariance(probe.grid).expand(probe.batch, -1, -1),
        process.marginal(_clean(probe), last).covariance(probe.grid),
        tolerance=TOLERANCE,
    )


def no_mutation(process: Process, probe: Probe) -> Iterator[Claim]:
    """Marginal, transition and posterior change neither functions nor times."""
    x0, (_, s, t) = _clean(probe), _times(probe)
    yield from arguments_untouched(lambda: process.marginal(x0, t), [x0, t])
    yield from arguments_untouched(lambda: process.transition(x0, s, t), [x0, s, t])
    yield from arguments_untouched(lambda: process.posterior(x0, x0, t, s), [x0, s, t])


def no_global_randomness(process: Process, probe: Probe) -> Iterator[Claim]:
    """Sampling the marginal leaves the global random state alone."""
    x0, (_, _, t) = _clean(probe), _times(probe)

    def draw() -> Function:
        return process.marginal(x0, t).sample(
            probe.grid, batch=probe.batch, channels=1, generator=probe.generator()
        )

    yield from random_state_untouched(draw)


def _clean(probe: Probe) -> Function:
    return Function(probe.grid, probe.normal(probe.batch, probe.grid.size, 1).double())


def _times(probe: Probe) -> tuple[Tensor, Tensor, Tensor]:
    """Times r < s < t, of which the last sample's t is 1."""
    r, s, t = (probe.times(key).double() / 3.0 + key / 3.0 for key in range(3))
    t = t.clone()
    t[-1] = 1.0
    return r, s, t


def _scale(process: Process, s: Tensor, t: Tensor, probe: Probe) -> Tensor:
    """The matrix from x_s to the mean of x_t, one a sample: its action on unit vectors."""
    units = torch.eye(probe.grid.size, dtype=torch.float64).expand(probe.batch, -1, -1)
    return _require(process.transition(Function(probe.grid, units), s, t).mean).values


def _conditional(
    process: Process, x0: Function, x_t: Function, s: Tensor, t: Tensor, probe: Probe
) -> Gaussian:
    """The conditional law of the values of x_s, computed in the eigenbasis of the grid."""
    modes = modes_of(probe.grid)
    earlier, added = process.marginal(x0, s), process.transition(x0, s, t)
    joint = LinearGaussian(
        mean=_mean(earlier) @ modes,
        factor=_stds(earlier, probe.grid).diag_embed(),
        scale=modes.mT @ _scale(process, s, t, probe) @ modes,
        noise=_stds(added, probe.grid).diag_embed(),
    )
    law = joint.given(x_t.values.squeeze(-1) @ modes)
    return Gaussian(law.mean @ modes.mT, modes @ law.covariance @ modes.mT)


def _stds(measure: GaussianMeasure, grid: Grid) -> Tensor:
    """The standard deviations of the values' coefficients in the orthonormal basis of the grid."""
    variances = measure.mode_variances(grid) / grid.cell_volume
    return variances.reshape(*variances.shape[: variances.ndim - grid.dim], grid.size).sqrt()


def _carried(covariance: Tensor, scale: Tensor) -> Tensor:
    return scale @ covariance @ scale.mT


def _noise_covariance(process: Process, grid: Grid) -> Tensor:
    return GaussianMeasure(None, process.noise_factor, process.noise).covariance(grid)


def _mean(measure: GaussianMeasure) -> Tensor:
    return _require(measure.mean).values.squeeze(-1)


def _require(mean: Function | None) -> Function:
    if mean is None:
        raise TypeError("Marginal, transition and posterior have a mean; got None.")
    return mean


PROCESS_LAWS: tuple[Check, ...] = (
    marginal_is_signal_and_noise,
    amplitudes_scale_the_source,
    chapman_kolmogorov,
    transition_carries_the_marginal,
    posterior_is_the_conditional,
    prior_is_the_last_noise,
    no_mutation,
    no_global_randomness,
)
