"""Tasks with a progress bar."""

import dataclasses
import time
from collections.abc import Callable

import torch
from tqdm import tqdm

from inftydiff.pipelines.tasks import Sampling, TaskResult
from inftydiff.processes import State
from inftydiff.processes.seeds import generator_of
from inftydiff.training.bar import seconds_between_updates

__all__ = ["watched"]


def watched(
    task: Callable[[Sampling, torch.Generator], TaskResult], how: Sampling, *, seed: int
) -> tuple[TaskResult, float]:
    """Run a task with a progress bar.

    Args:
        task: what to run, given how to sample and the source of randomness.
        how: how to sample.
        seed: of the randomness.

    Returns:
        The answer, and how many seconds it took.
    """
    begin = time.monotonic()
    with tqdm(
        desc="Sampling", unit="step", leave=False, mininterval=seconds_between_updates()
    ) as bar:

        def watch(state: State) -> None:
            bar.update(0 if state.prediction is None else 1)

        result = task(dataclasses.replace(how, watch=watch), generator_of(seed))
    return result, time.monotonic() - begin
