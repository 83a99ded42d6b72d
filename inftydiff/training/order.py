"""Which pictures and which randomness belong to a step: functions of the seed and the step alone.

Nothing of it is state, so a run that is resumed at a step goes on as if it had never stopped.
"""

import functools
from collections.abc import Iterator
from typing import final

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor
from torch.utils.data import Sampler

__all__ = [
    "BatchSampler",
    "condition_generator",
    "dropout_seed",
    "picture_generator",
    "step_generator",
]

ORDER, DRAWS, DROPOUT, CONDITIONS = 0, 1, 2, 3
"""Keys that keep the uses of one seed apart."""


def step_generator(seed: int, step: int, device: torch.device | str = "cpu") -> torch.Generator:
    """The generator of what a step draws for all its pictures together: times and noise."""
    return _generator((DRAWS, seed, step), device)


def picture_generator(
    seed: int, step: int, number: int, device: torch.device | str = "cpu"
) -> torch.Generator:
    """The generator of what a step draws for one picture, by its number in the step's batch."""
    return _generator((DRAWS, seed, step, number + 1), device)


def condition_generator(seed: int, step: int) -> torch.Generator:
    """The generator of which conditions of a step's batch are hidden."""
    return _generator((CONDITIONS, seed, step), "cpu")


def dropout_seed(seed: int, step: int, first: int) -> int:
    """The seed of a network's dropout, for the part of a step that begins at a picture."""
    return _generator((DROPOUT, seed, step, first), "cpu").initial_seed()


@final
class BatchSampler(Sampler[list[int]]):
    """Batches of indices without end: each epoch a new permutation, its remainder left out.

    The processes share each batch: a process is given the indices of its own part, and so reads no
    other picture.

    Args:
        length: the number of pictures.
        batch_size: pictures a batch, on each process.
        seed: of the permutations.
        first: the step of the first batch.
        process: the number of this process.
        processes: how many there are; each takes its own part of every permutation.

    Raises:
        ValueError: if there are fewer pictures than one step takes.
    """

    def __init__(
        self,
        length: int,
        batch_size: int,
        *,
        seed: int,
        first: int = 0,
        process: int = 0,
        processes: int = 1,
    ) -> None:
        if length < batch_size * processes:
            raise ValueError(
                f"A step takes {batch_size * processes} pictures and there are {length}. Give more "
                "pictures, or a smaller batch_size."
            )
        self.length = length
        self.batch_size = batch_size
        self.seed = seed
        self.first = first
        self.process = process
        self.processes = processes
        self.steps_an_epoch = length // (batch_size * processes)

    def __iter__(self) -> Iterator[list[int]]:
        """The batches from the first step on, without end."""
        step = self.first
        while True:
            yield self.batch(step)
            step += 1

    def batch(self, step: int) -> list[int]:
        """The indices of one step on this process."""
        epoch, place = divmod(step, self.steps_an_epoch)
        begin = (place * self.processes + self.process) * self.batch_size
        order = _permutation(self.length, self.seed, epoch)
        return order[begin : begin + self.batch_size].tolist()


@functools.lru_cache(maxsize=2)
def _permutation(length: int, seed: int, epoch: int) -> Int[Tensor, "n"]:
    return torch.randperm(length, generator=_generator((ORDER, seed, epoch), "cpu"))


def _generator(key: tuple[int, ...], device: torch.device | str) -> torch.Generator:
    state = np.random.SeedSequence(key).generate_state(2, np.uint32).astype(np.uint64)
    return torch.Generator(device).manual_seed(int(state[0]) << 31 | int(state[1]) >> 1)
