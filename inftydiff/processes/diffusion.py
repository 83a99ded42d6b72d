r"""The diffusion process of a function.

.. math:: x_t = \alpha(t)\, S x_0 + \sigma(t)\, N\xi, \qquad C = N N^*,

with linear operators :math:`S` (signal) and :math:`N` (noise factor) and white noise :math:`\xi`.
:math:`S = N = I` is diffusion with white noise, :math:`S = N = T` the paper's mollified diffusion
(eq. 11), :math:`S = I, N = T` the noise-only variant, :math:`S = I` with a trace-class :math:`N`
the diffusion with coloured noise of the concurrent papers. With :math:`\alpha_{t|s} =
\alpha_t/\alpha_s` and
:math:`\sigma_{t|s}^2 = \sigma_t^2 - \alpha_{t|s}^2\sigma_s^2`, for any :math:`s < t`,

.. math::
   x_t | x_s &\sim \mathcal N(\alpha_{t|s}\, x_s,\ \sigma_{t|s}^2\, C), \\
   x_s | x_t, x_0 &\sim \mathcal N\left(\frac{\alpha_{t|s}\sigma_s^2}{\sigma_t^2}\, x_t +
   \frac{\alpha_s\sigma_{t|s}^2}{\sigma_t^2}\, S x_0,\
   \frac{\sigma_s^2\sigma_{t|s}^2}{\sigma_t^2}\, C \right),

which for neighbouring times are eqs. (12) and (26) of the paper.

If the signal operator changes with time (blurring diffusion), the same holds mode by mode of the
Laplacian's eigenbasis, with the amplitudes :math:`\alpha_t m_t(\lambda_k)` of :math:`x_0` in the
place of :math:`\alpha_t`. The amplitudes multiply a *source*, which is :math:`S x_0` if :math:`S`
is constant and :math:`x_0` if not; a solver is one formula in amplitudes, source and noise.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._typing import floating, generator_for, instance
from inftydiff.operators.basis import eigenbasis
from inftydiff.operators.discretisation import Discretisation, Grid, Subset
from inftydiff.operators.domain import Domain, unit_box
from inftydiff.operators.function import Function
from inftydiff.operators.linear import Identity, LinearOperator
from inftydiff.operators.spectral import SpectralOperator
from inftydiff.processes._checks import a_function, a_place, an_operator, conforming, one_a_sample
from inftydiff.processes.amplitudes import (
    Amplitudes,
    Posterior,
    Transition,
    check_order,
    posterior_between,
    transition_between,
)
from inftydiff.processes.certificates import require_trace_class
from inftydiff.processes.gaussian import GaussianMeasure
from inftydiff.processes.noise import Noise, WhiteNoise
from inftydiff.processes.parameterisation import ANSWER, Prediction
from inftydiff.processes.random_field import RandomField
from inftydiff.processes.schedule import Schedule, check_schedule, check_times
from inftydiff.processes.spectra import ComputedMultiplier, scale_modes
from inftydiff.processes.time_dependent_signal import TimeDependentSignal

__all__ = [
    "DiffusionProcess",
    "check_process",
]

UNIT = WhiteNoise()
"""White noise of intensity one."""


@final
@dataclass(frozen=True)
class DiffusionProcess:
    r"""The process :math:`x_t = \alpha(t)\,S x_0 + \sigma(t)\,N\xi`.

    Args:
        schedule: the amplitudes :math:`\alpha` and :math:`\sigma`.
        signal: the operator :math:`S`, or a family of them, one for each time.
        noise_factor: the operator :math:`N`.
        noise: the white noise :math:`\xi`.

    Raises:
        ValueError: if the signal operator changes with time and the noise factor makes functions of
            white noise.

    Example:
        >>> from inftydiff import CosineSchedule, gaussian_mollifier
        >>> T = gaussian_mollifier(1 / 64)
        >>> process = DiffusionProcess.mollified(CosineSchedule(), T, noise=WhiteNoise(1 / 64))
        >>> process.signal is process.noise_factor is T
        True

    References:
        Bond-Taylor and Willcocks, "∞-Diff", ICLR 2024, section 3.2 and appendix B.
    """

    schedule: Schedule
    signal: LinearOperator | TimeDependentSignal = field(kw_only=True)
    noise_factor: LinearOperator = field(kw_only=True)
    noise: Noise = field(kw_only=True)

    def __post_init__(self) -> None:
        check_schedule(self.schedule)
        operator = "Pass Identity(), gaussian_mollifier(width) or Blurring(width)."
        kinds = (LinearOperator, TimeDependentSignal)
        instance(self.signal, kinds, "The signal operator of a process", operator)
        an_operator(self.noise_factor, "The noise factor of a process")
        conforming(self.noise, Noise, "The noise of a process", "Pass WhiteNoise(intensity).")
        if isinstance(self.signal, TimeDependentSignal) and _smooth(self.noise_factor):
            raise ValueError(
                "A signal operator that changes with time goes with white noise: on a grid the "
                "modes of a smooth noise above the grid's are folded in, and would fade as the "
                "modes that they fold to. Take noise_factor=Identity(). "
                f"Got a {type(self.noise_factor).__name__}."
            )

    @staticmethod
    def white(schedule: Schedule, *, noise: Noise = UNIT) -> "DiffusionProcess":
        """White-noise diffusion, S = N = I: DDPM, cell by cell."""
        identity = Identity()
        return DiffusionProcess(schedule, signal=identity, noise_factor=identity, noise=noise)

    @staticmethod
    def mollified(
        schedule: Schedule, mollifier: LinearOperator, *, noise: Noise = UNIT
    ) -> "DiffusionProcess":
        """Mollified diffusion, S = N = T: the paper's process."""
        return DiffusionProcess(schedule, signal=mollifier, noise_factor=mollifier, noise=noise)

    @staticmethod
    def noise_only(
        schedule: Schedule, mollifier: LinearOperator, *, noise: Noise = UNIT
    ) -> "DiffusionProcess":
        """Diffusion with mollified noise on data as they are, S = I and N = T."""
        return DiffusionProcess(schedule, signal=Identity(), noise_factor=mollifier, noise=noise)

    @staticmethod
    def trace_class(
        schedule: Schedule,
        factor: LinearOperator,
        *,
        domain: Domain,
        noise: Noise = UNIT,
    ) -> "DiffusionProcess":
        """Diffusion with noise that is a function, S = I and N a factor of a trace-class operator.

        Args:
            schedule: the amplitudes.
            factor: the operator N, such as ``matern(smoothness, length_scale, dim=2)``.
            domain: where the functions live; the condition depends on its dimension.
            noise: the white noise.

        Raises:
            ValueError: if the covariance is not known to be trace-class there.
        """
        require_trace_class(GaussianMeasure(None, factor, noise), domain)
        return DiffusionProcess(schedule, signal=Identity(), noise_factor=factor, noise=noise)

    @staticmethod
    def blurring(
        schedule: Schedule, family: TimeDependentSignal, *, noise: Noise = UNIT
    ) -> "DiffusionProcess":
        """Blurring diffusion: a signal operator that changes with time, and white noise."""
        return DiffusionProcess(schedule, signal=family, noise_factor=Identity(), noise=noise)

    @property
    def prior(self) -> GaussianMeasure:
        r"""The law :math:`\mathcal N(0, \sigma(1)^2 C)` that sampling starts from."""
        sigma = self.schedule.sigma(torch.ones((), dtype=torch.float64)).item()
        return GaussianMeasure(None, sigma * self.noise_factor, self.noise)

    @property
    def constant_signal(self) -> LinearOperator:
        """The signal operator of all times.

        Raises:
            TypeError: if it changes with time.
        """
        if isinstance(self.signal, TimeDependentSignal):
            raise TypeError(
                "This needs one signal operator for all times, as mollified diffusion has; that of "
                f"the process is a {type(self.signal).__name__}, which changes with time. Take "
                "DiffusionProcess.white or .mollified."
            )
        return self.signal

    def signal_at(self, t: Float[Tensor, "batch"]) -> LinearOperator:
        """The signal operator at some times, of shape ``(batch,)``."""
        floating(t, "Times")
        return self.signal(t) if isinstance(self.signal, TimeDependentSignal) else self.signal

    def amplitudes(self, t: Float[Tensor, "batch"], on: Discretisation) -> Amplitudes:
        r"""The amplitudes of source and noise, :math:`x_t = \alpha_t\,source + \sigma_t N\xi`.

        They scale functions by :func:`~inftydiff.processes.scale_modes`.

        Args:
            t: times in [0, 1], of shape ``(batch,)``.
            on: where the functions live.

        Raises:
            ValueError: if a time lies outside [0, 1], or the signal operator changes with time and
                the functions do not live on a grid.
        """
        floating(t, "Times")
        return self._amplitudes(t, self._eigenvalues(a_place(on), t.device))

    def source(self, prediction: Prediction, t: Float[Tensor, "batch"]) -> Function:
        r"""The estimate of what the amplitudes multiply.

        :math:`S x_0` if the signal operator is constant. If it is not: :math:`x_0`, where the
        denoiser does not give it from the signal by :math:`S_t^{-1}`.

        Args:
            prediction: what a denoiser said of the state at ``t``.
            t: the times, of shape ``(batch,)``.
        """
        instance(prediction, Prediction, "What a denoiser says", ANSWER)
        if not isinstance(self.signal, TimeDependentSignal):
            return prediction.signal
        check_times(t)
        if prediction.clean is not None:
            return prediction.clean
        self._check_modal(t, prediction.signal)
        spectrum = self._eigenvalues(prediction.signal.on, t.device)
        assert spectrum is not None
        return scale_modes(prediction.signal, 1.0 / self.signal.multiplier(t)(spectrum))

    def log_derivative(
        self, t: Float[Tensor, "batch"], on: Discretisation
    ) -> Float[Tensor, "batch *modes"] | None:
        r"""The rate :math:`\dot m_t/m_t ≤ 0` of the signal operator, mode by mode.

        None if the signal operator is constant.

        Args:
            t: times in [0, 1], of shape ``(batch,)``.
            on: the grid where the functions live.
        """
        check_times(t)
        spectrum = self._eigenvalues(a_place(on), t.device)
        if spectrum is None:
            return None
        assert isinstance(self.signal, TimeDependentSignal)
        return self.signal.log_derivative(t, spectrum)

    def marginal(self, x0: Function, t: Float[Tensor, "batch"]) -> GaussianMeasure:
        r"""The law of :math:`x_t|x_0`, :math:`\mathcal N(\alpha_t S x_0, \sigma_t^2 C)`, eq. (11).

        Args:
            x0: clean functions on a full grid, values of shape ``(batch, points, channels)``.
            t: times in [0, 1], of shape ``(batch,)``.

        Raises:
            ValueError: if a time lies outside [0, 1].
        """
        a_function(x0, "The clean functions, x0,")
        check_times(t)
        self._check_modal(t, x0)
        alpha, sigma = self.schedule.alpha(t.double()), self.schedule.sigma(t.double())
        mean = self.signal_at(t)(x0) * alpha
        return GaussianMeasure(mean, self.noise_factor * sigma, self.noise)

    def transition(
        self, x_s: Function, s: Float[Tensor, "batch"], t: Float[Tensor, "batch"]
    ) -> GaussianMeasure:
        r"""The law of :math:`x_t|x_s` for :math:`s < t`.

        Args:
            x_s: states at the earlier times, on any discretisation (a grid, if the signal operator
                changes with time).
            s: the earlier times, of shape ``(batch,)``.
            t: the later times, of shape ``(batch,)``.

        Raises:
            ValueError: unless 0 ≤ s < t ≤ 1.
        """
        a_function(x_s, "The states, x_s,")
        self._check_modal(t, x_s)
        numbers = self.transition_coefficients(s, t, on=x_s.on)
        factor = self._factor(numbers.std, lambda spectrum: self._transition(s, t, spectrum).std, t)
        return GaussianMeasure(scale_modes(x_s, numbers.scale), factor, self.noise)

    def posterior(
        self, x_t: Function, x0: Function, t: Float[Tensor, "batch"], s: Float[Tensor, "batch"]
    ) -> GaussianMeasure:
        r"""The law of :math:`x_s|x_t, x_0` for :math:`s < t`, eq. (12).

        Args:
            x_t: states at the later times, on the grid of ``x0`` or a subset of it.
            x0: clean functions (not mollified) on a full grid.
            t: the later times, of shape ``(batch,)``.
            s: the earlier times, of shape ``(batch,)``.

        Raises:
            ValueError: unless 0 ≤ s < t ≤ 1.
        """
        a_function(x_t, "The states, x_t,")
        a_function(x0, "The clean functions, x0,")
        self._check_modal(t, x_t)
        self._check_modal(t, x0)
        numbers = self.posterior_coefficients(t, s, on=x_t.on)
        source = x0 if isinstance(self.signal, TimeDependentSignal) else self.signal(x0)
        if isinstance(x_t.on, Subset) and x_t.on != source.on:
            source = source.restrict(x_t.on)
        mean = scale_modes(x_t, numbers.state) + scale_modes(source, numbers.signal)
        factor = self._factor(numbers.std, lambda spectrum: self._posterior(t, s, spectrum).std, t)
        return GaussianMeasure(mean, factor, self.noise)

    def transition_coefficients(
        self,
        s: Float[Tensor, "*batch"],
        t: Float[Tensor, "*batch"],
        *,
        on: Discretisation | None = None,
    ) -> Transition:
        """The numbers of the transition from s to t, in float64.

        Args:
            s: the earlier times, a tensor of any shape, ``(batch,)`` if the signal operator
                changes with time.
            t: the later times, a tensor of any shape, ``(batch,)`` if the signal operator
                changes with time.
            on: where the states live; needed if the signal operator changes with time.

        Raises:
            ValueError: unless 0 ≤ s < t ≤ 1.
        """
        check_order(s, t)
        return self._transition(s, t, self._eigenvalues(on, t.device))

    def posterior_coefficients(
        self,
        t: Float[Tensor, "*batch"],
        s: Float[Tensor, "*batch"],
        *,
        on: Discretisation | None = None,
    ) -> Posterior:
        """The numbers of the posterior at s given t, in float64.

        Args:
            t: the later times, a tensor of any shape, ``(batch,)`` if the signal operator
                changes with time.
            s: the earlier times, a tensor of any shape, ``(batch,)`` if the signal operator
                changes with time.
            on: where the states live; needed if the signal operator changes with time.

        Raises:
            ValueError: unless 0 ≤ s < t ≤ 1.
        """
        check_order(s, t)
        return self._posterior(t, s, self._eigenvalues(on, t.device))

    def draw_noise(
        self,
        on: Discretisation,
        *,
        batch: int,
        channels: int,
        generator: torch.Generator,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> Function:
        r"""Draw :math:`N\xi` and read it, with values of shape ``(batch, points, channels)``.

        Args:
            on: where to read the noise.
            batch: the number of samples.
            channels: the number of channels.
            generator: the source of randomness.
            dtype: of the values; by default torch's default dtype.
            device: of the values; by default the generator's.
        """
        a_place(on)
        generator_for(generator, "DiffusionProcess.draw_noise")
        white = self.noise.draw(on.domain, batch=batch, channels=channels, generator=generator)
        place = generator.device if device is None else device
        return self.noise_factor(white)(on, dtype=dtype, device=place)

    def _check_modal(self, t: Tensor, x: Function) -> None:
        """Refuse times that are not one a sample, where each mode has a factor of its own."""
        if isinstance(self.signal, TimeDependentSignal):
            one_a_sample(t, x, "Times")

    def _eigenvalues(
        self, on: Discretisation | None, device: torch.device
    ) -> Float[Tensor, "*modes"] | None:
        """The eigenvalues that the amplitudes are needed for; None if they depend on none."""
        if not isinstance(self.signal, TimeDependentSignal):
            return None
        if not isinstance(on, Grid):
            raise ValueError(
                "A signal operator that changes with time acts mode by mode, on functions on a "
                f"full Grid; got {type(on).__name__}. Sample on a grid, and interpolate."
            )
        return eigenbasis(on.domain).eigenvalues(on.shape, device)

    def _amplitudes(self, t: Tensor, spectrum: Tensor | None) -> Amplitudes:
        check_times(t)
        t = t.double()
        alpha, sigma = self.schedule.alpha(t), self.schedule.sigma(t)
        if spectrum is None:
            return Amplitudes(alpha, sigma)
        assert isinstance(self.signal, TimeDependentSignal)
        one_each = (-1, *(1,) * spectrum.ndim)
        factors = self.signal.multiplier(t)(spectrum)
        return Amplitudes(alpha.reshape(one_each) * factors, sigma.reshape(one_each))

    def _transition(self, s: Tensor, t: Tensor, spectrum: Tensor | None) -> Transition:
        return transition_between(self._amplitudes(s, spectrum), self._amplitudes(t, spectrum))

    def _posterior(self, t: Tensor, s: Tensor, spectrum: Tensor | None) -> Posterior:
        return posterior_between(self._amplitudes(t, spectrum), self._amplitudes(s, spectrum))

    def _factor(
        self, std: Tensor, formula: Callable[[Tensor], Tensor], t: Tensor
    ) -> LinearOperator:
        """The noise factor times a standard deviation, one a sample or one a sample and a mode."""
        if not isinstance(self.signal, TimeDependentSignal):
            return self.noise_factor * std
        bound = self.schedule.sigma(t.double()).max().item() if t.numel() else 0.0
        return SpectralOperator(ComputedMultiplier(formula, bound)) @ self.noise_factor


def check_process(process: DiffusionProcess) -> DiffusionProcess:
    """Return ``process``, refusing what is none.

    Raises:
        TypeError: if it is another thing.
    """
    advice = "Make one by DiffusionProcess.mollified(schedule, mollifier), say."
    return instance(process, DiffusionProcess, "A process", advice)


def _smooth(operator: LinearOperator) -> bool:
    """Return whether an operator makes functions of white noise."""
    white = RandomField(seed=0, domain=unit_box(1), batch=1, channels=1, intensity=1.0)
    field = operator(white)
    return isinstance(field, RandomField) and field.smooth
