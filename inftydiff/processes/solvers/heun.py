r"""Heun's method for the probability flow: an Euler step, and a second call at its end.

In the coordinate :math:`z = x/\alpha`, with :math:`\rho = \sigma/\alpha`, the flow is
:math:`\mathrm dz/\mathrm d\rho = N\xi`, and the trapezoidal rule gives

.. math:: \frac{x_s}{\alpha_s} = \frac{x_t}{\alpha_t} + (\rho_s - \rho_t)\,
          \tfrac12\bigl(\widehat{N\xi}_t + \widehat{N\xi}_s\bigr).

Where :math:`\rho` falls by a large factor in one step, as it does from the end of a cosine
schedule, the difference of the two estimates is multiplied by a large number. The same idea in
:math:`\lambda = -\log\rho`, with the source linear in it and the exponential integrated exactly,
has no such number:

.. math:: x_s = \frac{\sigma_s}{\sigma_t} x_t
          + \alpha_s\Bigl((1 - e^{-h})\, m_t + w\,(m_s - m_t)\Bigr), \qquad
          h = \lambda_s - \lambda_t, \quad w = 1 - \frac{1 - e^{-h}}h.

The second call is at the state that DDIM gives. Both are of second order; a step to
:math:`\sigma = 0` is DDIM's and takes one call.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal, final

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._components import component
from inftydiff._typing import choice
from inftydiff.operators.function import Function
from inftydiff.processes.amplitudes import check_order
from inftydiff.processes.denoiser import Denoiser, asked
from inftydiff.processes.solvers._exponential import (
    exponential_step,
    half_log_snr,
    interpolatory_weights,
)
from inftydiff.processes.solvers.solver import check_step, linear_combination, where
from inftydiff.processes.times import Spacing

__all__ = ["Heun"]


@component("solver", "heun")
@final
@dataclass(frozen=True)
class Heun:
    r"""Heun's method for the probability flow, two calls a step and one in a step to σ = 0.

    Args:
        variable: ``"log_snr"``, or ``"ratio"`` for the trapezoidal rule in :math:`\sigma/\alpha`,
            which is the solver of EDM and wants its spacing, ``"karras"``.

    Raises:
        ValueError: if the variable is neither.

    References:
        Karras et al., "Elucidating the design space of diffusion-based generative models", NeurIPS
        2022, algorithm 1.
    """

    calls: ClassVar[int | None] = 2
    separable: ClassVar[bool] = True
    spacing: ClassVar[Spacing] = "karras"

    variable: Literal["log_snr", "ratio"] = "log_snr"

    def __post_init__(self) -> None:
        choice(self.variable, ("log_snr", "ratio"), "Heun's variable")

    def step(
        self,
        denoiser: Denoiser,
        x_t: Function,
        t: Float[Tensor, "batch"],
        s: Float[Tensor, "batch"],
        *,
        generator: torch.Generator,
    ) -> Function:
        """The state at ``s`` from the state at ``t``."""
        check_step(denoiser, x_t, t, s)
        process = denoiser.process
        check_order(s, t)
        start, end = process.amplitudes(t, x_t.on), process.amplitudes(s, x_t.on)
        first = asked(denoiser, x_t, t)
        source = process.source(first, t)
        euler = linear_combination((source, end.alpha), (first.noise, end.sigma))
        last = end.sigma.flatten() == 0.0
        if bool(last.all()):
            return euler
        time = torch.where(last, t, s)
        second = asked(denoiser, where(last, x_t, euler), time)
        if self.variable == "ratio":
            change = 0.5 * (end.sigma - start.sigma * end.alpha / start.alpha)
            change = change.masked_fill(end.sigma == 0.0, 0.0)
            return linear_combination(
                (euler, torch.ones_like(end.sigma)), (second.noise, change), (first.noise, -change)
            )
        h = half_log_snr(end) - half_log_snr(start)
        weights = interpolatory_weights(h, [torch.ones_like(h)])
        return exponential_step(x_t, start, end, [source, process.source(second, time)], weights)
