r"""Continuous time: the forward equation, its reversal, and the probability flow.

The process :math:`x_t = \alpha S x_0 + \sigma N\xi` has, at each time, the law of

.. math::
   \mathrm dx = f\,x\,\mathrm dt + g\,N\,\mathrm dw, \qquad
   f = \frac{\dot\alpha}{\alpha}, \qquad g^2 = 2\sigma\dot\sigma - 2\sigma^2 f,

with a cylindrical Wiener process :math:`w` (of the noise's intensity), which for
:math:`\alpha^2+\sigma^2 = 1` and :math:`\beta = -2f = g^2` is :math:`\mathrm dx = -\tfrac12\beta
x\, \mathrm dt + \sqrt\beta\,N\,\mathrm dw`: what eq. (15) of the paper becomes for mollified
diffusion. Reversed, and without noise,

.. math::
   \mathrm dx &= \left[f x - g^2\, C\nabla\log p_t(x)\right]\mathrm dt + g\,N\,\mathrm d\bar w, \\
   \mathrm dx &= \left[f x - \tfrac12 g^2\, C\nabla\log p_t(x)\right]\mathrm dt, \qquad
   C\nabla\log p_t(x) = -\frac{E[N\xi\,|\,x_t = x]}{\sigma}.

The gradient alone is no function; *preconditioned* by the noise's covariance :math:`C = NN^*` it is
one, and the denoiser gives it without an inverse. (The paper's eq. (17) leaves :math:`C` out.) In
the *whitened* coordinates :math:`y = N^{-1}x`, which a grid has if :math:`N` can be inverted there,
the covariance is the identity and the equations are the ordinary ones. If the signal operator
changes with time, :math:`f` and :math:`g` are numbers mode by mode.

The reversal holds where the drift has finite energy in each coordinate (Föllmer and Wakolbinger),
and it is an equation for functions where :math:`E\|C\nabla\log p_t\|^2` is finite:
:func:`score_energy` is that number for Gaussian data.

References:
    Song et al., "Score-based generative modeling through stochastic differential equations", ICLR
    2021. H. Föllmer and A. Wakolbinger, "Time reversal of infinite-dimensional diffusions", 1986.
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol, final, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from inftydiff.operators.basis import eigenbasis
from inftydiff.operators.discretisation import Discretisation, Grid
from inftydiff.operators.function import Function
from inftydiff.operators.linear import LinearOperator
from inftydiff.operators.spectral import SpectralOperator
from inftydiff.processes._checks import (
    a_function,
    a_grid,
    a_place,
    conforming,
    one_a_sample,
    states,
)
from inftydiff.processes.denoiser import Denoiser, asked, check_denoiser
from inftydiff.processes.diffusion import DiffusionProcess, check_process
from inftydiff.processes.gaussian import GaussianMeasure, a_measure
from inftydiff.processes.schedule import check_times, log_alpha_rate, noise_variance_rate
from inftydiff.processes.spectra import ComputedMultiplier, multiplier_of, scale_modes

__all__ = [
    "Equation",
    "ForwardSDE",
    "ProbabilityFlowODE",
    "Rates",
    "ReverseSDE",
    "Whitened",
    "rates",
    "score_energy",
]

INVERTIBLE = 1e-10
"""The smallest factor of a noise operator, relative to its bound, that whitening divides by."""


class Rates(NamedTuple):
    r"""The coefficients of the forward equation, shaped like the amplitudes, float64.

    Args:
        drift: :math:`f`, in 1/time.
        diffusion: :math:`g`, the amplitude of :math:`N\,\mathrm dw`.
    """

    drift: Tensor
    diffusion: Tensor


def rates(process: DiffusionProcess, t: Float[Tensor, "batch"], on: Discretisation) -> Rates:
    r"""The coefficients :math:`f` and :math:`g` of a process, by differentiating its amplitudes.

    For a signal operator that changes with time, :math:`\dot m_t/m_t` adds to :math:`f`, mode by
    mode. At a kink of the schedule, and where a rate is infinite, they are those of one side.

    Args:
        process: any process, with a schedule of torch operations.
        t: times in [0, 1], of shape ``(batch,)``.
        on: where the functions live.

    Raises:
        ValueError: if a time is outside [0, 1], or the schedule cannot be differentiated.

    Example:
        >>> import torch
        >>> from inftydiff import CosineSchedule, Grid
        >>> t = torch.tensor([0.5], dtype=torch.float64)
        >>> f, g = rates(DiffusionProcess.white(CosineSchedule()), t, Grid((4,)))
        >>> bool(torch.allclose(g**2, -2 * f))  # a variance-preserving schedule
        True
    """
    check_process(process)
    check_times(t)
    if t.ndim != 1:
        raise ValueError(f"Times have the shape (batch,); got {tuple(t.shape)}.")
    a_place(on)
    t = t.double()
    drift = log_alpha_rate(process.schedule, t)
    squared = noise_variance_rate(process.schedule, t)
    log_derivative = process.log_derivative(t, on)
    if log_derivative is not None:
        one_each = (-1, *(1,) * (log_derivative.ndim - 1))
        drift = drift.reshape(one_each) + log_derivative
        variance = process.schedule.sigma(t).square().reshape(one_each)
        squared = squared.reshape(one_each) - 2.0 * variance * log_derivative
    return Rates(drift, squared.sqrt())


@runtime_checkable
class Equation(Protocol):
    """An ordinary or stochastic differential equation for a function."""

    @property
    def process(self) -> DiffusionProcess:
        """The process."""

    def drift(self, x: Function, t: Float[Tensor, "batch"]) -> Function:
        """The drift, in units of the function per time."""


@final
@dataclass(frozen=True)
class ForwardSDE:
    r"""The equation :math:`\mathrm dx = f x\,\mathrm dt + gN\,\mathrm dw`, which adds noise.

    Args:
        process: the diffusion process.
    """

    process: DiffusionProcess

    def __post_init__(self) -> None:
        check_process(self.process)

    def drift(self, x: Function, t: Float[Tensor, "batch"]) -> Function:
        """The drift f x.

        Args:
            x: states, values of shape ``(batch, points, channels)``.
            t: their times in [0, 1], of shape ``(batch,)``.

        Raises:
            ValueError: if a time is outside [0, 1].
        """
        states(x, "The states, x,")
        one_a_sample(t, x, "The times, t,")
        return scale_modes(x, rates(self.process, t, x.on).drift)

    def diffusion(self, t: Float[Tensor, "batch"], on: Discretisation) -> LinearOperator:
        """The operator g N that acts on the white noise's increments."""
        return _diffusion(self.process, t, on)


@final
@dataclass(frozen=True, eq=False)
class ReverseSDE:
    r"""Reversed: :math:`\mathrm dx = [f x - g^2 C\nabla\log p_t]\mathrm dt + gN\,\mathrm d\bar w`.

    Time runs from 1 to 0.

    Args:
        denoiser: the denoiser, which has the process.
    """

    denoiser: Denoiser

    def __post_init__(self) -> None:
        check_denoiser(self.denoiser)

    @property
    def process(self) -> DiffusionProcess:
        """The process of the denoiser."""
        return self.denoiser.process

    def drift(self, x: Function, t: Float[Tensor, "batch"]) -> Function:
        """The drift f x + (g²/σ) E[Nξ | x].

        Args:
            x: states, values of shape ``(batch, points, channels)``.
            t: their times in (0, 1], of shape ``(batch,)``.

        Raises:
            ValueError: if a time is outside (0, 1].
        """
        return _reverse_drift(self.denoiser, x, t, share=1.0)

    def diffusion(self, t: Float[Tensor, "batch"], on: Discretisation) -> LinearOperator:
        """The operator g N that acts on the white noise's increments."""
        return _diffusion(self.process, t, on)


@final
@dataclass(frozen=True, eq=False)
class ProbabilityFlowODE:
    r"""The equation :math:`\mathrm dx = [f x - \tfrac12 g^2 C\nabla\log p_t]\mathrm dt`, eq. (8).

    It has no noise and the laws of the process; its drift is also :math:`\dot\alpha\,E[S x_0|x] +
    \dot\sigma\,E[N\xi|x]`.

    Args:
        denoiser: the denoiser, which has the process.
    """

    denoiser: Denoiser

    def __post_init__(self) -> None:
        check_denoiser(self.denoiser)

    @property
    def process(self) -> DiffusionProcess:
        """The process of the denoiser."""
        return self.denoiser.process

    def drift(self, x: Function, t: Float[Tensor, "batch"]) -> Function:
        """The drift f x + (g²/2σ) E[Nξ | x].

        Args:
            x: states, values of shape ``(batch, points, channels)``.
            t: their times in (0, 1], of shape ``(batch,)``.

        Raises:
            ValueError: if a time is outside (0, 1].
        """
        return _reverse_drift(self.denoiser, x, t, share=0.5)


@final
@dataclass(frozen=True, eq=False)
class Whitened:
    r"""An equation in the coordinates :math:`y = N^{-1}x`, whose noise is white.

    Args:
        equation: one of the equations above.
        on: the grid, on which the noise factor must have an inverse.

    Raises:
        ValueError: if the noise factor has a factor on this grid that is too small to divide by.
        TypeError: if the noise factor is not spectral.
    """

    equation: Equation
    on: Grid

    def __post_init__(self) -> None:
        conforming(self.equation, Equation, "An equation", "Pass ForwardSDE(process), say.")
        a_grid(self.on)
        factor = self._factor(self.on)
        smallest, largest = factor.abs().min().item(), factor.abs().max().item()
        if not smallest > INVERTIBLE * largest:
            raise ValueError(
                f"The noise factor cannot be inverted on Grid({self.on.shape}): its factors go "
                f"from {largest:.3g} down to {smallest:.3g}. Use a coarser grid or a narrower "
                "mollifier, or the equation as it is, which needs no inverse."
            )

    def drift(self, y: Function, t: Float[Tensor, "batch"]) -> Function:
        """The drift of the whitened state: N⁻¹ times the equation's drift at N y.

        Args:
            y: whitened states on the grid, values of shape ``(batch, points, channels)``.
            t: their times in (0, 1], of shape ``(batch,)``.
        """
        return self.whiten(self.equation.drift(self.colour(y), t))

    def whiten(self, x: Function) -> Function:
        """N⁻¹ x."""
        return self._operator(-1)(a_function(x, "The states"))

    def colour(self, y: Function) -> Function:
        """N y."""
        return self._operator(1)(a_function(y, "The whitened states"))

    def _operator(self, power: int) -> SpectralOperator:
        multiplier = multiplier_of(self.equation.process.noise_factor)
        bound = (self._factor(self.on) ** power).abs().max().item()
        return SpectralOperator(ComputedMultiplier(lambda e: multiplier(e) ** power, bound))

    def _factor(self, on: Grid) -> Tensor:
        multiplier = multiplier_of(self.equation.process.noise_factor)
        return multiplier(eigenbasis(on.domain).eigenvalues(on.shape))


def score_energy(
    process: DiffusionProcess, data: GaussianMeasure, t: Float[Tensor, "batch"], on: Grid
) -> Float[Tensor, "batch"]:
    r"""The energy :math:`E\|C\nabla\log p_t(x_t)\|^2` of the preconditioned score, per channel.

    For Gaussian data with the mode variances :math:`P_k` of :math:`S x_0` and :math:`V_k` of
    :math:`N\xi` it is :math:`\sum_k V_k^2/(\alpha^2 P_k + \sigma^2 V_k)`, of the order of the trace
    of :math:`C`: under refinement it converges for trace-class noise, and the reversed equation is
    one for functions; for white noise it grows with the number of points.

    Args:
        process: a process with spectral operators and a constant signal operator.
        data: the law of :math:`x_0`, with mean zero.
        t: times in (0, 1], of shape ``(batch,)``.
        on: the grid whose modes are summed.
    """
    check_process(process)
    a_measure(data, "The data")
    check_times(t)
    if t.ndim != 1:
        raise ValueError(f"Times have the shape (batch,); got {tuple(t.shape)}.")
    a_grid(on)
    signal = GaussianMeasure(None, process.constant_signal @ data.factor, data.noise)
    noise = GaussianMeasure(None, process.noise_factor, process.noise)
    P, V = (m.mode_variances(on).flatten() for m in (signal, noise))
    alpha, sigma = process.schedule.alpha(t.double()), process.schedule.sigma(t.double())
    total = alpha.square().outer(P) + sigma.square().outer(V)
    return (V.square() / total).nan_to_num(nan=0.0).sum(-1)


def _diffusion(process: DiffusionProcess, t: Tensor, on: Discretisation) -> LinearOperator:
    g = rates(process, t, on).diffusion
    if g.ndim == 1:
        return process.noise_factor * g
    multiplier = ComputedMultiplier(lambda _: g, g.max().item())
    return SpectralOperator(multiplier) @ process.noise_factor


def _reverse_drift(denoiser: Denoiser, x: Function, t: Tensor, *, share: float) -> Function:
    states(x, "The states, x,")
    one_a_sample(t, x, "The times, t,")
    if bool((t <= 0.0).any()):
        raise ValueError(
            f"The score is known at times in (0, 1]; got {t.min().item():g}. Without noise there "
            "is no density: stop at a later time."
        )
    f, g = rates(denoiser.process, t, x.on)
    sigma = denoiser.process.amplitudes(t, x.on).sigma
    return scale_modes(x, f) + scale_modes(asked(denoiser, x, t).noise, share * g**2 / sigma)
