r"""Euler–Maruyama: the reverse stochastic differential equation, one increment a step.

The forward equation moves the state on average by :math:`(\alpha_{t|s} - 1)\,x` from :math:`s` to
:math:`t` and adds noise of variance :math:`\sigma_{t|s}^2`; these are its coefficients
:math:`\dot\alpha/\alpha` and :math:`g^2`, averaged over the step and times its length. They are
finite on every schedule, clamped, tabulated or with an infinite rate at an end. Reversed,

.. math:: x_s = x_t - (\alpha_{t|s} - 1)\, x_t
          - \sigma_{t|s}^2\, \frac{\widehat{N\xi}}{\sigma_t} + \sigma_{t|s}\, N\xi',

where :math:`-\widehat{N\xi}/\sigma_t` is the score, preconditioned by the noise's covariance. For
:math:`\alpha = 1` it is the plain Euler–Maruyama step in :math:`\sigma^2`. A step to
:math:`\sigma = 0` gives the denoiser's signal.
"""

from dataclasses import dataclass
from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._components import component
from inftydiff.operators.function import Function
from inftydiff.processes.denoiser import Denoiser, asked
from inftydiff.processes.solvers.solver import check_step, fresh_noise, linear_combination
from inftydiff.processes.times import Spacing

__all__ = ["EulerMaruyama"]


@component("solver", "euler_maruyama")
@final
@dataclass(frozen=True)
class EulerMaruyama:
    """The Euler–Maruyama scheme of the reverse equation, of weak order one.

    References:
        Song et al., "Score-based generative modeling through stochastic differential equations",
        ICLR 2021, appendix E, where the discretisation is called reverse diffusion sampling.
    """

    calls: ClassVar[int | None] = 1
    spacing: ClassVar[Spacing] = "uniform"

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
        scale, std = process.transition_coefficients(s, t, on=x_t.on)
        alpha_s, sigma_s = process.amplitudes(s, x_t.on)
        sigma_t = process.amplitudes(t, x_t.on).sigma
        last = sigma_s == 0.0
        prediction = asked(denoiser, x_t, t)
        return linear_combination(
            (x_t, (2.0 - scale).masked_fill(last, 0.0)),
            (prediction.noise, (-(std**2) / sigma_t).masked_fill(last, 0.0)),
            (process.source(prediction, t), torch.where(last, alpha_s, 0.0)),
            (fresh_noise(process, x_t, generator), std.masked_fill(last, 0.0)),
        )
