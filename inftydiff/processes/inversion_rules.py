r"""The rules that go up in time, against a sampler's.

With estimates :math:`m` of the source and :math:`n` of :math:`N\xi`, mode by mode if the signal
operator changes with time, there are three:

==============================  ====================================================================
:class:`DDIMInversion`          :math:`x_t = \alpha_t m_s + \sigma_t n_s`, DDIM's step with the
                                estimates at the wrong end; of first order, one call
:class:`HeunInversion`          :math:`x_t = x_s + (\alpha_t - \alpha_s)\frac{m_s + m_t}2
                                + (\sigma_t - \sigma_s)\frac{n_s + n_t}2`, the trapezoidal rule,
                                with the estimates at :math:`t` for the state that DDIM's rule
                                gives; of second order, two calls
:class:`FixedPointInversion`    the state of which a step of the sampler makes :math:`x_s`, by
                                iteration: the inverse of the sampler itself
==============================  ====================================================================

On Gaussian data with a variance :math:`P` times that of the noise in a mode, a step of DDIM turns
the angle :math:`\phi = \arctan(\sigma/\alpha\sqrt P)` by :math:`\Delta\phi` and shrinks the mode
by :math:`\cos\Delta\phi`, up as well as down. In :math:`n` steps up and :math:`n` down the mode
loses :math:`1 - \cos^{2n}(\pi/2n) \approx 2.47/n` of itself, 1.2 % for 200 steps, with the best
spacing that there is for it, and more with any other. The other two rules do not lose it.

*The first step.* Where :math:`\sigma = 0` the state is the function, :math:`S x_0`, and the
conditional mean of the noise tends to zero, as :math:`-\sigma C\nabla\log p`. So the estimates
there are :math:`m = x_s/\alpha_s` and :math:`n = 0`: the network is not asked, and DDIM's rule
gives :math:`\alpha_t\,S x_0`. This does not invert the sampler's last step, which gives the
denoiser's estimate of the source: structures that are small against :math:`\sigma_t` cannot be had
back from that. Let the last of the times but one have a small σ/α.

References:
    Song, Meng and Ermon, "Denoising diffusion implicit models", ICLR 2021, section 4.3. Pan et al.,
    "Effective real image editing with accelerated iterative diffusion inversion", ICCV 2023 (the
    fixed point, with Anderson's acceleration). Anderson, "Iterative procedures for nonlinear
    integral equations", J. ACM 12 (1965).
"""

from dataclasses import dataclass
from typing import ClassVar, Protocol, final, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._typing import Real, positive, whole
from inftydiff.operators.function import Function
from inftydiff.processes._checks import MOST_ITERATIONS
from inftydiff.processes.amplitudes import check_order
from inftydiff.processes.denoiser import Denoiser, asked
from inftydiff.processes.diffusion import DiffusionProcess
from inftydiff.processes.solvers.ddim import DDIM
from inftydiff.processes.solvers.heun import Heun
from inftydiff.processes.solvers.solver import Solver, check_step, linear_combination, where
from inftydiff.processes.spectra import scale_modes

__all__ = ["DDIMInversion", "FixedPointInversion", "HeunInversion", "InversionRule"]

DETERMINISTIC = DDIM()
"""The sampler's solver that is inverted unless another is asked for."""

REMEMBERED = 5
"""The number of differences of iterates that the fixed point's acceleration combines."""

RIDGE = 1e-10
"""The ridge of its least squares, whose normed differences may be parallel."""


@runtime_checkable
class InversionRule(Protocol):
    """The interface that the loop asks of a rule that goes up in time."""

    @property
    def solver(self) -> Solver:
        """The solver that goes down the same way."""

    def inversion_step(
        self,
        denoiser: Denoiser,
        x_s: Function,
        s: Float[Tensor, "batch"],
        t: Float[Tensor, "batch"],
    ) -> Function:
        """The state at ``t`` from the state at ``s < t``."""


@final
@dataclass(frozen=True)
class DDIMInversion:
    r"""DDIM's step upward, :math:`x_t = \alpha_t m_s + \sigma_t n_s`, with one call a step.

    References:
        Song, Meng and Ermon, "Denoising diffusion implicit models", ICLR 2021, section 4.3.
    """

    solver: ClassVar[Solver] = DETERMINISTIC

    def inversion_step(
        self,
        denoiser: Denoiser,
        x_s: Function,
        s: Float[Tensor, "batch"],
        t: Float[Tensor, "batch"],
    ) -> Function:
        """The state at ``t`` from the state at ``s < t``.

        Raises:
            ValueError: unless 0 ≤ s < t ≤ 1.
        """
        check_step(denoiser, x_s, s, t)
        process = denoiser.process
        source, noise = _estimates(denoiser, x_s, s, t)
        return _along(process, source, noise, t)


@final
@dataclass(frozen=True)
class HeunInversion:
    """The trapezoidal rule upward, of second order, with two calls a step and one in the first.

    Its way down is :class:`Heun`'s, which is of the same order; there and back again an error of
    second order is left.
    """

    solver: ClassVar[Solver] = Heun()

    def inversion_step(
        self,
        denoiser: Denoiser,
        x_s: Function,
        s: Float[Tensor, "batch"],
        t: Float[Tensor, "batch"],
    ) -> Function:
        """The state at ``t`` from the state at ``s < t``.

        Raises:
            ValueError: unless 0 ≤ s < t ≤ 1.
        """
        check_step(denoiser, x_s, s, t)
        process = denoiser.process
        source, noise = _estimates(denoiser, x_s, s, t)
        there = asked(denoiser, _along(process, source, noise, t), t)
        start, end = process.amplitudes(s, x_s.on), process.amplitudes(t, x_s.on)
        alpha, sigma = 0.5 * (end.alpha - start.alpha), 0.5 * (end.sigma - start.sigma)
        change = linear_combination(
            (source + process.source(there, t), alpha), (noise + there.noise, sigma)
        )
        return x_s + change


@final
@dataclass(frozen=True)
class FixedPointInversion:
    r"""The state of which one step of a sampler makes the one that is there, by iteration.

    With :math:`F` the sampler's step from :math:`t` to :math:`s` the equation is
    :math:`F(x_t) = x_s`, and an iteration is

    .. math:: x_t \leftarrow x_t + \frac{\alpha_t^2 + \sigma_t^2}{\alpha_s\alpha_t +
              \sigma_s\sigma_t}\,\bigl(x_s - F(x_t)\bigr),

    from the state that :class:`DDIMInversion` gives, accelerated by Anderson's method. The factor
    is the exact one for data of the noise's own law. A step from :math:`\sigma = 0` is
    :class:`DDIMInversion`'s. A network whose estimates are clamped need not have an inverse; the
    iteration then ends with the state whose step came nearest.

    Args:
        solver: the sampler's: ``DDIM()`` or ``Heun()``.
        tolerance: the error of a step of the sampler, relative to the state, at which a sample's
            iteration ends.
        iterations: how many steps of the sampler are tried at most; each asks as often as it does.

    Raises:
        ValueError: if the solver injects noise or is not one of these, the tolerance is not above
            zero or there is no iteration.

    References:
        Anderson, "Iterative procedures for nonlinear integral equations", J. ACM 12 (1965).
        Pan et al., "Effective real image editing with accelerated iterative diffusion inversion",
        ICCV 2023.
    """

    solver: Solver = DETERMINISTIC
    tolerance: Real = 1e-6
    iterations: int = 30

    def __post_init__(self) -> None:
        deterministic = isinstance(self.solver, DDIM) and self.solver == DETERMINISTIC
        if not (isinstance(self.solver, Heun) or deterministic):
            raise ValueError(
                "The step that is inverted has no noise of its own and no memory of other steps: "
                f"take DDIM() or Heun(); got {self.solver!r}."
            )
        tolerance = positive(self.tolerance, "The tolerance of a fixed point")
        iterations = whole(self.iterations, "The number of iterations", most=MOST_ITERATIONS)
        object.__setattr__(self, "tolerance", tolerance)
        object.__setattr__(self, "iterations", iterations)

    def inversion_step(
        self,
        denoiser: Denoiser,
        x_s: Function,
        s: Float[Tensor, "batch"],
        t: Float[Tensor, "batch"],
    ) -> Function:
        """The state at ``t`` from the state at ``s < t``.

        Raises:
            ValueError: unless 0 ≤ s < t ≤ 1.
        """
        check_step(denoiser, x_s, s, t)
        process = denoiser.process
        guess = DDIMInversion().inversion_step(denoiser, x_s, s, t)
        start, end = process.amplitudes(s, x_s.on), process.amplitudes(t, x_s.on)
        whole_way = start.sigma.flatten() == 0.0
        if bool(whole_way.all()):
            return guess
        unused = torch.Generator()
        middle = torch.where(whole_way, 0.5 * (s + t), s)  # of samples whose step is done
        size = x_s.norm()
        factor = (end.alpha**2 + end.sigma**2) / (start.alpha * end.alpha + start.sigma * end.sigma)

        def missing(x_t: Function) -> tuple[Function, Tensor]:
            """Return the error of a step, times the factor, and its relative size."""
            error = x_s - self.solver.step(denoiser, x_t, t, middle, generator=unused)
            return scale_modes(error, factor), torch.where(whole_way, 0.0, error.norm() / size)

        x, best = guess, guess
        least = torch.full_like(size, torch.inf)
        past = _Iterates()
        for _ in range(self.iterations):
            change, error = missing(x)
            best = where(error < least, x, best)
            least = torch.minimum(least, torch.nan_to_num(error, nan=torch.inf))
            if not bool((least > self.tolerance).any()) or not bool(change.values.isfinite().all()):
                break
            x = where(least > self.tolerance, past.next(x, change), x)
        return best


def _estimates(denoiser: Denoiser, x: Function, s: Tensor, t: Tensor) -> tuple[Function, Function]:
    """Source and noise at s: the denoiser's, or, where σ is zero, the state and none."""
    process = denoiser.process
    check_order(s, t)
    alpha, sigma = process.amplitudes(s, x.on)
    clean = sigma.flatten() == 0.0
    if bool(clean.all()):
        return scale_modes(x, 1.0 / alpha), x * 0.0
    time = torch.where(clean, t, s)
    prediction = asked(denoiser, x, time)
    source = process.source(prediction, time)
    if not bool(clean.any()):
        return source, prediction.noise
    return where(clean, scale_modes(x, 1.0 / alpha), source), where(
        clean, x * 0.0, prediction.noise
    )


def _along(process: DiffusionProcess, source: Function, noise: Function, t: Tensor) -> Function:
    """The state at t that has this source and this noise."""
    end = process.amplitudes(t, source.on)
    return linear_combination((source, end.alpha), (noise, end.sigma))


@final
class _Iterates:
    r"""Anderson's acceleration of :math:`x \leftarrow x + f(x)`, sample by sample.

    Of the last iterates the combination is taken whose :math:`f`, were it affine, is least.
    """

    def __init__(self) -> None:
        self._last: tuple[Tensor, Tensor] | None = None
        self._steps: list[Tensor] = []
        self._changes: list[Tensor] = []

    def next(self, x: Function, change: Function) -> Function:
        """The next iterate, of the present one and the change that it asks for."""
        here, wanted = x.values.flatten(1), change.values.flatten(1)
        if self._last is not None:
            self._steps = [*self._steps, here - self._last[0]][-REMEMBERED:]
            self._changes = [*self._changes, wanted - self._last[1]][-REMEMBERED:]
        self._last = here, wanted
        following = here + wanted
        if self._steps:
            changes = torch.stack(self._changes, 1)
            weights = _least_squares(changes, wanted)
            moves = torch.stack(self._steps, 1) + changes
            following = following - (weights.unsqueeze(1) @ moves).squeeze(1)
        return Function(x.on, following.reshape(x.values.shape))


def _least_squares(
    rows: Float[Tensor, "batch rows values"], target: Float[Tensor, "batch values"]
) -> Float[Tensor, "batch rows"]:
    """The combination of rows nearest to a target, sample by sample, and not a long one."""
    wide = rows.double()
    length = wide.square().sum(-1, keepdim=True).sqrt().clamp(min=torch.finfo(wide.dtype).tiny)
    wide = wide / length
    ridge = RIDGE * torch.eye(rows.shape[1], dtype=wide.dtype, device=wide.device)
    weights = torch.linalg.solve(wide @ wide.mT + ridge, wide @ target.double().unsqueeze(-1))
    return (weights / length).squeeze(-1).to(rows.dtype)
