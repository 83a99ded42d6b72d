r"""The exponential moving average of the weights, :math:`\bar w \leftarrow d\,\bar w + (1-d)\,w`.

The decay :math:`d` warms up with the number of updates, see ``TrainConfig.ema``.
"""

from typing import TypeAlias

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from inftydiff.pipelines import InftyDiff
from inftydiff.training.config import TrainConfig

__all__ = ["averaged"]

Tensors: TypeAlias = tuple[Tensor, ...] | list[Tensor]


def averaged(pipeline: InftyDiff, config: TrainConfig) -> AveragedModel:
    """A copy of a model that follows it, in evaluation mode."""

    def update(average: Tensors, weights: Tensors, updates: Tensor | int) -> None:
        torch._foreach_lerp_(average, weights, 1.0 - config.ema_decay(int(updates)))

    average = AveragedModel(pipeline, multi_avg_fn=torch.no_grad()(update))
    return average.eval().requires_grad_(False)
