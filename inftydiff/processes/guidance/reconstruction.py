r"""Reconstruction guidance: the gradient of the distance to what is known, in L².

.. math:: \log p(y|x_t) \approx -\frac{w\,\alpha^2}{2\,\sigma^2\,\kappa^2}\,
          \|1_K\,(\widehat{S x_0} - S\bar x)\|_{L^2}^2, \qquad
          m' = m + w\,\alpha\,\frac{C}{\kappa^2}\,J^*\,1_K\,(S\bar x - m),

with :math:`K` the known part, where the paper's mask is one, and :math:`\kappa` the intensity of
the white noise. With unit noise in each cell, :math:`\kappa^2` is the cell's volume and this is Ho
et al.'s :math:`w\,\alpha\,J^T(x - \hat x)` for white noise; the paper's rule for mollified states
lacks the preconditioner :math:`C = N N^*`.

What is known of :math:`S x_0` on :math:`K` is not :math:`S(1_K x_0)`, which is dark at the edge,
nor :math:`S x_0`, into which the hidden part leaks. It is the *normalised* mollification

.. math:: \frac{S(1_K x_0)}{S 1_K}\,S 1 \quad\text{where}\quad \frac{S 1_K}{S 1} \ge \gamma

(``known_signal``), exact for constants: of :math:`x_0 = c` it is :math:`c\,S 1 = S x_0`. The
quotient is the average of what is known under the kernel, and :math:`S 1` the mass of the kernel,
one for a mollifier of reflecting or periodic boxes, less near an absorbing side and for multiples.
The coverage :math:`\gamma` erodes the mask where the average is over too small a part of the
kernel.

References:
    J. Ho et al., "Video diffusion models", NeurIPS 2022, section 3.1. Bond-Taylor and Willcocks,
    "∞-Diff", ICLR 2024, section 5.
"""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._components import component
from inftydiff._typing import Real, fraction, instance
from inftydiff.operators.discretisation import Grid, Subset
from inftydiff.operators.evaluation import Evaluation, known_points, point_values
from inftydiff.operators.function import Function
from inftydiff.processes._checks import a_function
from inftydiff.processes.diffusion import DiffusionProcess, check_process
from inftydiff.processes.guidance.guide import check_strength
from inftydiff.processes.guidance.linearisation import Linearisation, a_linearisation
from inftydiff.processes.observation import Observation, an_observation

__all__ = ["ReconstructionGuidance", "known_signal"]

LEAST_MASS = 1e-3
"""A kernel whose mass is below this, relative to that of its part on the mask, is no average."""


@component("guide", "reconstruction")
@final
@dataclass(frozen=True)
class ReconstructionGuidance:
    """The guide of the paper's inpainting, for observations made by :func:`known_signal`.

    Args:
        strength: the number w; 1 is Ho et al.'s own, and they use more.

    Raises:
        ValueError: if it is negative or not finite.
    """

    strength: Real = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "strength", check_strength(self.strength))

    def check(self, observation: Observation) -> None:
        if not isinstance(an_observation(observation).reads, Evaluation):
            raise ValueError(
                "Reconstruction guidance knows a function at points, where the residual has a norm "
                f"in L²; got {type(observation.reads).__name__}. Take MomentMatching()."
            )

    def gradient(self, at: Linearisation) -> Float[Tensor, "batch m channels"]:
        a_linearisation(at)
        reads = at.observation.reads
        assert isinstance(reads, Evaluation)
        assert isinstance(at.x_t.on, Grid)
        weights = reads.to.weights.to(at.residual).unsqueeze(-1)
        if isinstance(reads.to, Subset):
            weights = torch.full_like(weights, reads.to.grid.cell_volume)
        scale = (at.alpha / at.sigma) ** 2 * float(self.strength)
        scale = scale / float(at.process.noise.intensity) ** 2
        return at.residual * scale.to(at.residual).reshape(-1, 1, 1) * weights


def known_signal(
    process: DiffusionProcess, known: Function, mask: Tensor, *, coverage: Real = 0.5
) -> Observation:
    r"""Observe the signal :math:`S x_0` on the known part of functions.

    Args:
        process: the process, with a signal operator that does not take constants to zero.
        known: clean functions on a grid, values of shape ``(*batch, points, channels)``; what they
            are where nothing is known does not matter.
        mask: booleans of the grid's shape, or one a point: true where the functions are known.
        coverage: the part :math:`\gamma` of the kernel's mass that must lie on the known part for a
            point to count. 0 keeps the mask as it is.

    Returns:
        An observation of the signal, without noise.

    Raises:
        TypeError: if the mask is not boolean, the functions do not live on a grid, or the signal
            operator changes with time.
        ValueError: if the mask has another shape, is true nowhere or too thin for its kernel, the
            coverage is outside [0, 1], or the signal operator takes constants to zero.

    Example:
        >>> from inftydiff import CosineSchedule, gaussian_mollifier
        >>> process = DiffusionProcess.mollified(CosineSchedule(), gaussian_mollifier(0.1))
        >>> grid = Grid((8,))
        >>> mask = torch.arange(8) < 4
        >>> hidden = Function(grid, torch.where(mask, 1.0, torch.nan).unsqueeze(-1))
        >>> known_signal(process, hidden, mask).values.flatten().round(decimals=5)
        tensor([1., 1., 1., 1.])
    """
    check_process(process)
    a_function(known, "What is known")
    instance(mask, Tensor, "A mask", "Give a boolean tensor, true where a value is known.")
    if mask.is_meta:
        raise TypeError("A mask must hold values; got one on meta. Make it on a device.")
    coverage = fraction(coverage, "A coverage")
    if not isinstance(known.on, Grid):
        raise TypeError(
            f"A mask knows the points of a Grid; the functions live on {type(known.on).__name__}. "
            "Interpolate them to one."
        )
    grid = known.on
    reads = known_points(mask.to(known.values.device), on=grid)
    inside = mask.to(known.values.device).flatten().unsqueeze(-1)
    signal = process.constant_signal
    part = signal(Function(grid, inside.to(known.values))).values
    mass = signal(Function(grid, torch.ones_like(inside, dtype=known.values.dtype))).values
    if not bool((mass.abs() > LEAST_MASS * part.abs().max()).all()):
        raise ValueError(
            "What is known of S x0 is an average under the kernel of S, and this signal operator "
            f"takes constants to zero, {mass.abs().min().item():.2g} of one: it has no average. "
            "Observe the values by point_values and guide by MomentMatching()."
        )
    average = signal(Function(grid, torch.where(inside, known.values, 0.0))).values / part * mass
    kept = (inside & (part / mass >= coverage)).flatten().nonzero().squeeze(-1)
    if not len(kept):
        raise ValueError(
            f"No point of the mask has {coverage:g} of the mollifier's mass on the known part: it "
            "is thinner than the mollifier is wide. Lower the coverage, or know more."
        )
    if len(kept) < reads.size:
        reads = point_values(Subset(grid, kept), on=grid)
    return Observation(reads, average[..., kept, :])
