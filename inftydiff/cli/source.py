"""What all sources of training pictures have in common."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Final

from torch import Tensor
from torch.utils.data import Dataset

from inftydiff.data import Images

__all__ = ["HELD_OUT", "Source", "how_many_held_out"]

HELD_OUT: Final = 128
"""How many pictures are held out unless said otherwise; of few, a tenth."""


class Source(ABC):
    """Pictures whose shape is known before they are drawn or read."""

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int, int]:
        """Channels, rows and columns of every picture."""

    @abstractmethod
    def load(self) -> tuple[Dataset[Tensor], Images]:
        """The pictures to train on, and those held out."""

    def keep(self, run: Path) -> None:  # noqa: B027
        """Write what samples cannot be read without into the run folder; of pictures, nothing.

        Raises:
            ValueError: if the run folder says something else.
        """


def how_many_held_out(count: int, held_out: int | None) -> int:
    """How many of so many pictures are held out: as given, or a tenth, at most 128.

    Raises:
        ValueError: if there are none left to train on, or none held out.

    Example:
        >>> how_many_held_out(40, None)
        4
    """
    if count < 2:
        raise ValueError(f"One picture is held out and others are trained on; got {count} in all.")
    if held_out is None:
        return max(1, min(HELD_OUT, count // 10))
    if not 1 <= held_out < count:
        raise ValueError(
            f"Of {count} pictures, 1 to {count - 1} can be held out; got {held_out}. Change "
            "--held-out."
        )
    return held_out
