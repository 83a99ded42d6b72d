"""The batches of a run: which pictures and which randomness a step has, and how they are read.

Both are functions of the seed and the step alone. Nothing of it is state, so a run that is resumed
at a step goes on as if it had never stopped. Pictures are read in the run's own process, or ahead
of it in others.
"""

import functools
import re
from collections.abc import Callable, Iterator, Mapping, Sized
from contextlib import contextmanager
from typing import cast, final

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from inftydiff._typing import kind_of

__all__ = [
    "BatchSampler",
    "Items",
    "UnreadableItem",
    "batches",
    "condition_generator",
    "dropout_seed",
    "length_of",
    "living_workers",
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


DIED = re.compile(r"DataLoader worker \(pid(?:\(s\))? ([\d, ]+)\)")


@final
class UnreadableItem(ValueError):
    """An item of a dataset cannot be read, or is not like the others."""


@final
class Items(Dataset[Tensor]):
    """A dataset whose items have one shape, and whose faults are told with the item's number.

    Args:
        data: the dataset.

    Raises:
        UnreadableItem: on reading an item, if the dataset raises an ``OSError`` or ``ValueError``,
            or gives something else than a tensor of the shape of its first item.
    """

    def __init__(self, data: Dataset[Tensor]) -> None:
        self.data = data
        self.shape = self._read(0).shape

    def __len__(self) -> int:
        return len(cast(Sized, self.data))

    def __getitem__(self, index: int) -> Float[Tensor, "*shape"]:
        """Item ``index``, of the shape of the first."""
        item = self._read(index)
        if item.shape != self.shape:
            raise UnreadableItem(
                f"Item {index} of the data has the shape {tuple(item.shape)}, and the first has "
                f"{tuple(self.shape)}. Give items of one shape."
            )
        return item

    def _read(self, index: int) -> Tensor:
        try:
            item = self.data[index]
        except (OSError, ValueError) as error:
            said = " ".join(str(error).split()).removesuffix(".")
            raise UnreadableItem(
                f"Item {index} of the data cannot be read: {said}. Repair it, or leave it out."
            ) from error
        if not isinstance(item, Tensor):
            raise UnreadableItem(
                f"Item {index} of the data is a tensor; got {type(item).__name__}. Give tensors."
            )
        return item


def length_of(data: object) -> int:
    """The number of items of a dataset.

    Raises:
        TypeError: if it is none.
        ValueError: if it is empty.
    """
    scalar = isinstance(data, Tensor) and not data.ndim
    if scalar or isinstance(data, type | str | bytes | Mapping) or not isinstance(data, Sized):
        raise TypeError(
            "Data must be a dataset, with a length and items by number; got "
            f"{kind_of(data)}. Pass one, such as image_folder(…)."
        )
    if len(data) == 0:
        raise ValueError("Training and validation data hold at least one picture; got none.")
    return len(data)


def batches(items: Items, order: BatchSampler, workers: int = 0) -> Iterator[Tensor]:
    """Batches without end, of shape ``(batch, *shape)``.

    Args:
        items: the data.
        order: which of them belong to each batch.
        workers: processes that read ahead; 0 for none. The order does not depend on them.

    Raises:
        UnreadableItem: if one of them cannot be read, in whichever process.
    """
    loader: DataLoader[Tensor] = DataLoader(
        items, batch_sampler=order, num_workers=workers, generator=Generator()
    )
    try:
        yield from loader
    except UnreadableItem as error:
        told = str(error).strip().splitlines()[-1]  # a worker's has its traceback before it
        raise UnreadableItem(told.removeprefix(f"{__name__}.UnreadableItem: ")) from None


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
