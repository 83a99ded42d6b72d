r"""The probability flow, integrated with an adaptive step size.

In the angle :math:`\theta = \arctan(\sigma/\alpha)` and the state
:math:`w = x/\sqrt{\alpha^2+\sigma^2}` the flow is

.. math:: \frac{\mathrm dw}{\mathrm d\theta} = \cos\theta\ \widehat{N\xi}
          - \sin\theta\ \widehat{\mathrm{source}},

without an amplitude that is small or large at either end. It does not know the schedule: only the
time at which the denoiser is asked, that of the ratio :math:`\tan\theta`, does. If the signal
operator changes with time, each mode has an angle of its own, :math:`\tan\theta_k =
\tan\theta/m_k`, and the flow of a mode is multiplied by :math:`\mathrm d\theta_k/\mathrm d\theta`.

A step to :math:`\sigma = 0` integrates down to the ratio :math:`\sigma/\alpha = 10^{-4}` and ends
with a step of DDIM, which is wrong by the factor :math:`1 - 10^{-8}/(2P)` for a mode whose variance
in the data is :math:`P` times that in the noise.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple, final, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._components import component
from inftydiff._typing import Real, choice, floating, positive
from inftydiff.operators.discretisation import Discretisation
from inftydiff.operators.function import Function
from inftydiff.processes.amplitudes import check_order
from inftydiff.processes.denoiser import Denoiser, asked, check_answer
from inftydiff.processes.diffusion import DiffusionProcess
from inftydiff.processes.schedule import Schedule, noise_ratio, noise_variance_rate, time_at_ratio
from inftydiff.processes.solvers.solver import check_step, linear_combination
from inftydiff.processes.spectra import scale_modes
from inftydiff.processes.times import Spacing

__all__ = ["LEAST_RATIO", "ProbabilityFlow", "adaptive_integrator"]

LEAST_RATIO = 1e-4
"""The σ/α from which a step to σ = 0 is DDIM's."""

BEFORE = 1e-9
"""The relative distance before a time at which its rate is taken: a flat piece may begin there."""

Method = Literal["dopri5", "dopri8", "bosh3", "fehlberg2", "adaptive_heun"]
"""The adaptive methods of torchdiffeq."""


@component("solver", "probability_flow")
@final
@dataclass(frozen=True)
class ProbabilityFlow:
    """The probability flow by an adaptive method of torchdiffeq; each step takes many calls.

    One step from t = 1 to 0 is a sample. The samples of a batch share the step size, which is such
    that the error of each keeps the tolerances; so a sample depends on its batch, within them.

    Args:
        rtol: the relative tolerance.
        atol: the absolute tolerance, in the units of the functions' values.
        method: ``"dopri5"``, ``"dopri8"``, ``"bosh3"``, ``"fehlberg2"`` or ``"adaptive_heun"``.

    Raises:
        ValueError: if a tolerance is not a number above zero, or the method is none of these.

    References:
        Song et al., "Score-based generative modeling through stochastic differential equations",
        ICLR 2021, section 4.3. Dormand and Prince, "A family of embedded Runge-Kutta formulae",
        1980.
    """

    calls: ClassVar[int | None] = None
    spacing: ClassVar[Spacing] = "angle"

    rtol: Real = 1e-4
    atol: Real = 1e-5
    method: Method = "dopri5"

    def __post_init__(self) -> None:
        object.__setattr__(self, "rtol", positive(self.rtol, "The relative tolerance"))
        object.__setattr__(self, "atol", positive(self.atol, "The absolute tolerance"))
        choice(self.method, get_args(Method), "The method")

    def step(
        self,
        denoiser: Denoiser,
        x_t: Function,
        t: Float[Tensor, "batch"],
        s: Float[Tensor, "batch"],
        *,
        generator: torch.Generator,
    ) -> Function:
        """The state at ``s`` from the state at ``t``.

        Raises:
            ModuleNotFoundError: if torchdiffeq is not installed.
            TypeError: if the state holds no values, as a tensor on the meta device.
            ValueError: unless 0 ≤ s < t ≤ 1, or if the denoiser's answer is not finite.
        """
        check_step(denoiser, x_t, t, s)
        floating(x_t.values, "The state of an adaptive step")
        process = denoiser.process
        check_order(s, t)
        if not x_t.values.numel():
            return x_t
        end = process.amplitudes(s, x_t.on)
        last = process.schedule.sigma(s.double()) == 0.0
        stop = torch.where(last, _late(process, t), s.double())
        x = self._integrated(denoiser, x_t, t.double(), stop)
        if not bool(last.any()):
            return x
        prediction = asked(denoiser, x, stop)
        check_answer(prediction.signal, stop, "A denoiser's answer")
        ended = end.sigma == 0.0
        return linear_combination(
            (process.source(prediction, stop), torch.where(ended, end.alpha, 0.0)),
            (x, torch.where(ended, 0.0, torch.ones_like(end.sigma))),
        )

    def _integrated(self, denoiser: Denoiser, x_t: Function, t: Tensor, s: Tensor) -> Function:
        process, on = denoiser.process, x_t.on
        path = _path(process, t, s, on)
        start, end = (_length(process, time, on) for time in (t, s))

        def velocity(share: Tensor, w: Tensor) -> Tensor:
            time, angle, rate = path(share.double().clamp(0.0, 1.0))
            prediction = asked(
                denoiser, scale_modes(Function(on, w), _length(process, time, on)), time
            )
            change = linear_combination(
                (prediction.noise, rate * angle.cos()),
                (process.source(prediction, time), -rate * angle.sin()),
            )
            check_answer(change, time, "A denoiser's answer")
            return change.values

        w = scale_modes(x_t, 1.0 / start)
        ends = torch.tensor([0.0, 1.0], dtype=torch.float64, device=w.values.device)
        _, reached = adaptive_integrator("ProbabilityFlow")(
            velocity,
            w.values,
            ends,
            rtol=self.rtol,
            atol=self.atol,
            method=self.method,
            options={"norm": _largest, "step_t": ends[1:]},
        )
        return scale_modes(Function(on, reached), end)


class _Place(NamedTuple):
    """A place on the way from t to s: its time, angle, and the angle's rate along the way."""

    time: Tensor
    angle: Tensor
    rate: Tensor


def _path(
    process: DiffusionProcess, t: Tensor, s: Tensor, on: Discretisation
) -> Callable[[Tensor], _Place]:
    """The way from t to s, as a function of the share of the schedule's angle that is done."""
    high, low = noise_ratio(process.schedule, t), noise_ratio(process.schedule, s)
    first, last = high.arctan(), low.arctan()

    def place(share: Tensor) -> _Place:
        angle = torch.lerp(first, last, share)
        ratio = torch.minimum(torch.maximum(angle.tan(), low), high)
        time = time_at_ratio(process.schedule, ratio.cpu()).to(ratio.device)
        log_derivative = process.log_derivative(time, on)
        if log_derivative is None:
            return _Place(time, angle, last - first)
        one_each = (-1, *(1,) * (log_derivative.ndim - 1))
        pace = _pace(process.schedule, time * (1.0 - BEFORE), ratio).reshape(one_each)
        alpha = process.schedule.alpha(time)
        m = process.amplitudes(time, on).alpha / alpha.reshape(one_each)
        rho, way = ratio.reshape(one_each), (last - first).reshape(one_each)
        rate = m * (1.0 + rho**2 - rho * log_derivative * pace) / (m**2 + rho**2)
        return _Place(time, torch.atan2(rho, m), way * rate)

    return place


def _pace(schedule: Schedule, t: Tensor, ratio: Tensor) -> Tensor:
    """The time that passes in a unit of the schedule's angle; a flat piece has no length."""
    turned = schedule.alpha(t) * schedule.sigma(t) * (1.0 + ratio**2)
    speed = noise_variance_rate(schedule, t)
    return torch.where(speed > 0.0, 2.0 * turned / speed, 0.0)


def _length(process: DiffusionProcess, t: Tensor, on: Discretisation) -> Tensor:
    alpha, sigma = process.amplitudes(t, on)
    return (alpha**2 + sigma**2).sqrt()


def _late(process: DiffusionProcess, t: Tensor) -> Tensor:
    """The times at which the ratio has fallen to the least, or t if it has before."""
    ratio = noise_ratio(process.schedule, t.double())
    return torch.where(
        ratio > LEAST_RATIO,
        time_at_ratio(process.schedule, ratio.clamp(max=LEAST_RATIO)),
        t.double(),
    )


def _largest(values: Tensor) -> Tensor:
    """The largest root mean square of a sample."""
    return values.abs().square().flatten(1).mean(1).max().sqrt()


def adaptive_integrator(user: str) -> Callable[..., Any]:
    """Return ``torchdiffeq.odeint``, imported when it is first used.

    Args:
        user: what integrates by it, the subject of the error's sentence.

    Raises:
        ModuleNotFoundError: if torchdiffeq is not installed.
    """
    try:
        with warnings.catch_warnings():
            # torchdiffeq scripts a function when it is imported, which torch no longer recommends.
            warnings.simplefilter("ignore", DeprecationWarning)
            from torchdiffeq import odeint
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{user} integrates by torchdiffeq, which is not installed: "
            'pip install "inftydiff[solvers]"',
            name=error.name,
        ) from error
    return odeint
