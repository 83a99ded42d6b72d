"""The batches of a run, read in its own process or ahead of it in others."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from inftydiff.training.order import BatchOrder

__all__ = ["batches", "living_workers"]

DIED = re.compile(r"DataLoader worker \(pid(?:\(s\))? ([\d, ]+)\)")


def batches(data: Dataset[Tensor], order: BatchOrder, workers: int = 0) -> DataLoader[Tensor]:
    """Batches without end.

    Args:
        data: the pictures.
        order: which of them belong to each batch.
        workers: processes that read ahead; 0 for none. The order does not depend on them.
    """
    return DataLoader(data, batch_sampler=order, num_workers=workers, generator=torch.Generator())


@contextmanager
def living_workers(state: Callable[[], str]) -> Iterator[None]:
    """Name a worker that dies within the block: torch notices it at any moment.

    Args:
        state: says what is left of the run.

    Raises:
        ChildProcessError: instead of torch's own error.
    """
    try:
        yield
    except RuntimeError as error:
        died = DIED.search(str(error))
        if died is None:
            raise
        said = str(error).partition(". ")[0].removesuffix(".")
        raise ChildProcessError(
            f"A process that reads pictures died (pid {died[1]}; torch says: {said}). It may have "
            f"run out of memory: lower workers, or give more. {state()}"
        ) from error
