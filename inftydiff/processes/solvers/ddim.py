r"""The family of DDIM: from the probability flow to ancestral sampling.

.. math:: x_s = \alpha_s\, \widehat{S x_0} + \sqrt{\sigma_s^2 - \eta^2\tilde\beta}\ \widehat{N\xi} +
          \eta\sqrt{\tilde\beta}\, N\xi', \qquad
          \tilde\beta = \sigma_s^2\sigma_{t|s}^2/\sigma_t^2.
"""

from dataclasses import dataclass
from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._components import component
from inftydiff._typing import Real, fraction
from inftydiff.operators.function import Function
from inftydiff.processes.denoiser import Denoiser, asked
from inftydiff.processes.solvers.solver import check_step, fresh_noise, linear_combination
from inftydiff.processes.spectra import scale_modes
from inftydiff.processes.times import Spacing

__all__ = ["DDIM"]


@component("solver", "ddim")
@final
@dataclass(frozen=True)
class DDIM:
    r"""The non-Markovian family of DDIM.

    Args:
        eta: :math:`\eta \in [0, 1]`: 0 is deterministic, 1 is DDPM with the posterior's variance.

    Raises:
        ValueError: if η is outside [0, 1].

    References:
        Song, Meng and Ermon, "Denoising diffusion implicit models", ICLR 2021.
    """

    calls: ClassVar[int | None] = 1
    spacing: ClassVar[Spacing] = "karras"

    eta: Real = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "eta", fraction(self.eta, "DDIM's eta"))

    @property
    def separable(self) -> bool:
        """Say whether no noise is drawn."""
        return self.eta == 0.0

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
        injected = self.eta * process.posterior_coefficients(t, s, on=x_t.on).std
        alpha, sigma = process.amplitudes(s, x_t.on)
        kept = (sigma**2 - injected**2).clamp(min=0.0).sqrt()
        prediction = asked(denoiser, x_t, t)
        x_s = linear_combination((process.source(prediction, t), alpha), (prediction.noise, kept))
        if self.eta == 0.0:
            return x_s
        return x_s + scale_modes(fresh_noise(process, x_t, generator), injected)
