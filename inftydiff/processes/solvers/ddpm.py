r"""Ancestral sampling: a draw from the posterior, with the denoiser's estimate for the signal.

.. math:: x_s = \tfrac{\alpha_{t|s}\sigma_s^2}{\sigma_t^2}\, x_t +
          \tfrac{\alpha_s\sigma_{t|s}^2}{\sigma_t^2}\, \widehat{S x_0} + \rho\, N\xi', \qquad
          \rho^2 = \tilde\beta = \tfrac{\sigma_s^2\sigma_{t|s}^2}{\sigma_t^2}
          \ \text{ or }\ \sigma_{t|s}^2.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal, final

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._components import component
from inftydiff._typing import choice
from inftydiff.operators.function import Function
from inftydiff.processes.denoiser import Denoiser, asked
from inftydiff.processes.solvers.solver import check_step, fresh_noise, linear_combination
from inftydiff.processes.times import Spacing

__all__ = ["DDPM"]


@component("solver", "ddpm")
@final
@dataclass(frozen=True)
class DDPM:
    r"""Ancestral sampling, eqs. (12), (14) and (40).

    Args:
        variance: ``"posterior"`` for the variance :math:`\tilde\beta` of the posterior, or
            ``"transition"`` for :math:`\sigma_{t|s}^2`, which is β_t for neighbouring times. No
            noise is added in a step to σ = 0.

    Raises:
        ValueError: if the variance is neither.

    References:
        Ho, Jain and Abbeel, "Denoising diffusion probabilistic models", NeurIPS 2020.
    """

    calls: ClassVar[int | None] = 1
    spacing: ClassVar[Spacing] = "karras"

    variance: Literal["posterior", "transition"] = "posterior"

    def __post_init__(self) -> None:
        choice(self.variance, ("posterior", "transition"), "DDPM's variance")

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
        numbers = process.posterior_coefficients(t, s, on=x_t.on)
        std = numbers.std
        if self.variance == "transition":
            last = process.amplitudes(s, x_t.on).sigma == 0.0
            std = process.transition_coefficients(s, t, on=x_t.on).std.masked_fill(last, 0.0)
        source = process.source(asked(denoiser, x_t, t), t)
        noise = fresh_noise(process, x_t, generator)
        return linear_combination((x_t, numbers.state), (source, numbers.signal), (noise, std))
