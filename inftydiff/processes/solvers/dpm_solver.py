r"""DPM-Solver++: a multistep exponential integrator that extrapolates the source in the log-SNR.

With :math:`\lambda = \log(\alpha/\sigma)`, :math:`h = \lambda_s - \lambda_t`, the estimates
:math:`m_0, m_1, m_2` of the source at :math:`t` and the two times before, and
:math:`r_j = (\lambda_{t_j} - \lambda_t)/h < 0`,

.. math::
   x_s &= \frac{\sigma_s}{\sigma_t} x_t
          + \alpha_s(1 - e^{-h})\Bigl(m_0 + \frac{m_1 - m_0}{2 r_1}\Bigr)
          && \text{(2M)} \\
   x_s &= \frac{\sigma_s}{\sigma_t} x_t + \alpha_s\Bigl((1 - e^{-h})\,m_0
          + w_1\,(m_1 - m_0) + w_2\,(m_2 - m_0)\Bigr) && \text{(3M)} \\
   x_s &= \frac{\sigma_s}{\sigma_t} e^{-h} x_t
          + \alpha_s(1 - e^{-2h})\Bigl(m_0 + \frac{m_1 - m_0}{2 r_1}\Bigr)
          + \sigma_s\sqrt{1 - e^{-2h}}\ N\xi' && \text{(SDE, 2M)}

with the weights of :mod:`~inftydiff.processes.solvers._exponential`. The first step has no
:math:`m_1`, the second no :math:`m_2`: they are of order one and two. A step to :math:`\sigma = 0`,
where :math:`h = \infty`, is of order one and gives the denoiser's signal. These are the
variants ``dpmsolver++`` and ``sde-dpmsolver++`` of diffusers, with the ``midpoint`` type and
``final_sigmas_type="zero"``, except for one term of 3M: diffusers gives the second difference half
the weight that makes the solver exact for quadratic polynomials, and so is of order two. Order 1 is
DDIM and, stochastic, DDPM.
"""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._components import component
from inftydiff._typing import flag, store, whole
from inftydiff.operators.function import Function
from inftydiff.processes.amplitudes import Amplitudes, check_order
from inftydiff.processes.denoiser import Denoiser, asked
from inftydiff.processes.solvers._exponential import (
    exponential_step,
    half_log_snr,
    interpolatory_weights,
    midpoint_weight,
)
from inftydiff.processes.solvers.solver import (
    Memory,
    MultistepSolver,
    Past,
    check_memory,
    check_step,
    fresh_noise,
    linear_combination,
)

__all__ = ["DPMSolverPP"]


@component("solver", "dpm_solver_pp")
@final
@dataclass(frozen=True)
class DPMSolverPP(MultistepSolver):
    r"""DPM-Solver++ with one call a step.

    Args:
        order: 1, 2 or 3; 1 or 2 if stochastic.
        stochastic: whether to integrate the reverse stochastic equation instead of the probability
            flow.
        as_diffusers: for order 3, whether to halve the last term's weight as diffusers does.

    Raises:
        ValueError: if there is no such variant.

    Example:
        >>> from inftydiff import CosineSchedule, DiffusionProcess, Grid, WhiteNoise, timesteps
        >>> from inftydiff import GaussianMeasure, gaussian_mollifier, sample
        >>> from inftydiff.testing import GaussianDenoiser
        >>> process = DiffusionProcess.white(CosineSchedule(), noise=WhiteNoise(0.1))
        >>> data = GaussianMeasure(None, gaussian_mollifier(0.1), WhiteNoise())
        >>> x = sample(
        ...     DPMSolverPP(order=3),
        ...     GaussianDenoiser(process, data),
        ...     on=Grid((8, 8)),
        ...     times=timesteps(15, spacing="log_snr", schedule=process.schedule),
        ...     batch=2,
        ...     channels=1,
        ...     generator=torch.Generator().manual_seed(0),
        ... )
        >>> tuple(x.values.shape)
        (2, 64, 1)

    References:
        Lu et al., "DPM-Solver++: fast solver for guided sampling of diffusion probabilistic
        models", 2022.
    """

    order: int = 2
    stochastic: bool = False
    as_diffusers: bool = False

    def __post_init__(self) -> None:
        store(self, flag, "stochastic", "as_diffusers", subject="DPM-Solver++'s ")
        store(self, whole, "order", subject="DPM-Solver++'s ")
        known = (1, 2) if self.stochastic else (1, 2, 3)
        if self.order not in known:
            kind = "stochastic DPM-Solver++" if self.stochastic else "DPM-Solver++"
            raise ValueError(f"The order of {kind} is one of {known}; got {self.order!r}.")
        if self.as_diffusers and self.order != 3:
            raise ValueError(f"as_diffusers is about order 3; got order {self.order}.")

    @property
    def separable(self) -> bool:
        """Say whether no noise is drawn."""
        return not self.stochastic

    def advance(
        self,
        denoiser: Denoiser,
        x_t: Function,
        t: Float[Tensor, "batch"],
        s: Float[Tensor, "batch"],
        memory: Memory,
        *,
        generator: torch.Generator,
    ) -> tuple[Function, Memory]:
        """The state at ``s`` from the state at ``t``, and the memory for the next step."""
        check_step(denoiser, x_t, t, s)
        process = denoiser.process
        check_memory(memory)
        check_order(s, t)
        start, end = process.amplitudes(t, x_t.on), process.amplitudes(s, x_t.on)
        prediction = asked(denoiser, x_t, t)
        now = Past(t, x_t, process.source(prediction, t), prediction.noise)
        present = half_log_snr(start)
        h = half_log_snr(end) - present
        pasts = memory[: self.order - 1]
        nodes = [(half_log_snr(process.amplitudes(p.t, x_t.on)) - present) / h for p in pasts]
        sources = [now.source, *(p.source for p in pasts)]
        if self.stochastic:
            x_s = _stochastic_step(x_t, start, end, h, sources, nodes)
            noise = fresh_noise(process, x_t, generator)
            x_s = x_s + linear_combination((noise, end.sigma * (-torch.expm1(-2.0 * h)).sqrt()))
        else:
            x_s = exponential_step(x_t, start, end, sources, self._weights(h, nodes))
        return x_s, (now, *pasts)[: self.order - 1]

    def _weights(self, h: Tensor, nodes: list[Tensor]) -> list[Tensor]:
        if not nodes:
            return []
        if len(nodes) == 1:
            return midpoint_weight(h, nodes[0])
        return interpolatory_weights(h, nodes, last_moment=0.5 if self.as_diffusers else 1.0)


def _stochastic_step(
    x: Function,
    start: Amplitudes,
    end: Amplitudes,
    h: Tensor,
    sources: list[Function],
    nodes: list[Tensor],
) -> Function:
    """The mean of a step of the stochastic variant."""
    weights = midpoint_weight(2.0 * h, nodes[0]) if nodes else []
    first = -torch.expm1(-2.0 * h) - sum(weights, torch.zeros_like(h))
    terms = [(m, end.alpha * w) for m, w in zip(sources, [first, *weights], strict=True)]
    return linear_combination((x, end.sigma / start.sigma * (-h).exp()), *terms)
