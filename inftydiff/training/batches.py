"""The batches of a run, read in its own process or ahead of it in others."""

import re
from collections.abc import Callable, Iterator, Mapping, Sized
from contextlib import contextmanager
from typing import cast, final

from jaxtyping import Float
from torch import Generator, Tensor
from torch.utils.data import DataLoader, Dataset

from inftydiff._typing import kind_of
from inftydiff.training.order import BatchSampler

__all__ = ["Items", "UnreadableItem", "batches", "length_of", "living_workers"]

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
