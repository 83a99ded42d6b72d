r"""The likelihood of a state, by the probability flow.

Relative to the law of its own noise, :math:`\nu_t = \mathcal N(0, \sigma_t^2 C)`, a state of a
diffusion of functions has a density (:mod:`~inftydiff.processes.reference`). In the whitened
coordinates :math:`y = N^{-1}x/\sigma`, in which :math:`\nu_t` is standard normal at all times, the
probability flow :math:`\dot x = \dot\alpha\,\widehat{S x_0} + \dot\sigma\,\widehat{N\xi}` is

.. math:: \frac{\mathrm dy}{\mathrm d\lambda} = \frac\alpha\sigma\, N^{-1}\widehat{S x_0},
          \qquad \lambda = \log\frac\alpha\sigma,

which no longer depends on the schedule, and along it
:math:`\ell = \log\frac{\mathrm dp_t}{\mathrm d\nu_t}(x_t)` changes by

.. math:: \frac{\mathrm d\ell}{\mathrm d\lambda}
          = \Bigl\langle y, \frac{\mathrm dy}{\mathrm d\lambda}\Bigr\rangle
          - \operatorname{div}\frac{\mathrm dy}{\mathrm d\lambda}
          = \alpha\Bigl[\frac{\langle x, \widehat{S x_0}\rangle_C}{\sigma^2}
          - \operatorname{tr}\frac{\partial\widehat{S x_0}}{\partial x}\Bigr],

with the inner product :math:`\langle x, z\rangle_C = \sum_k x_k z_k/V_k` of Cameron and Martin.
The model starts from its prior :math:`\nu_1`, so :math:`\ell = 0` at :math:`t = 1`. (The process
itself is there at most :math:`\tfrac12\mathrm{SNR}(1)\,E\|N^{-1}S x_0\|^2` away in Kullback–Leibler
divergence.)

For Gaussian data with the ratios :math:`\rho_k = P_k/V_k` of the variances of the modes of
:math:`S x_0` and :math:`N\xi`, and :math:`\mathrm{SNR} = \alpha^2/\sigma^2`, it is

.. math:: \ell = \frac12\sum_k\Bigl[\frac{\mathrm{SNR}\,\rho_k}{1 + \mathrm{SNR}\,\rho_k}\, y_k^2
          - \log(1 + \mathrm{SNR}\,\rho_k)\Bigr],

which has a limit under refinement iff :math:`\sum_k\rho_k^2 < \infty` (Feldman and Hájek). It grows
without bound as :math:`t → 0`.

References:
    Song et al., "Score-based generative modeling through stochastic differential equations", ICLR
    2021, section 4.3; Grathwohl et al., "FFJORD", ICLR 2019 (the estimate of the trace).
"""

from dataclasses import dataclass
from typing import TypeAlias, final

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._typing import Real, check_device, flag, generator_for, number, positive, whole
from inftydiff.operators.function import Function, require_same
from inftydiff.processes._checks import states
from inftydiff.processes.denoiser import Denoiser, asked, check_answer, check_denoiser
from inftydiff.processes.diffusion import DiffusionProcess
from inftydiff.processes.reference import NoDensity, Reference, require_density, require_states
from inftydiff.processes.schedule import noise_ratio, time_at_ratio
from inftydiff.processes.solvers.flow import adaptive_integrator

__all__ = ["log_likelihood"]

LARGEST_RATIO = 1e6
"""The ratio σ/α at which the flow ends if the signal vanishes at t = 1: an SNR of 10⁻¹²."""

FIRST_STEP = 0.5
"""The first step in log σ/α tried, which is the scale on which the flow of a mode changes."""

State: TypeAlias = tuple[Tensor, Tensor]


def log_likelihood(
    denoiser: Denoiser,
    x: Function,
    *,
    time: Real,
    probes: int | None = None,
    generator: torch.Generator | None = None,
    cutoff: Real | None = None,
    smooth_data: bool = False,
    rtol: Real = 1e-5,
    atol: Real = 1e-5,
) -> Float[Tensor, "batch"]:
    r"""The log-density of states relative to the law of their noise, in nats.

    .. math:: \log\frac{\mathrm dp_t}{\mathrm d\nu_t}(x), \qquad
              \nu_t = \mathcal N(0, \sigma_t^2 C),

    of the model that the probability flow carries from the prior to time :math:`t`, integrated by
    an adaptive Runge–Kutta method of order eight. Under refinement of the grid it converges.
    Nothing is differentiated outside; the denoiser is differentiated inside.

    Args:
        denoiser: the denoiser, of a process with spectral operators and a constant signal operator.
            Its signal is differentiable in ``x_t`` and depends on each sample alone. It is called
            in the dtype of ``x``.
        x: states at time ``time`` on a full grid, values of shape ``(batch, points, channels)``. Of
            data :math:`x_0` they are draws from ``process.marginal(x0, t)``.
        time: the time :math:`t` in (0, 1) of the states.
        probes: how many random signs a mode estimate the trace (Hutchinson), at as many backward
            passes for each call of the denoiser. By default the trace is exact, at one backward
            pass a channel and mode, which is for small grids.
        generator: the source of the probes, on the device of the states; needed with them.
        cutoff: a wave number, in radians per unit of length. Modes above it are set to zero in the
            states and in the denoiser's answers: the likelihood is that of the flow of the modes
            below. By default all of the grid's.
        smooth_data: whether to go on where :math:`N^{-1}S` is unbounded, because the data are known
            to be as smooth as :math:`N` makes functions.
        rtol: the relative tolerance of a step, for each sample's whitened state and log-density.
        atol: the absolute one.

    Returns:
        One number a sample, of shape ``(batch,)``, float64, summed over channels.

    Raises:
        NoDensity: at time 0, where no density exists; or if :math:`N^{-1}S` is unbounded and
            ``smooth_data`` does not vouch.
        ValueError: if the time is outside (0, 1), the states do not live on a full grid or are not
            finite, the signal operator changes with time, :math:`N` cannot be inverted to rounding
            on this grid (the message names a cut-off), probes come without a generator or the
            reverse or with one on another device, the tolerances are not above zero, or the
            denoiser's answer is not finite or not differentiable.
        TypeError: if an operator is not spectral.
        ModuleNotFoundError: if torchdiffeq is not installed.

    Example:
        >>> from inftydiff import CosineSchedule, GaussianMeasure, Grid, WhiteNoise
        >>> from inftydiff import gaussian_mollifier
        >>> from inftydiff.testing import GaussianDenoiser
        >>> process = DiffusionProcess.white(CosineSchedule())
        >>> data = GaussianMeasure(None, gaussian_mollifier(0.1), WhiteNoise())
        >>> x = Function(Grid((8,)), torch.zeros(1, 8, 1))
        >>> found = log_likelihood(GaussianDenoiser(process, data), x, time=0.5)
        >>> t = torch.tensor(0.5, dtype=torch.float64)
        >>> snr = (process.schedule.alpha(t) / process.schedule.sigma(t)) ** 2
        >>> exact = -0.5 * torch.log1p(snr * data.mode_variances(x.on)).sum()
        >>> bool((found - exact).abs() < 1e-4)
        True

    References:
        Song et al., "Score-based generative modeling through stochastic differential equations",
        ICLR 2021, appendix D.2.
    """
    process = check_denoiser(denoiser).process
    time = number(time, "The time of a likelihood")
    flag(smooth_data, "smooth_data")
    if generator is not None:
        generator_for(generator, "A likelihood")
    states(x, "States")
    _check_time(time)
    _check_probes(x, probes, generator)
    require_states(x, "States")
    require_density(process, smooth_data=smooth_data)
    tolerances = {
        "rtol": positive(rtol, "A relative tolerance"),
        "atol": positive(atol, "An absolute tolerance"),
    }
    with torch.inference_mode(False), torch.no_grad():
        reference = Reference.of(process, x, cutoff)
        reference.require_inverse()
        signs = _signs(reference, x, probes, generator)
        first, last = _ends(process, float(time), x.values.device)
        flow = _Flow(denoiser, reference, signs, last.item())
        sigma = process.schedule.sigma(torch.tensor(time, dtype=torch.float64)).item()
        start = reference.whiten(x) / sigma, x.values.new_zeros(x.batch, dtype=torch.float64)
        options = {"norm": _largest, "step_t": last.reshape(1), "first_step": FIRST_STEP}
        ends = torch.stack([first, last])
        integrate = adaptive_integrator("The likelihood")
        _, change = integrate(flow, start, ends, method="dopri8", options=options, **tolerances)
    return -change[-1]


@final
@dataclass(frozen=True, eq=False)
class _Flow:
    """The rates of the whitened state and of the log-density in log σ/α."""

    denoiser: Denoiser
    reference: Reference
    signs: Tensor | None
    end: float

    def __call__(self, log_ratio: Tensor, state: State) -> State:
        schedule = self.denoiser.process.schedule
        t = time_at_ratio(schedule, log_ratio.cpu().clamp(max=self.end).exp())
        alpha, sigma = schedule.alpha(t).item(), schedule.sigma(t).item()
        with torch.enable_grad():
            y = state[0].detach().requires_grad_()
            signal = self._signal(y * sigma, t.item())
            trace = self._trace(signal, y)
        velocity = signal.detach() * (alpha / sigma)
        change = (state[0] * velocity).flatten(1).sum(-1) - trace * (alpha / sigma)
        return -velocity, -change

    def _signal(self, y: Tensor, t: float) -> Tensor:
        x_t = self.reference.colour(y)
        times = torch.full((len(y),), t, dtype=torch.float64, device=y.device)
        signal = asked(self.denoiser, x_t, times).signal
        require_same(x_t, signal)
        check_answer(signal, times, "A denoiser's signal")
        return self.reference.whiten(signal)

    def _trace(self, signal: Tensor, y: Tensor) -> Tensor:
        """The trace of each sample's derivative of the signal by the state."""
        if self.signs is not None:
            products = [(v * _pulled_back(signal, y, v)).flatten(1).sum(-1) for v in self.signs]
            return torch.stack(products).mean(0)
        trace = y.new_zeros(len(y))
        kept = self.reference.kept.expand(y.shape[1:]).flatten().nonzero().flatten().tolist()
        for place in kept:
            direction = torch.zeros_like(y)
            direction.view(len(y), -1)[:, place] = 1.0
            trace += _pulled_back(signal, y, direction).flatten(1)[:, place]
        return trace


def _pulled_back(signal: Tensor, y: Tensor, direction: Tensor) -> Tensor:
    gradient = None
    if signal.requires_grad:
        (gradient,) = torch.autograd.grad(
            signal, y, direction, retain_graph=True, allow_unused=True
        )
    if gradient is None:
        raise ValueError(
            "The denoiser's signal has no gradient by the state, and the likelihood needs its "
            "trace. Call the network without torch.no_grad, and detach nothing."
        )
    return gradient


def _signs(
    reference: Reference, x: Function, probes: int | None, generator: torch.Generator | None
) -> Tensor | None:
    """Random signs for each sample, channel and mode kept, of shape ``(probes, batch, …)``."""
    if probes is None or generator is None:
        return None
    shape = (whole(probes, "The number of probes"), *x.batch, x.channels, *reference.on.shape)
    bits = torch.randint(0, 2, shape, generator=generator, device=generator.device)
    return torch.where(reference.kept, 2.0 * bits.to(reference.std) - 1.0, 0.0)


def _largest(state: State) -> Tensor:
    """The largest of the samples' errors, in the root mean square of a whitened state."""
    y, log_density = state
    return torch.maximum(y.square().flatten(1).mean(1).max().sqrt(), log_density.abs().max())


def _ends(process: DiffusionProcess, time: float, device: torch.device) -> State:
    """Return where the flow starts and ends, in log σ/α."""
    times = torch.tensor([time, 1.0], dtype=torch.float64)
    first, last = noise_ratio(process.schedule, times).clamp(max=LARGEST_RATIO).log().to(device)
    if not bool(first < last):
        raise ValueError(
            f"The schedule's σ/α is as large at t = {time} as at 1: the states are the prior's, of "
            "log-density 0. Take an earlier time."
        )
    return first, last


def _check_probes(x: Function, probes: int | None, generator: torch.Generator | None) -> None:
    if (probes is None) != (generator is None):
        raise ValueError(
            "Probes are drawn by a generator: pass both, or neither for the exact trace; got "
            f"probes={probes} and generator={generator}."
        )
    if generator is not None:
        check_device(
            generator.device,
            x.values.device,
            "The generator of the probes and the states",
            "Pass torch.Generator(x.values.device).",
        )


def _check_time(time: Real) -> None:
    if time == 0:
        raise NoDensity(
            "At t = 0 the state is S x₀ itself, which has no density relative to a noise of "
            "amplitude 0; the values grow without bound as t falls. Take a time above 0, and state "
            "it beside the value."
        )
    if not 0.0 < time < 1.0:
        raise ValueError(f"The time of a likelihood lies in (0, 1); got {time}.")
