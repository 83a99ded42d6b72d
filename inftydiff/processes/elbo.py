r"""The evidence lower bound of diffusion in function space, with the paper's weights corrected.

The model draws :math:`x_{t_0}` from the prior :math:`\mathcal N(0, \sigma_{t_0}^2 C)` and steps
through the times :math:`t_0 > t_1 > … > t_n > 0` by the posterior with the denoiser's signal in the
place of :math:`S x_0` (``DDPM()``). Prior, posteriors and :math:`q(x_{t_0}|x_0)` are Gaussians of
the same covariances up to a number, so their divergences are norms of Cameron and Martin, with
:math:`C = NN^*` times the noise's intensity squared and :math:`\mathrm{SNR} = \alpha^2/\sigma^2`:

.. math::
   \mathrm{KL}\bigl(q(x_{t_n}|x_0)\,\|\,p_\theta(x_{t_n})\bigr) \le
   \underbrace{\tfrac12\mathrm{SNR}(t_0)\,\|N^{-1}S x_0\|^2}_{\text{prior}} + \sum_{i<n}
   \underbrace{\tfrac12\bigl(\mathrm{SNR}(t_{i+1}) - \mathrm{SNR}(t_i)\bigr)\,
   E\,\bigl\|N^{-1}\bigl(S x_0 - \widehat{S x_0}(x_{t_i}, t_i)\bigr)\bigr\|^2}_{\text{diffusion}}.

Relative to :math:`\nu = \mathcal N(0, \sigma_{t_n}^2 C)`, the noise's own law at the last time, the
log-density of the model is therefore bounded, on average over :math:`q(x_{t_n}|x_0)`, by

.. math:: E\log\frac{\mathrm dp_\theta}{\mathrm d\nu}(x_{t_n}) \ge
   \tfrac12\mathrm{SNR}(t_n)\,\|N^{-1}S x_0\|^2 - \text{prior} - \sum\text{diffusion},

where the first term is :math:`\mathrm{KL}(q(x_{t_n}|x_0)\|\nu)`.

For neighbouring times, in the paper's notation, the weight is eq. (39) on :math:`\|x_0 - f\|^2`
for :math:`S = N = T`, and eq. (45) on :math:`\|T^{-1}(f - T\xi)\|^2`, both corrected:

.. math:: \frac{\bar\alpha_{t-1}\beta_t^2}{2\tilde\beta_t(1 - \bar\alpha_t)^2}, \qquad
          \frac{\beta_t^2}{2\tilde\beta_t\,\alpha_t(1 - \bar\alpha_t)}.

With any other variance than the posterior's :math:`\tilde\beta_t`, each of infinitely many
dimensions would add the same constant to each term.

References:
    Bond-Taylor and Willcocks, "∞-Diff", ICLR 2024, appendix B.2; Kingma et al., "Variational
    diffusion models", NeurIPS 2021, eq. (13).
"""

from dataclasses import dataclass
from typing import Literal, final

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._typing import Real, choice, flag, generator_for
from inftydiff.operators._algebra import same_multiplier
from inftydiff.operators.basis import eigenbasis
from inftydiff.operators.function import Function, require_same
from inftydiff.operators.linear import LinearOperator
from inftydiff.processes.denoiser import Denoiser, asked, check_answer, check_denoiser
from inftydiff.processes.diffusion import DiffusionProcess
from inftydiff.processes.reference import NoDensity, Reference, require_density, require_states
from inftydiff.processes.schedule import check_times
from inftydiff.processes.spectra import grid_coefficients, multiplier_of

__all__ = ["EvidenceBound", "elbo", "evidence_bound"]


@final
@dataclass(frozen=True, eq=False)
class EvidenceBound:
    r"""The terms of the bound, in nats, float64, summed over channels.

    Args:
        signal: :math:`\mathrm{KL}(q(x_{t_n}|x_0)\|\nu)`, of shape ``(batch,)``.
        prior: :math:`\mathrm{KL}(q(x_{t_0}|x_0)\|\text{prior})`, of shape ``(batch,)``.
        diffusion: one draw of the divergence of each step's posterior, of shape
            ``(steps, batch)``.
    """

    signal: Float[Tensor, "batch"]
    prior: Float[Tensor, "batch"]
    diffusion: Float[Tensor, "steps batch"]

    @property
    def divergence(self) -> Float[Tensor, "batch"]:
        r"""The upper bound on :math:`\mathrm{KL}(q(x_{t_n}|x_0)\|p_\theta)`, one a sample."""
        return self.prior + self.diffusion.sum(0)

    @property
    def total(self) -> Float[Tensor, "batch"]:
        r"""The lower bound on :math:`E\log\mathrm dp_\theta/\mathrm d\nu`, one number a sample."""
        return self.signal - self.divergence


def elbo(
    denoiser: Denoiser,
    x0: Function,
    *,
    times: Float[Tensor, "times"],
    variance: Literal["posterior", "transition"] = "posterior",
    cutoff: Real | None = None,
    smooth_data: bool = False,
    generator: torch.Generator,
) -> Float[Tensor, "batch"]:
    """The lower bound on the log-density of data: the total of :func:`evidence_bound`.

    Returns:
        One number a sample, of shape ``(batch,)``, in nats.

    Raises:
        ValueError: as :func:`evidence_bound`.
        TypeError: as :func:`evidence_bound`.
    """
    return evidence_bound(
        denoiser,
        x0,
        times=times,
        variance=variance,
        cutoff=cutoff,
        smooth_data=smooth_data,
        generator=generator,
    ).total


def evidence_bound(
    denoiser: Denoiser,
    x0: Function,
    *,
    times: Float[Tensor, "times"],
    variance: Literal["posterior", "transition"] = "posterior",
    cutoff: Real | None = None,
    smooth_data: bool = False,
    generator: torch.Generator,
) -> EvidenceBound:
    r"""The terms of the evidence lower bound, each expectation by one draw of the noise.

    The denoiser is asked once at each time but the last, and nothing is differentiated. Where it
    gives the clean function, the model steps to :math:`S` of it, and the errors are those of
    :math:`x_0`, times :math:`N^{-1}S`. For :math:`S = N`, in whatever expressions they are given,
    that is a factor of each mode of the grid of at most one over the noise's intensity, which it is
    where nothing folds onto the mode; a mode whose noise is lost to rounding has just that, so that
    :math:`N` need not be invertible and grids may be as fine as you like. Where the denoiser gives
    the signal only, :math:`N^{-1}` acts on the signal's error, as eq. (45) says: :math:`N` has to
    be invertible on the grid, and the bound is as bad as the prediction is rough.

    Args:
        denoiser: the denoiser, of a process with spectral operators and a constant signal operator.
        x0: clean functions on a full grid, values of shape ``(batch, points, channels)``.
        times: strictly decreasing times in (0, 1], such as ``timesteps(100, end=0.01)``. The bound
            is on the density at the last of them.
        variance: that of the model's steps, as in ``DDPM``: ``"posterior"``. With ``"transition"``
            there is no bound, and it is refused.
        cutoff: a wave number, in radians per unit of length. Modes above it are left out of the
            states and of the errors. By default all of the grid's count.
        smooth_data: whether to go on where :math:`N^{-1}S` is unbounded, because the data are known
            to be as smooth as :math:`N` makes functions.
        generator: the source of the noise.

    Raises:
        NoDensity: if the last time is 0, the variance is the transition's, or :math:`N^{-1}S` is
            unbounded and ``smooth_data`` does not vouch.
        ValueError: if the times do not decrease within (0, 1], the data do not live on a full grid
            or are not finite, the signal operator changes with time, the denoiser's answer is not
            finite, or :math:`N` must be inverted and cannot be on this grid (the message names a
            cut-off).
        TypeError: if an operator is not spectral.

    Example:
        >>> from inftydiff import CosineSchedule, GaussianMeasure, Grid, WhiteNoise, timesteps
        >>> from inftydiff.testing import GaussianDenoiser
        >>> process = DiffusionProcess.white(CosineSchedule())
        >>> data = GaussianMeasure(None, process.noise_factor, WhiteNoise())
        >>> g = torch.Generator().manual_seed(0)
        >>> x0 = data.sample(Grid((8,)), batch=2, channels=1, generator=g)
        >>> bound = evidence_bound(
        ...     GaussianDenoiser(process, data), x0, times=timesteps(5, end=0.5), generator=g
        ... )
        >>> tuple(bound.diffusion.shape), bool((bound.diffusion >= 0).all())
        ((5, 2), True)
    """
    process = check_denoiser(denoiser).process
    generator_for(generator, "A bound")
    flag(smooth_data, "smooth_data")
    _check_steps(times, variance)
    require_states(x0, "Data")
    require_density(process, smooth_data=smooth_data)
    places = times.double().to(x0.values.device)
    with torch.no_grad():
        reference = Reference.of(process, x0, cutoff)
        gain = _gain(process, reference)
        signal = process.signal_at(places)(x0)
        alpha, sigma = process.schedule.alpha(places), process.schedule.sigma(places)
        snr = (alpha / sigma).square()
        terms = []
        for i in range(len(places) - 1):
            noise = process.draw_noise(
                x0.on,
                batch=x0.batch[0],
                channels=x0.channels,
                generator=generator,
                dtype=x0.values.dtype,
                device=x0.values.device,
            )
            x_t = reference.project(signal * alpha[i].item() + noise * sigma[i].item())
            prediction = asked(denoiser, x_t, places[i].expand(x0.batch[0]))
            if prediction.clean is None:
                reference.require_inverse()
                error = reference.whiten(_difference(signal, prediction.signal, places[i]))
            else:
                error = gain * grid_coefficients(_difference(x0, prediction.clean, places[i]))
            terms.append(0.5 * (snr[i + 1] - snr[i]) * _energy(error))
        energy = _energy(gain * grid_coefficients(x0))
    return EvidenceBound(0.5 * snr[-1] * energy, 0.5 * snr[0] * energy, torch.stack(terms))


def _gain(process: DiffusionProcess, reference: Reference) -> Float[Tensor, "*modes"]:
    r"""The factors of :math:`N^{-1}S` on the modes kept, zero on the others.

    A mode whose noise is lost to rounding has, for :math:`S = N`, the factor of the functions
    themselves, one over the intensity. What folds onto a mode adds to its noise, so that this is
    the largest that the factor can be.
    """
    assert isinstance(process.signal, LinearOperator)
    factor = multiplier_of(process.signal)
    if not same_multiplier(factor, multiplier_of(process.noise_factor)):
        reference.require_inverse()
    grid, std = reference.on, reference.std
    spectrum = eigenbasis(grid.domain).eigenvalues(grid.shape, std.device)
    gain = torch.where(reference.visible, factor(spectrum) / std, 1.0 / process.noise.intensity)
    return torch.where(reference.kept, gain, 0.0)


def _difference(truth: Function, estimate: Function, t: Tensor) -> Function:
    require_same(truth, estimate)
    check_answer(estimate, t, "A denoiser's answer")
    return truth - estimate


def _energy(modes: Float[Tensor, "batch channels *modes"]) -> Float[Tensor, "batch"]:
    return modes.square().flatten(1).sum(-1)


def _check_steps(times: Tensor, variance: str) -> None:
    if isinstance(variance, str) and variance == "transition":
        raise NoDensity(
            "With the transition's variance every dimension adds a constant to each step's "
            "divergence, so that the bound falls without end as the grid is refined. Take "
            "variance='posterior'."
        )
    choice(variance, ("posterior",), "The variance")
    check_times(times)
    if times.ndim != 1 or times.numel() < 2 or not bool((times[1:] < times[:-1]).all()):
        raise ValueError(f"A bound takes at least two decreasing times; got {times.tolist()}.")
    if times[-1] == 0:
        raise NoDensity(
            "At t = 0 the state is S x₀ itself, which has no density relative to a noise of "
            "amplitude 0. End the times above 0, as by timesteps(100, end=0.01)."
        )
