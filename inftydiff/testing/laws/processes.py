r"""Laws of diffusion processes, with dense Gaussian algebra on a small grid.

The marginal is :math:`\mathcal N(\alpha_t S x_0, \sigma_t^2 C)`; transitions compose (Chapman and
Kolmogorov) and carry one marginal to the next; the posterior is what conditioning the joint
Gaussian law of :math:`(x_s, x_t)` on :math:`x_t` gives; the prior is the marginal's noise at the
last time.
"""

from collections.abc import Iterator
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

from inftydiff.operators import Function, Grid, LinearOperator
from inftydiff.processes import GaussianMeasure, Schedule, WhiteNoise
from inftydiff.testing.dense import matrix_of
from inftydiff.testing.laws.law import Check, Claim, equal, true
from inftydiff.testing.laws.purity import arguments_untouched, random_state_untouched
from inftydiff.testing.probe import Probe

__all__ = ["PROCESS_LAWS", "Gaussian", "Process", "condition"]

TOLERANCE = 1e-8


@runtime_checkable
class Process(Protocol):
    """What makes a process: ``DiffusionProcess``, or a class of one's own."""

    @property
    def schedule(self) -> Schedule:
        """The amplitudes."""

    @property
    def signal(self) -> LinearOperator:
        """The operator S."""

    @property
    def noise_factor(self) -> LinearOperator:
        """The operator N."""

    @property
    def noise(self) -> WhiteNoise:
        """The white noise."""

    @property
    def prior(self) -> GaussianMeasure:
        """The law that sampling starts from."""

    def marginal(self, x0: Function, t: Tensor) -> GaussianMeasure:
        """The law of x_t given x_0."""

    def transition(self, x_s: Function, s: Tensor, t: Tensor) -> GaussianMeasure:
        """The law of x_t given x_s."""

    def posterior(self, x_t: Function, x0: Function, t: Tensor, s: Tensor) -> GaussianMeasure:
        """The law of x_s given x_t and x_0."""


class Gaussian(NamedTuple):
    """A Gaussian law of point values, one a sample.

    Args:
        mean: of shape ``(batch, points)``.
        covariance: of shape ``(batch, points, points)``.
    """

    mean: Tensor
    covariance: Tensor


def condition(
    earlier: Gaussian, scale: Tensor, added: Tensor, observed: Tensor, *, rtol: float = 1e-13
) -> Gaussian:
    r"""The law of :math:`x` given :math:`y = a x + \epsilon`, by the formula for joint Gaussians.

    Args:
        earlier: the law of :math:`x`.
        scale: the numbers :math:`a`, of shape ``(batch,)``.
        added: the covariance of :math:`\epsilon`, of shape ``(batch, points, points)``.
        observed: the values :math:`y`, of shape ``(batch, points)``.
        rtol: eigenvalues of the covariance of :math:`y` below this part of the largest are zero.
    """
    a = scale.reshape(-1, 1, 1)
    cross = a * earlier.covariance
    total = a * cross + added
    gain = cross @ torch.linalg.pinv(total, rtol=rtol, hermitian=True)
    surprise = (observed - scale.unsqueeze(-1) * earlier.mean).unsqueeze(-1)
    mean = earlier.mean + (gain @ surprise).squeeze(-1)
    return Gaussian(mean, earlier.covariance - gain @ cross.mT)


def marginal_is_signal_and_noise(process: Process, probe: Probe) -> Iterator[Claim]:
    """x_t | x_0 is Gaussian with the mean α S x_0 and the covariance σ² C."""
    x0, (_, _, t) = _clean(probe), _times(probe)
    law = _gaussian(process.marginal(x0, t), probe.grid)
    signal = (matrix_of(process.signal, probe.grid) @ x0.values).squeeze(-1)
    alpha, sigma = process.schedule.alpha(t), process.schedule.sigma(t)
    yield equal(
        "the marginal's mean = α S x0", law.mean, alpha[:, None] * signal, tolerance=TOLERANCE
    )
    yield equal(
        "the marginal's covariance = σ² C",
        law.covariance,
        sigma[:, None, None] ** 2 * _noise_covariance(process, probe.grid),
        tolerance=TOLERANCE,
    )


def chapman_kolmogorov(process: Process, probe: Probe) -> Iterator[Claim]:
    """Going from r to s and from s to t is going from r to t."""
    x, (r, s, t) = _clean(probe), _times(probe)
    first = process.transition(x, r, s)
    assert first.mean is not None
    second = _gaussian(process.transition(first.mean, s, t), probe.grid)
    direct = _gaussian(process.transition(x, r, t), probe.grid)
    carried = _scale(process, s, t)[:, None, None] ** 2 * first.covariance(probe.grid)
    yield equal(
        "the mean of r → s → t = the mean of r → t", second.mean, direct.mean, tolerance=TOLERANCE
    )
    yield equal(
        "the covariance of r → s → t = the covariance of r → t",
        carried + second.covariance,
        direct.covariance,
        tolerance=TOLERANCE,
    )


def transition_carries_the_marginal(process: Process, probe: Probe) -> Iterator[Claim]:
    """The marginal at s, carried from s to t, is the marginal at t."""
    x0, (_, s, t) = _clean(probe), _times(probe)
    earlier = process.marginal(x0, s)
    assert earlier.mean is not None
    step = _gaussian(process.transition(earlier.mean, s, t), probe.grid)
    later = _gaussian(process.marginal(x0, t), probe.grid)
    carried = _scale(process, s, t)[:, None, None] ** 2 * earlier.covariance(probe.grid)
    yield equal(
        "the mean carried from s to t = the mean at t", step.mean, later.mean, tolerance=TOLERANCE
    )
    yield equal(
        "the covariance carried from s to t = the covariance at t",
        carried + step.covariance,
        later.covariance,
        tolerance=TOLERANCE,
    )


def posterior_is_the_conditional(process: Process, probe: Probe) -> Iterator[Claim]:
    """x_s | x_t, x_0 is the conditional of the joint Gaussian law of x_s and x_t given x_0."""
    x0, (r, s, t) = _clean(probe), _times(probe)
    x_t = process.marginal(x0, t).sample(
        probe.grid, batch=probe.batch, channels=1, generator=probe.generator(1)
    )
    for before, after in ((s, t), (r, s), (torch.zeros_like(t), t)):
        exact = condition(
            _gaussian(process.marginal(x0, before), probe.grid),
            _scale(process, before, after),
            _gaussian(process.transition(x0, before, after), probe.grid).covariance,
            x_t.values.squeeze(-1),
        )
        law = _gaussian(process.posterior(x_t, x0, after, before), probe.grid)
        yield equal(
            "the posterior's mean = the conditional's mean", law.mean, exact.mean, tolerance=1e-6
        )
        yield equal(
            "the posterior's covariance = the conditional's covariance",
            law.covariance,
            exact.covariance,
            tolerance=1e-6,
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


def _scale(process: Process, s: Tensor, t: Tensor) -> Tensor:
    return process.schedule.alpha(t) / process.schedule.alpha(s)


def _noise_covariance(process: Process, grid: Grid) -> Tensor:
    return GaussianMeasure(None, process.noise_factor, process.noise).covariance(grid)


def _gaussian(measure: GaussianMeasure, grid: Grid) -> Gaussian:
    assert measure.mean is not None
    return Gaussian(measure.mean.values.squeeze(-1), measure.covariance(grid))


PROCESS_LAWS: tuple[Check, ...] = (
    marginal_is_signal_and_noise,
    chapman_kolmogorov,
    transition_carries_the_marginal,
    posterior_is_the_conditional,
    prior_is_the_last_noise,
    no_mutation,
    no_global_randomness,
)
