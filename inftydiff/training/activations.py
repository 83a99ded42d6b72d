"""What a training step keeps for its backward pass: the memory that grows with the batch."""

import dataclasses

import torch
from torch import Tensor

from inftydiff._typing import device_of, dtype_of, flag, instance, whole
from inftydiff.models import recompute_blocks
from inftydiff.pipelines import InftyDiff, InftyDiffConfig
from inftydiff.pipelines.config import MOST_CELLS
from inftydiff.training._objective import Microbatch, TrainingLoss
from inftydiff.training.settings import LARGEST_BATCH

__all__ = ["activation_bytes"]


def activation_bytes(
    config: InftyDiffConfig,
    size: int,
    *,
    points: float | None = None,
    batch: int = 1,
    gradient_checkpointing: bool = False,
    device: torch.device | str = "cpu",
    dtype: torch.dtype | None = None,
) -> int:
    """The bytes that a step of stage one keeps for its backward pass, weights apart.

    A forward pass is computed, and whatever would be kept for the way back is counted, once where
    it is kept several times, and let go. With ``gradient_checkpointing`` one block's activations
    come on top, as the backward pass computes them again.

    Args:
        config: the model; its prior is left out.
        size: pixels along the longest side.
        points: the fraction of the coordinates that a step sees; by default that of training.
        batch: how many pictures.
        gradient_checkpointing: keep the inputs of the network's blocks alone.
        device: where to compute.
        dtype: of the network's computations; by default single precision.

    Raises:
        ValueError: if a number is out of range.

    Example:
        >>> from inftydiff.pipelines import preset
        >>> small, large = (activation_bytes(preset("tiny"), 64, batch=n) for n in (1, 2))
        >>> 1.9 < large / small < 2.1
        True
    """
    instance(config, InftyDiffConfig, "config")
    batch = whole(batch, "A batch", most=LARGEST_BATCH)
    size = whole(size, "A grid's size", most=MOST_CELLS)
    flag(gradient_checkpointing, "gradient_checkpointing")
    device = device_of(device, "The device")
    if dtype is not None:
        dtype_of(dtype, "dtype, unless None,")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        pipeline = InftyDiff(dataclasses.replace(config, prior=None)).to(device).train()
    pipeline.compute_dtype = dtype
    recompute_blocks(pipeline, gradient_checkpointing)
    shape = batch, config.channels, *pipeline.grid(size).shape
    objective = TrainingLoss(pipeline, points=points)
    weights = {weight.untyped_storage().data_ptr() for weight in pipeline.parameters()}
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        if tensor.untyped_storage().data_ptr() not in weights:
            kept[tensor.untyped_storage().data_ptr()] = tensor.detach()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = objective(torch.zeros(shape, device=device), Microbatch(0, 0, 0, batch))
    total = sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
    del loss
    return total
