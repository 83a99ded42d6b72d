r"""The diffusion process of a function.

.. math:: x_t = \alpha(t)\, S x_0 + \sigma(t)\, N\xi, \qquad C = N N^*,

with linear operators :math:`S` (signal) and :math:`N` (noise factor) and white noise :math:`\xi`.
:math:`S = N = I` is diffusion with white noise, :math:`S = N = T` the paper's mollified diffusion
(eq. 11), :math:`S = I, N = T` the noise-only variant. With :math:`\alpha_{t|s} =
\alpha_t/\alpha_s` and
:math:`\sigma_{t|s}^2 = \sigma_t^2 - \alpha_{t|s}^2\sigma_s^2`, for any :math:`s < t`,

.. math::
   x_t | x_s &\sim \mathcal N(\alpha_{t|s}\, x_s,\ \sigma_{t|s}^2\, C), \\
   x_s | x_t, x_0 &\sim \mathcal N\left(\frac{\alpha_{t|s}\sigma_s^2}{\sigma_t^2}\, x_t +
   \frac{\alpha_s\sigma_{t|s}^2}{\sigma_t^2}\, S x_0,\
   \frac{\sigma_s^2\sigma_{t|s}^2}{\sigma_t^2}\, C \right),

which for neighbouring times are eqs. (12) and (26) of the paper.
"""

from dataclasses import dataclass, field
from typing import NamedTuple, final

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff.operators.discretisation import Discretisation, Subset
from inftydiff.operators.function import Function
from inftydiff.operators.linear import Identity, LinearOperator
from inftydiff.processes.gaussian import GaussianMeasure
from inftydiff.processes.noise import WhiteNoise
from inftydiff.processes.schedule import Schedule

__all__ = ["DiffusionProcess", "Posterior", "Transition", "check_times"]

UNIT = WhiteNoise()
"""White noise of intensity one."""


class Transition(NamedTuple):
    r"""The numbers of :math:`x_t|x_s`, each of the times' shape, float64.

    Args:
        scale: :math:`\alpha_{t|s}`.
        std: :math:`\sigma_{t|s}`, the noise added.
    """

    scale: Tensor
    std: Tensor


class Posterior(NamedTuple):
    r"""The numbers of :math:`x_s|x_t, x_0`, each of the times' shape, float64.

    Args:
        state: the weight of :math:`x_t` in the mean.
        signal: the weight of :math:`S x_0` in the mean.
        std: the factor of :math:`N\xi`.
    """

    state: Tensor
    signal: Tensor
    std: Tensor


@final
@dataclass(frozen=True)
class DiffusionProcess:
    r"""The process :math:`x_t = \alpha(t)\,S x_0 + \sigma(t)\,N\xi`.

    Args:
        schedule: the amplitudes :math:`\alpha` and :math:`\sigma`.
        signal: the operator :math:`S`.
        noise_factor: the operator :math:`N`.
        noise: the white noise :math:`\xi`.

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
    signal: LinearOperator = field(kw_only=True)
    noise_factor: LinearOperator = field(kw_only=True)
    noise: WhiteNoise = field(kw_only=True)

    @staticmethod
    def white(schedule: Schedule, *, noise: WhiteNoise = UNIT) -> "DiffusionProcess":
        """White-noise diffusion, S = N = I: DDPM, cell by cell."""
        identity = Identity()
        return DiffusionProcess(schedule, signal=identity, noise_factor=identity, noise=noise)

    @staticmethod
    def mollified(
        schedule: Schedule, mollifier: LinearOperator, *, noise: WhiteNoise = UNIT
    ) -> "DiffusionProcess":
        """Mollified diffusion, S = N = T: the paper's process."""
        return DiffusionProcess(schedule, signal=mollifier, noise_factor=mollifier, noise=noise)

    @staticmethod
    def noise_only(
        schedule: Schedule, mollifier: LinearOperator, *, noise: WhiteNoise = UNIT
    ) -> "DiffusionProcess":
        """Diffusion with mollified noise on data as they are, S = I and N = T."""
        return DiffusionProcess(schedule, signal=Identity(), noise_factor=mollifier, noise=noise)

    @property
    def prior(self) -> GaussianMeasure:
        r"""The law :math:`\mathcal N(0, \sigma(1)^2 C)` that sampling starts from."""
        sigma = self.schedule.sigma(torch.ones((), dtype=torch.float64)).item()
        return GaussianMeasure(None, sigma * self.noise_factor, self.noise)

    def marginal(self, x0: Function, t: Float[Tensor, "batch"]) -> GaussianMeasure:
        r"""The law of :math:`x_t|x_0`, :math:`\mathcal N(\alpha_t S x_0, \sigma_t^2 C)`, eq. (11).

        Args:
            x0: clean functions on a full grid, values of shape ``(batch, points, channels)``.
            t: times in [0, 1], of shape ``(batch,)``.

        Raises:
            ValueError: if a time lies outside [0, 1].
        """
        check_times(t)
        alpha, sigma = self.schedule.alpha(t.double()), self.schedule.sigma(t.double())
        return GaussianMeasure(self.signal(x0) * alpha, self.noise_factor * sigma, self.noise)

    def transition(
        self, x_s: Function, s: Float[Tensor, "batch"], t: Float[Tensor, "batch"]
    ) -> GaussianMeasure:
        r"""The law of :math:`x_t|x_s` for :math:`s < t`.

        Args:
            x_s: states at the earlier times, on any discretisation.
            s: the earlier times, of shape ``(batch,)``.
            t: the later times, of shape ``(batch,)``.

        Raises:
            ValueError: unless 0 ≤ s < t ≤ 1.
        """
        numbers = self.transition_coefficients(s, t)
        return GaussianMeasure(x_s * numbers.scale, self.noise_factor * numbers.std, self.noise)

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
        numbers = self.posterior_coefficients(t, s)
        signal = self.signal(x0)
        if isinstance(x_t.on, Subset) and x_t.on != signal.on:
            signal = signal.restrict(x_t.on)
        mean = x_t * numbers.state + signal * numbers.signal
        return GaussianMeasure(mean, self.noise_factor * numbers.std, self.noise)

    def transition_coefficients(
        self, s: Float[Tensor, "*batch"], t: Float[Tensor, "*batch"]
    ) -> Transition:
        """The numbers of the transition from s to t, in float64.

        Raises:
            ValueError: unless 0 ≤ s < t ≤ 1.
        """
        check_order(s, t)
        s, t = s.double(), t.double()
        scale = self.schedule.alpha(t) / self.schedule.alpha(s)
        variance = self.schedule.sigma(t) ** 2 - (scale * self.schedule.sigma(s)) ** 2
        return Transition(scale, variance.clamp(min=0.0).sqrt())

    def posterior_coefficients(
        self, t: Float[Tensor, "*batch"], s: Float[Tensor, "*batch"]
    ) -> Posterior:
        """The numbers of the posterior at s given t, in float64.

        Raises:
            ValueError: unless 0 ≤ s < t ≤ 1.
        """
        scale, std = self.transition_coefficients(s, t)
        s, t = s.double(), t.double()
        sigma_s, sigma_t = self.schedule.sigma(s), self.schedule.sigma(t)
        return Posterior(
            state=scale * (sigma_s / sigma_t) ** 2,
            signal=self.schedule.alpha(s) * (std / sigma_t) ** 2,
            std=sigma_s * std / sigma_t,
        )

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
        white = self.noise.draw(on.domain, batch=batch, channels=channels, generator=generator)
        place = generator.device if device is None else device
        return self.noise_factor(white)(on, dtype=dtype, device=place)


def check_times(t: Tensor) -> None:
    """Refuse times outside [0, 1].

    Raises:
        ValueError: if a time is outside [0, 1] or NaN.
    """
    if not bool(((t >= 0.0) & (t <= 1.0)).all()):
        raise ValueError(f"Times lie in [0, 1]; got {t.min().item():g} to {t.max().item():g}.")


def check_order(s: Tensor, t: Tensor) -> None:
    """Refuse times that are not 0 ≤ s < t ≤ 1.

    Raises:
        ValueError: if a time is out of range or the order is wrong.
    """
    check_times(s)
    check_times(t)
    if not bool((s < t).all()):
        raise ValueError(
            f"A step goes between times s < t; got s = {s.tolist()} and t = {t.tolist()}."
        )
