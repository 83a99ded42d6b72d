r"""Diffusion posterior sampling: steps of one length down the residual.

.. math:: \log p(y|x_t) \approx -\zeta\,\left\|\frac{r}{\tau}\right\|, \qquad
          z = \frac{\zeta}{\tau}\,\frac{r}{\|r\|}.

The published rule subtracts :math:`\zeta\,\nabla_{x_t}\|r\|` from each of a thousand states; here
the gradient enters the mean, preconditioned by :math:`C`, so that it depends neither on the number
of steps nor on the solver, nor on the resolution. The residual is in units of the errors, so that
the strength :math:`\zeta` has none.

References:
    H. Chung et al., "Diffusion posterior sampling for general noisy inverse problems", ICLR 2023.
"""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._components import component
from inftydiff._typing import Real
from inftydiff.processes.guidance.guide import check_strength
from inftydiff.processes.guidance.linearisation import Linearisation, a_linearisation
from inftydiff.processes.observation import Observation, an_observation

__all__ = ["DPS"]


@component("guide", "dps")
@final
@dataclass(frozen=True)
class DPS:
    r"""The guide with the normalised residual.

    Args:
        strength: the number :math:`\zeta`. Its step does not shrink with the residual, so a larger
            one takes more steps of the solver.

    Raises:
        ValueError: if it is negative or not finite.
    """

    strength: Real = 0.1

    def __post_init__(self) -> None:
        object.__setattr__(self, "strength", check_strength(self.strength))

    def check(self, observation: Observation) -> None:
        an_observation(observation).require_noise("DPS, whose residual is in units of the errors,")

    def gradient(self, at: Linearisation) -> Float[Tensor, "batch m channels"]:
        a_linearisation(at)
        length = at.residual.square().sum((-2, -1), keepdim=True).sqrt()
        scale = float(self.strength) / float(at.observation.noise_std)
        return torch.where(length > 0.0, scale * at.residual / length, 0.0)
