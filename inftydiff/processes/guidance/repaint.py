r"""RePaint: inpainting by pasting what is known into each state, and going back in time.

A step from :math:`t` to :math:`s` is made of :math:`j` ancestral steps (``jump_length``) through
times between them. After each, the known part is replaced by a draw of what it is at that time,

.. math:: x_s = 1_K\,(\alpha_s\,S\bar x + \sigma_s\,N\xi) + (1 - 1_K)\,x_s,

and the whole is repeated ``resamplings`` times, each from a fresh noising of :math:`x_s` back to
:math:`t`, so that the two parts come to agree. Nothing is differentiated. The pasted state is
not smooth at the edge, and the law that it samples is not the posterior: it is the baseline.

References:
    A. Lugmayr et al., "RePaint: inpainting using denoising diffusion probabilistic models", CVPR
    2022.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._typing import instance, whole
from inftydiff.operators.discretisation import Subset
from inftydiff.operators.evaluation import Evaluation
from inftydiff.operators.function import Function
from inftydiff.processes._checks import MOST_ITERATIONS
from inftydiff.processes.denoiser import Denoiser
from inftydiff.processes.diffusion import DiffusionProcess
from inftydiff.processes.observation import Observation
from inftydiff.processes.solvers.ddpm import DDPM
from inftydiff.processes.solvers.solver import check_step, fresh_noise, linear_combination
from inftydiff.processes.times import Spacing

__all__ = ["RePaint"]

ANCESTRAL = DDPM()


@final
@dataclass(frozen=True)
class RePaint:
    """The solver that pastes what is known, for ``sample`` with any denoiser.

    Args:
        known: what is known of the signal at points of the grid, made by ``known_signal``.
        jump_length: the number of ancestral steps in a step.
        resamplings: how often a step is made.

    Raises:
        ValueError: if a number is below one, or the observation is not of points of a grid.

    Example:
        >>> from inftydiff import CosineSchedule, Grid, known_signal, sample, timesteps
        >>> from inftydiff.testing import GaussianDenoiser
        >>> from inftydiff import GaussianMeasure, WhiteNoise, gaussian_mollifier
        >>> process = DiffusionProcess.white(CosineSchedule(), noise=WhiteNoise(0.3))
        >>> data = GaussianMeasure(None, gaussian_mollifier(0.2), WhiteNoise())
        >>> grid, mask = Grid((8,)), torch.arange(8) < 4
        >>> known = known_signal(process, Function(grid, torch.ones(8, 1)), mask)
        >>> x = sample(
        ...     RePaint(known),
        ...     GaussianDenoiser(process, data),
        ...     on=grid,
        ...     times=timesteps(5),
        ...     batch=2,
        ...     channels=1,
        ...     generator=torch.Generator().manual_seed(0),
        ... )
        >>> x.values[:, :4].unique()
        tensor([1.])
    """

    calls: ClassVar[int | None] = None
    spacing: ClassVar[Spacing] = "karras"

    known: Observation
    jump_length: int = 1
    resamplings: int = 5

    def __post_init__(self) -> None:
        jump = whole(self.jump_length, "A jump's length", most=MOST_ITERATIONS)
        object.__setattr__(self, "jump_length", jump)
        times = whole(self.resamplings, "A number of resamplings", most=MOST_ITERATIONS)
        object.__setattr__(self, "resamplings", times)
        instance(self.known, Observation, "What RePaint knows", "Make it by known_signal.")
        reads = self.known.reads
        if not (isinstance(reads, Evaluation) and isinstance(reads.to, Subset)):
            raise ValueError(
                "RePaint pastes values at points of the grid; make the observation by "
                f"known_signal(process, known, mask). Got one by {type(reads).__name__}."
            )

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
            ValueError: if the state lives on another grid than the known points, or has another
                batch or other channels.
        """
        check_step(denoiser, x_t, t, s)
        self._check(x_t)
        process = denoiser.process
        process.constant_signal  # noqa: B018
        shares = [k / self.jump_length for k in range(self.jump_length + 1)]
        times = [t + (s - t) * share for share in shares[:-1]] + [s]
        x = x_t
        for again in range(self.resamplings):
            if again:
                forward = process.transition_coefficients(s, t, on=x.on)
                noise = fresh_noise(process, x, generator)
                x = linear_combination((x, forward.scale), (noise, forward.std))
            for now, after in pairwise(times):
                x = ANCESTRAL.step(denoiser, x, now, after, generator=generator)
                x = self._pasted(process, x, after, generator)
        return x

    def _check(self, x: Function) -> None:
        """Refuse states of another batch or other channels than what is known."""
        known = tuple(self.known.values.shape)
        others = known[-1] not in (1, x.channels)
        if others or (len(known) == 3 and known[0] not in (1, *x.batch)):
            raise ValueError(
                "A state must have the batch and the channels of what is known, values of shape "
                f"{known}; got a state with values of shape {tuple(x.values.shape)}."
            )

    def _pasted(
        self, process: DiffusionProcess, x: Function, s: Tensor, generator: torch.Generator
    ) -> Function:
        reads = self.known.reads
        assert isinstance(reads, Evaluation)
        assert isinstance(reads.to, Subset)
        seen = reads(x)
        alpha, sigma = (a.to(seen).reshape(-1, 1, 1) for a in process.amplitudes(s, x.on))
        noise = reads(fresh_noise(process, x, generator))
        values = x.values.clone()
        values[:, reads.to.index] = alpha * self.known.values.to(seen) + sigma * noise
        return Function(x.on, values)
