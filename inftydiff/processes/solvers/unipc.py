r"""UniPC: a multistep predictor and corrector of exponential type, with one call a step.

The *predictor* from :math:`t` to :math:`s` extrapolates the estimates of the source at :math:`t`
and at the times before, as DPM-Solver++ does. When the denoiser has been asked about the predicted
state at :math:`s`, the *corrector* makes the same step again with that estimate as one more node,
:math:`r = 1`, and the next predictor starts from the corrected state; the estimate is kept, so that
no further call is needed. Of order :math:`p`, the predictor has :math:`p` nodes and the corrector
:math:`p + 1`: the states are accurate to order :math:`p + 1`.

All weights are those of :mod:`~inftydiff.processes.solvers._exponential`, which are UniPC's for
:math:`B(h) = e^h - 1` ("bh2") and data prediction. Where there is one node besides the first, the
predictor, and in the first step the corrector, take the midpoint's weight as published. A step to
:math:`\sigma = 0` gives the denoiser's signal.

In a trajectory the states are the predicted ones, of which the denoiser is asked; the corrected one
is in the memory.
"""

from dataclasses import dataclass
from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor

from inftydiff._components import component
from inftydiff._typing import store, whole
from inftydiff.operators.function import Function
from inftydiff.processes.amplitudes import Amplitudes, check_order
from inftydiff.processes.denoiser import Denoiser, asked
from inftydiff.processes.diffusion import DiffusionProcess
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
)

__all__ = ["UniPC"]


@component("solver", "unipc")
@final
@dataclass(frozen=True)
class UniPC(MultistepSolver):
    """The unified predictor and corrector, with one call a step.

    Args:
        order: 1, 2 or 3, the number of the predictor's nodes.

    Raises:
        ValueError: if the order is none of these.

    References:
        Zhao et al., "UniPC: a unified predictor-corrector framework for fast sampling of diffusion
        models", NeurIPS 2023.
    """

    separable: ClassVar[bool] = True

    order: int = 3

    def __post_init__(self) -> None:
        store(self, whole, "order", subject="UniPC's ")
        if self.order not in (1, 2, 3):
            raise ValueError(f"The order of UniPC is 1, 2 or 3; got {self.order!r}.")

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
        present, end = process.amplitudes(t, x_t.on), process.amplitudes(s, x_t.on)
        prediction = asked(denoiser, x_t, t)
        now = Past(t, x_t, process.source(prediction, t), prediction.noise)
        if memory:
            now = Past(t, _step(process, memory, present, now), now.source, now.noise)
        known = (now, *memory)[: self.order]
        return _step(process, known, end), known


def _step(
    process: DiffusionProcess, known: Memory, end: Amplitudes, new: Past | None = None
) -> Function:
    """The step from the latest known time to another, with what is known there, if it is."""
    latest, *before = known
    on = latest.x.on
    start = process.amplitudes(latest.t, on)
    present = half_log_snr(start)
    h = half_log_snr(end) - present
    nodes = [(half_log_snr(process.amplitudes(p.t, on)) - present) / h for p in before]
    sources = [latest.source, *(p.source for p in before)]
    if new is not None:
        nodes.append(torch.ones_like(h))
        sources.append(new.source)
    if not nodes:
        weights = []
    elif len(nodes) == 1:
        weights = midpoint_weight(h, nodes[0])
    else:
        weights = interpolatory_weights(h, nodes)
    return exponential_step(latest.x, start, end, sources, weights)
