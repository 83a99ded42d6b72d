"""The answer of a task as numbers."""

from pathlib import Path

import numpy as np

from inftydiff.data import FieldScale
from inftydiff.pipelines.tasks import TaskResult

__all__ = ["save_task_arrays"]


def save_task_arrays(path: Path, result: TaskResult, scale: FieldScale | None = None) -> None:
    """Write an ``.npz`` file of float32 arrays: ``samples``, ``mean`` and, of several, ``spread``.

    Samples have the shape ``(pictures, samples, channels, rows, columns)``; their mean and their
    standard deviation that without the samples' axis.

    Args:
        path: the file.
        result: the answer.
        scale: the ranges of the channels, if they are to have their units; else the values are
            those of the model, about [-1, 1].
    """
    samples = result.samples.to_image().cpu()
    if scale is not None:
        samples = scale.undo(samples)
    arrays = {"samples": samples, "mean": samples.mean(1)}
    if samples.shape[1] > 1:
        arrays["spread"] = samples.std(1)
    numbers = {name: array.float().numpy() for name, array in arrays.items()}
    np.savez(path, allow_pickle=False, **numbers)
